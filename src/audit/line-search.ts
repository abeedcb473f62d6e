/** Lines of a log that may match, found without looking at each. */

import { lineTime } from './line-time.ts';
import type { LogBytes } from './log-bytes.ts';

const blockBytes = 1024 * 1024;
const lineFeed = 0x0a;

export interface LineWishes {
  /** All of them stand in the line. */
  readonly texts: readonly string[];
  /** Blocks of lines that were written after this end the search. Epoch milliseconds. */
  readonly writtenUntilMs?: number | undefined;
}

/** Valid until the next is asked for. What is longer than a block is damage, and is left out. */
export async function* searchLines(bytes: LogBytes, wishes: LineWishes): AsyncGenerator<Buffer> {
  const search = wishes.texts.length === 0 ? everyLine : linesWith;
  try {
    for await (const block of wholeLines(bytes)) {
      if (isPast(block, wishes)) return;
      yield* search(block, wishes);
    }
  } finally {
    await bytes.close();
  }
}

/** The bytes in blocks that begin and end where lines do. While one is searched, the next is being read. */
async function* wholeLines(bytes: LogBytes): AsyncGenerator<Buffer> {
  let [buffer, other] = [Buffer.allocUnsafe(blockBytes), Buffer.allocUnsafe(blockBytes)];
  let held = 0;
  let reading = readAhead(bytes, buffer);
  for (;;) {
    const read = await reading;
    const filled = buffer.subarray(0, held + read);
    if (read === 0) {
      if (filled.length > 0) yield filled;
      return;
    }
    const end = filled.lastIndexOf(lineFeed);
    // The start of a line that does not fit goes; its end is no record by itself.
    held = end < 0 && filled.length === blockBytes ? 0 : filled.length - (end + 1);
    filled.copy(other, 0, filled.length - held);
    reading = readAhead(bytes, other.subarray(held));
    if (end > 0) yield filled.subarray(0, end);
    [buffer, other] = [other, buffer];
  }
}

/** Nobody may come for what was read: a search ends before its file does. */
function readAhead(bytes: LogBytes, room: Buffer): Promise<number> {
  const reading = bytes.read(room);
  reading.catch(() => {});
  return reading;
}

/** By its first line and its last one: a clock that was wrong for a moment hides nothing. */
function isPast(block: Buffer, { writtenUntilMs }: LineWishes): boolean {
  if (writtenUntilMs === undefined) return false;
  const last = block.subarray(block.lastIndexOf(lineFeed) + 1);
  return [block, last].every((line) => (lineTime(line) ?? 0) > writtenUntilMs);
}

function* everyLine(block: Buffer): Generator<Buffer> {
  for (let start = 0; start < block.length; ) {
    const feed = block.indexOf(lineFeed, start);
    const line = block.subarray(start, feed < 0 ? block.length : feed);
    yield line;
    start += line.length + 1;
  }
}

function* linesWith(block: Buffer, { texts }: LineWishes): Generator<Buffer> {
  const [first = '', ...others] = texts;
  const rare = Buffer.from(first, 'latin1');
  for (let from = 0; ; ) {
    const hit = block.indexOf(rare, from);
    if (hit < 0) return;
    const start = block.lastIndexOf(lineFeed, hit) + 1;
    const feed = block.indexOf(lineFeed, hit);
    const line = block.subarray(start, feed < 0 ? block.length : feed);
    if (others.every((text) => line.includes(text, 0, 'latin1'))) yield line;
    from = start + line.length + 1;
  }
}
