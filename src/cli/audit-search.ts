/** Records of audit logs by what `find` and `export` are told on their command line. */

import { isIP } from 'node:net';
import { beginningOf, type FoundRecord, findInLogs } from '../audit/find.ts';
import { findLogs } from '../audit/log-folders.ts';
import type { RecordFilter } from '../audit/record-filter.ts';
import { recordTypes } from '../audit/record-types.ts';
import { cidrBlocks } from '../kit/net/cidr-blocks.ts';
import { toRfc3339 } from '../kit/timing/clock.ts';
import { noAuditLog, noRecordIn, unreadableLog } from './unreadable-log.ts';

export interface AuditSearchOptions {
  /** Audit directories, folders of them, or files: what a collector kept of standard output. */
  readonly directory: readonly string[];
  readonly accessKeyId?: string;
  readonly requestId?: string;
  readonly traceId?: string;
  readonly subject?: string;
  readonly clientId?: string;
  readonly user?: string;
  readonly role?: string;
  readonly mapping?: string;
  readonly type?: string;
  readonly outcome?: string;
  readonly reason?: string;
  /** An address or a block of them. */
  readonly sourceIp?: string;
  /** RFC 3339 or a date, inclusive. */
  readonly since?: string;
  readonly until?: string;
  /** Such as `7d`, instead of `since`. */
  readonly last?: string;
  readonly limit?: number;
  /** Epoch milliseconds: what `last` counts from. */
  readonly now: number;
}

export interface AuditSearch {
  readonly records: AsyncGenerator<FoundRecord>;
  /** What is looked at, in a few words. */
  readonly extent: string;
}

/** A text says why there is nothing to search, or what is wrong with the question. */
export async function searchAudit(options: AuditSearchOptions): Promise<AuditSearch | string> {
  const filter = filterOf(options);
  if (typeof filter === 'string') return filter;
  try {
    const found = await findLogs(options.directory);
    const logs = [];
    let first = Number.POSITIVE_INFINITY;
    for (const log of found) {
      const beginsAt = await beginningOf(log);
      first = Math.min(first, beginsAt ?? first);
      // One whose records do not say when they were written is searched all the same.
      logs.push({ log, beginsAt: beginsAt ?? 0 });
    }
    if (found.length === 0) return noAuditLog(options.directory);
    if (first === Number.POSITIVE_INFINITY) return noRecordIn(options.directory);
    const extent = `${logs.length} log${logs.length === 1 ? '' : 's'}, from ${toRfc3339(first)} on`;
    return { records: limited(findInLogs(logs, filter), options.limit), extent };
  } catch (error) {
    return unreadableLog(error);
  }
}

async function* limited(
  records: AsyncGenerator<FoundRecord>,
  limit: number | undefined,
): AsyncGenerator<FoundRecord> {
  let left = limit ?? Infinity;
  for await (const record of records) {
    yield record;
    left -= 1;
    if (left === 0) return;
  }
}

function filterOf(options: AuditSearchOptions): RecordFilter | string {
  const { directory, since, until, last, limit, now, sourceIp, ...wanted } = options;
  if (since !== undefined && last !== undefined) return 'Give --since or --last, not both.';
  const age = last === undefined ? undefined : duration(last);
  if (Number.isNaN(age)) return 'Write --last as a number with s, m, h, d or w, such as 7d.';
  const sinceMs = age === undefined ? instant(since, 0) : now - age;
  const untilMs = instant(until, dayMs - 1);
  if (Number.isNaN(sinceMs) || Number.isNaN(untilMs)) {
    return 'Write times as RFC 3339, such as 2026-01-31T12:00:00Z, or as a date, such as 2026-01-31.';
  }
  if (wanted.type !== undefined && !recordTypes.some((type) => type === wanted.type)) {
    return `There is no such --type. Known: ${recordTypes.join(', ')}.`;
  }
  const block = sourceIp === undefined ? undefined : blockOf(sourceIp);
  if (block === null) return 'Write --source-ip as an address or a block, such as 10.0.0.0/8.';
  const sources = block === undefined ? undefined : cidrBlocks([block]);
  return { ...wanted, sources, sinceMs, untilMs };
}

const dayMs = 86_400_000;

function instant(text: string | undefined, onDateMs: number): number | undefined {
  if (text === undefined) return undefined;
  const date = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const time = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/.test(text);
  if (!date && !time) return Number.NaN;
  const epochMs = Date.parse(text);
  if (!date) return epochMs;
  // Date.parse reads 30 February as 2 March.
  const exists = !Number.isNaN(epochMs) && toRfc3339(epochMs).startsWith(text);
  return exists ? epochMs + onDateMs : Number.NaN;
}

const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: dayMs, w: 7 * dayMs } as const;

/** Milliseconds; NaN for what is no duration. */
export function duration(text: string): number {
  const [, number, unit] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  return number === undefined ? Number.NaN : Number(number) * unitMs[unit as keyof typeof unitMs];
}

function blockOf(text: string): string | null {
  const [address = '', prefix, ...more] = text.split('/');
  const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  if (more.length > 0 || bits < 0) return null;
  if (prefix === undefined) return `${address}/${bits}`;
  return /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits ? text : null;
}
