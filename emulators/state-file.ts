/** State of the emulators: text that holds keys and secrets. */

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { replaceFileSync } from '../src/kit/files/replace-file.ts';
import { readStateFileSync } from '../src/kit/files/state-file.ts';

/** Replaces `path` whole, readable by its owner only. */
export function writeStateText(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  replaceFileSync(path, text);
}

/** The text of `path`, or undefined where there is no such file. @throws FileRefusedError for another user's */
export function readStateText(path: string): string | undefined {
  return readStateFileSync(path, { maxBytes: maxFileBytes, secret: true })?.toString();
}

const maxFileBytes = 64 * 1024 * 1024;
