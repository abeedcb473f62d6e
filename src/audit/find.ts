import { stat } from 'node:fs/promises';
import path from 'node:path';
import { openGivenFile } from '../kit/files/given-file.ts';
import { parseJsonObject } from '../kit/json/json-object.ts';
import { isDeeperThan } from '../kit/json/nesting.ts';
import { type FileChoice, openAuditFiles } from './audit-files.ts';
import { searchLines } from './line-search.ts';
import { lineTime, offsetBefore } from './line-time.ts';
import { isCompressed, logBytes } from './log-bytes.ts';
import type { LogFolder } from './log-folders.ts';
import { type LoggedRecord, textAt } from './logged-record.ts';
import { matches, type RecordFilter, textsOf } from './record-filter.ts';

export interface FoundRecord {
  readonly file: string;
  readonly text: string;
  readonly record: LoggedRecord;
}

/**
 * By how much records stand out of the order of their times: a request is recorded at its end, under the time of its beginning,
 * and a clock may be set.
 */
const outOfOrderMs = 5 * 60_000;
/** How much later than the last of them repeated denials are written, unless the log was away or the disk full. */
const countedLateMs = 15 * 60_000;

/**
 * The records of one log that match, oldest first. What was written long before or after the time that is asked for is passed over
 * unread. It trusts the log as it is: what was altered is for `verify` to say.
 *
 * @throws DeepRecordError, or the system's error if a file cannot be read.
 */
export async function* findRecords(
  { location }: LogFolder,
  filter: RecordFilter,
): AsyncGenerator<FoundRecord> {
  const texts = textsOf(filter);
  const { fromMs, untilMs } = writtenWithin(filter);
  const folder = (await stat(location)).isDirectory() ? location : path.dirname(location);
  const wanted = choice(folder, fromMs, untilMs);
  for await (const { name, handle, sealedEnd } of openAuditFiles(location, wanted)) {
    const from =
      fromMs === undefined || isCompressed(name) ? 0 : await offsetBefore(handle, fromMs);
    const wishes = { texts, writtenUntilMs: untilMs };
    const bytes = logBytes(handle, name, { from, to: sealedEnd?.bytes });
    for await (const line of searchLines(bytes, wishes)) {
      const text = line.toString('utf8');
      const record = parseJsonObject(text);
      if (record === undefined || !matches(record, filter)) continue;
      const file = path.join(folder, name);
      requireShallow(file, record);
      yield { file, text, record };
    }
  }
}

/** A record whose parts lie in each other so often that whatever walks through them ends: no broker writes one. */
export class DeepRecordError extends Error {
  override readonly name = 'DeepRecordError';
}

/** Of a broker's records, those with a session policy have some ten. */
const maxDepth = 500;

/** @throws DeepRecordError */
function requireShallow(file: string, record: LoggedRecord): void {
  if (!isDeeperThan(maxDepth, record)) return;
  throw new DeepRecordError(
    `${file} holds a record whose parts lie in each other more than ${maxDepth} times, which no broker writes: it was not read to its end`,
  );
}

function writtenWithin({ sinceMs, untilMs }: RecordFilter) {
  return {
    fromMs: sinceMs === undefined ? undefined : sinceMs - outOfOrderMs,
    untilMs: untilMs === undefined ? undefined : untilMs + countedLateMs,
  };
}

/**
 * A closed file is left out if the one after it begins too early, or both of them too late: by one time alone a clock that was
 * wrong for a moment would hide it.
 */
function choice(folder: string, fromMs = -Infinity, untilMs = Infinity): FileChoice {
  return async (file, next) => {
    if (next === undefined || (fromMs === -Infinity && untilMs === Infinity)) return true;
    const [start, end] = [await startOf(folder, file.name), await startOf(folder, next.name)];
    if (start === undefined || end === undefined) return true;
    return !(start < fromMs && end < fromMs) && !(start > untilMs && end > untilMs);
  };
}

/** When the first record of a file was written; undefined if it has none that says so. */
async function startOf(folder: string, name: string): Promise<number | undefined> {
  const file = path.join(folder, name);
  const handle = await openGivenFile(file);
  const bytes = logBytes(handle, file);
  try {
    const start = Buffer.alloc(4096);
    return lineTime(start.subarray(0, await bytes.read(start)));
  } finally {
    await bytes.close();
    await handle.close();
  }
}

/** When the first record of a log was written; undefined if it holds none that says so. */
export async function beginningOf(log: LogFolder): Promise<number | undefined> {
  for await (const { name, handle } of openAuditFiles(log.location)) {
    for await (const line of searchLines(logBytes(handle, name), { texts: [] })) {
      const time = lineTime(line);
      if (time !== undefined) return time;
    }
  }
  return undefined;
}

/**
 * The records of several logs by their time. A log is opened when it is its turn, so that not more are open than have records
 * that lie beside each other.
 */
export async function* findInLogs(
  logs: readonly { readonly log: LogFolder; readonly beginsAt: number }[],
  filter: RecordFilter,
): AsyncGenerator<FoundRecord> {
  const waiting = [...logs].sort((a, b) => a.beginsAt - b.beginsAt);
  const open: Opened[] = [];
  try {
    for (;;) {
      let [first] = open.sort((a, b) => a.time - b.time);
      while (waiting[0] !== undefined && (first?.time ?? Infinity) >= waiting[0].beginsAt) {
        const records = findRecords(waiting[0].log, filter);
        waiting.shift();
        await advance({ records, time: 0, head: undefined }, open);
        [first] = open.sort((a, b) => a.time - b.time);
      }
      if (first?.head === undefined) return;
      yield first.head;
      open.shift();
      await advance(first, open);
    }
  } finally {
    for (const { records } of open) await records.return(undefined);
  }
}

interface Opened {
  readonly records: AsyncGenerator<FoundRecord>;
  readonly head: FoundRecord | undefined;
  readonly time: number;
}

async function advance({ records }: Opened, open: Opened[]): Promise<void> {
  const next = await records.next();
  if (next.done === true) return;
  const time = Date.parse(textAt(next.value.record, 'time') ?? '');
  open.push({ records, head: next.value, time: Number.isNaN(time) ? 0 : time });
}
