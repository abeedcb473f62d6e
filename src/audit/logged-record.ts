import { type JsonObject, valueAt } from '../kit/json/json-object.ts';

/** A line of the log as data. Its shape is not checked: older versions wrote other fields. */
export type LoggedRecord = JsonObject;

/** Text of a field inside a record, by path; undefined if it is absent or no text. */
export function textAt(record: LoggedRecord, ...path: readonly string[]): string | undefined {
  const value = valueAt(record, ...path);
  return typeof value === 'string' ? value : undefined;
}
