/** Colours, where somebody sees them. */

import type { Terminal } from './terminal.ts';

/** Colours of a text that is printable already. */
export interface Paint {
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly title: (text: string) => string;
}

/** For what goes into a file, or to wherever notes go. */
export const noPaint: Paint = { good: String, bad: String, title: String };

export function paintFor({ colours }: Pick<Terminal, 'colours'>): Paint {
  // ECMA-48, Select Graphic Rendition.
  const sgr = (code: number) => (text: string) =>
    colours ? `\u001b[${code}m${text}\u001b[0m` : text;
  return { good: sgr(32), bad: sgr(31), title: sgr(1) };
}
