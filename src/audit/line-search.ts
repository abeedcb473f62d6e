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

/** The bytes in blocks that begin and end where lines do. */
async function* wholeLines(bytes: LogBytes): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(blockBytes);
  let held = 0;
  for (;;) {
    const read = await bytes.read(buffer.subarray(held));
    const filled = buffer.subarray(0, held + read);
    const end = read === 0 ? filled.length : filled.lastIndexOf(lineFeed);
    if (end > 0) yield filled.subarray(0, end);
    if (read === 0) return;
    const rest = end + 1;
    // The start of a line that does not fit goes; its end is no record by itself.
    held = rest === 0 && filled.length === blockBytes ? 0 : filled.length - rest;
    buffer.copyWithin(0, rest, rest + held);
  }
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
