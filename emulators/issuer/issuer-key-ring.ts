import type { CognitoJwk, KeyHistory, KeySet } from './issuer-keys.ts';
import {
  cognitoJwk,
  createIssuerKeys,
  createKeySet,
  loadIssuerKeys,
  saveIssuerKeys,
} from './issuer-keys.ts';

export interface KeyRingOptions {
  /** Used where `keyFile` holds none yet. Default: new ones. */
  readonly keys?: KeyHistory | undefined;
  readonly keyFile?: string | undefined;
}

/** Bounds the key set however often the keys are rotated; STS takes at most 100 RSA keys from an issuer. */
const maxRetiredKeySets = 10;

/** The issuer's keys over time: rotated, withdrawn, and kept in a file if there is one. */
export class KeyRing {
  readonly #keyFile: string | undefined;
  #keys: KeyHistory;
  #published: readonly CognitoJwk[];
  #rotation: Promise<void> = Promise.resolve();

  static async open({ keys, keyFile }: KeyRingOptions): Promise<KeyRing> {
    const kept = keyFile === undefined ? undefined : loadIssuerKeys(keyFile);
    return new KeyRing(kept ?? keys ?? (await createIssuerKeys()), keyFile);
  }

  private constructor(keys: KeyHistory, keyFile: string | undefined) {
    this.#keyFile = keyFile;
    this.#keys = keys;
    this.#published = [];
    this.#use(keys);
  }

  get current(): KeySet {
    return this.#keys.current;
  }

  get published(): readonly CognitoJwk[] {
    return this.#published;
  }

  /** New tokens get these keys, or new ones; the old ones stay published. */
  rotate(next?: KeySet): Promise<void> {
    // One at a time: two at once would both build on the same old keys, and one new set would be lost.
    const done = this.#rotation.then(async () => {
      const current = next ?? (await createKeySet());
      const retired = [this.#keys.current, ...this.#keys.retired].slice(0, maxRetiredKeySets);
      this.#use({ current, retired });
    });
    this.#rotation = done.catch(() => {});
    return done;
  }

  withdrawOld(): void {
    this.#use({ current: this.#keys.current, retired: [] });
  }

  #use(keys: KeyHistory): void {
    if (this.#keyFile !== undefined) saveIssuerKeys(this.#keyFile, keys);
    this.#keys = keys;
    this.#published = [keys.current, ...keys.retired]
      .flatMap(({ id, access }) => [id, access])
      .map((key) => cognitoJwk(key, 'RS256'));
  }
}
