/** What a command proves something with. Whoever answers may send it back, and what is printed lands in logs of CI. */

import type { Output } from '../output.ts';
import type { Terminal } from '../terminal.ts';

const instead = '[withheld]';

export class Withheld {
  readonly #secrets = new Set<string>();

  /** @returns the same secret: from now on nothing shows it */
  keep(secret: string): string {
    this.#secrets.add(secret);
    // A JWT without its signature proves nothing (RFC 7515), and is no less of a secret in two pieces.
    const signature = /^[\w-]+\.[\w-]+\.([\w-]{16,})$/.exec(secret)?.[1];
    if (signature !== undefined) this.#secrets.add(signature);
    return secret;
  }

  /** The longest first: the others may be parts of it. */
  from(text: string): string {
    return [...this.#secrets]
      .sort((a, b) => b.length - a.length)
      .reduce((left, secret) => left.replaceAll(secret, instead), text);
  }

  output({ out, err }: Output): Output {
    return { out: (text) => out(this.from(text)), err: (text) => err(this.from(text)) };
  }

  terminal({ colours, ask, ...terminal }: Terminal): Terminal {
    return {
      colours,
      ask: ask && ((question) => ask(this.from(question))),
      showProgress: (text) => terminal.showProgress(this.from(text)),
    };
  }
}
