import { isJsonObject, parseJsonObject } from '../kit/json/json-object.ts';
import { readAuditLines } from './read-lines.ts';
import { asciiJson } from './record-fields.ts';

/** All that are given must hold. Values are compared exactly. */
export interface RecordFilter {
  readonly accessKeyId?: string | undefined;
  /** Of the request itself, or of one that a record of repeated denials names. */
  readonly requestId?: string | undefined;
  readonly subject?: string | undefined;
  readonly clientId?: string | undefined;
  /** Asked for, given, or in a mapping before or after a change. */
  readonly role?: string | undefined;
  /** Epoch milliseconds, inclusive. */
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

/** A line of the log as data. Its shape is not checked: older versions wrote other fields. */
export type FoundRecord = Readonly<Record<string, unknown>>;

export interface FoundLine {
  readonly file: string;
  readonly line: number;
  readonly text: string;
  readonly record: FoundRecord;
}

/**
 * The records that match, oldest first. It trusts the log as it is: what was altered is for `verify` to say.
 *
 * @throws the system's error if a file cannot be read.
 */
export async function* findRecords(
  location: string,
  filter: RecordFilter,
): AsyncGenerator<FoundLine> {
  const needles = [
    filter.accessKeyId,
    filter.requestId,
    filter.subject,
    filter.clientId,
    filter.role,
  ].flatMap((value) => (value === undefined ? [] : [asciiJson(JSON.stringify(value))]));
  for await (const { file, lines } of readAuditLines(location)) {
    for (const { bytes, number: line } of lines) {
      // Most lines lack the value altogether: no need to parse those.
      if (!needles.every((needle) => bytes.includes(needle))) continue;
      const text = bytes.toString('utf8');
      const record = parseJsonObject(text);
      if (record !== undefined && matches(record, filter)) yield { file, line, text, record };
    }
  }
}

/** Text of a field inside a record, by path; undefined if it is absent or no text. */
export function textAt(record: FoundRecord, ...path: readonly string[]): string | undefined {
  const value = valueAt(record, ...path);
  return typeof value === 'string' ? value : undefined;
}

export function valueAt(record: FoundRecord, ...path: readonly string[]): unknown {
  let value: unknown = record;
  for (const key of path) value = isJsonObject(value) ? value[key] : undefined;
  return value;
}

function matches(record: FoundRecord, filter: RecordFilter): boolean {
  const { accessKeyId, requestId, subject, clientId, role } = filter;
  const is = (wanted: string | undefined, ...paths: readonly string[][]) =>
    wanted === undefined || paths.some((path) => textAt(record, ...path) === wanted);
  return (
    is(accessKeyId, ['credentials', 'accessKeyId']) &&
    (is(requestId, ['requestId']) || isRepeat(record, requestId)) &&
    is(subject, ['token', 'subject'], ['explained', 'subject']) &&
    is(clientId, ['token', 'clientId'], ['explained', 'clientId']) &&
    is(role, ['session', 'role'], ['request', 'role'], ['before', 'role'], ['after', 'role']) &&
    isInTime(record, filter)
  );
}

function isRepeat(record: FoundRecord, requestId: string | undefined): boolean {
  const named = valueAt(record, 'repeats', 'requestIds');
  return Array.isArray(named) && named.includes(requestId);
}

function isInTime(record: FoundRecord, { sinceMs, untilMs }: RecordFilter): boolean {
  if (sinceMs === undefined && untilMs === undefined) return true;
  // A record of repeated denials is written later than what it is about.
  const instant = (end: string) =>
    Date.parse(textAt(record, 'repeats', end) ?? textAt(record, 'time') ?? '');
  return (
    instant('to') >= (sinceMs ?? Number.NEGATIVE_INFINITY) &&
    instant('from') <= (untilMs ?? Infinity)
  );
}
