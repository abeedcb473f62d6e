/** The body of an answer as text: node:http sends it in one write with its head, and bytes in a second one. */

import type { ServerResponse } from 'node:http';

export interface BodyText {
  readonly text: string;
  /** Its length in UTF-8, for `Content-Length`. */
  readonly bytes: number;
}

export function bodyText(text: string): BodyText {
  return { text, bytes: Buffer.byteLength(text) };
}

/** After `writeHead`. */
export function endWith(res: ServerResponse, { text, bytes }: BodyText): void {
  // As many bytes as characters: all of them ASCII, which is the same in Latin-1 and quicker to copy.
  res.end(text, bytes === text.length ? 'latin1' : 'utf8');
}
