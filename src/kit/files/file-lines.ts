/** The lines of a file of any size, a small part of it in memory at a time. */

import type { FileHandle } from 'node:fs/promises';

export interface FileLinesOptions {
  /** Only so many bytes from the start of the file. */
  readonly bytes: number;
  /** A longer line is no line of ours. */
  readonly maxLineBytes: number;
  /** Sees the bytes as they are read. */
  readonly onBytes?: (bytes: Buffer) => void;
}

export const fileChunkBytes = 256 * 1024;
const lineFeed = 0x0a;

/** Those of each part that was read, without their line feeds. What follows the last line feed is no line. */
export async function* fileLines(
  file: FileHandle,
  { bytes, maxLineBytes, onBytes }: FileLinesOptions,
): AsyncGenerator<string[]> {
  let rest = Buffer.alloc(0);
  for (let at = 0; at < bytes; ) {
    const room = Buffer.allocUnsafe(Math.min(fileChunkBytes, bytes - at));
    const { bytesRead } = await file.read(room, 0, room.length, at);
    if (bytesRead === 0) throw new Error('the file ends too early');
    at += bytesRead;
    const part = room.subarray(0, bytesRead);
    onBytes?.(part);
    const whole = rest.length === 0 ? part : Buffer.concat([rest, part]);
    const lines: string[] = [];
    let start = 0;
    for (let end = whole.indexOf(lineFeed); end >= 0; end = whole.indexOf(lineFeed, start)) {
      lines.push(whole.toString('utf8', start, end));
      start = end + 1;
    }
    rest = whole.subarray(start);
    if (rest.length > maxLineBytes) throw new Error('a line is too long');
    yield lines;
  }
}
