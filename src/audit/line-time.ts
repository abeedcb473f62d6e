import type { FileHandle } from 'node:fs/promises';

/** The time stands before whatever callers have chosen, and its form is the broker's own. */
const timeWithinBytes = 256;
const timeForm = /"time":"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z)"/;

/** When a record was written, more or less: when what it tells of began. Undefined where the line does not say. */
export function lineTime(line: Buffer): number | undefined {
  const [, time] = timeForm.exec(line.toString('latin1', 0, timeWithinBytes)) ?? [];
  const epochMs = Date.parse(time ?? '');
  return Number.isNaN(epochMs) ? undefined : epochMs;
}

const probeBytes = 64 * 1024;

/**
 * Where in a file that is not packed a line begins before which all have been written before that time. A few reads find it: records
 * stand in the order of their writing. It is the start of the file wherever that cannot be told.
 */
export async function offsetBefore(handle: FileHandle, epochMs: number): Promise<number> {
  const probe = Buffer.allocUnsafe(probeBytes);
  let [low, high] = [0, (await handle.stat()).size];
  while (high - low > probeBytes) {
    const middle = low + Math.floor((high - low) / 2);
    const { bytesRead } = await handle.read(probe, { position: middle });
    const feed = probe.subarray(0, bytesRead).indexOf(0x0a);
    const time = feed < 0 ? undefined : lineTime(probe.subarray(feed + 1, bytesRead));
    if (time !== undefined && time < epochMs) low = middle + feed + 1;
    else high = middle;
  }
  return low;
}
