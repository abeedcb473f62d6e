/** Records as a table for people: RFC 4180, fit to be opened by a spreadsheet. */

import { valueAt } from '../kit/json/json-object.ts';
import type { LoggedRecord } from './logged-record.ts';

const columns: readonly (readonly [name: string, ...path: string[]])[] = [
  ['time', 'time'],
  ['type', 'type'],
  ['outcome', 'outcome'],
  ['code', 'code'],
  ['reason', 'reason'],
  ['pool', 'token', 'pool'],
  ['client_id', 'token', 'clientId'],
  ['subject', 'token', 'subject'],
  ['username', 'token', 'description', 'username'],
  ['email', 'token', 'description', 'email'],
  ['editor', 'actor'],
  ['action', 'action'],
  ['mapping', 'mapping', 'id'],
  ['edited_mapping', 'mappingId'],
  ['role', 'session', 'role'],
  ['requested_role', 'request', 'role'],
  ['session_name', 'session', 'name'],
  ['duration_seconds', 'session', 'durationSeconds'],
  ['source_identity', 'session', 'sourceIdentity'],
  ['access_key_id', 'credentials', 'accessKeyId'],
  ['expiration', 'credentials', 'expiration'],
  ['cached', 'credentials', 'cached'],
  ['sts_request_id', 'credentials', 'stsRequestId'],
  ['repeats', 'repeats', 'count'],
  ['source_ip', 'sourceIp'],
  ['user_agent', 'userAgent'],
  ['request_id', 'requestId'],
  ['trace_id', 'traceId'],
  ['seq', 'seq'],
  ['chain', 'chain'],
  ['hash', 'hash'],
];

export const csvHeader = columns.map(([name]) => name).join(',');

/** Texts in it are still what others chose: whoever prints it makes them fit for a terminal. */
export function csvCells(record: LoggedRecord): readonly string[] {
  return columns.map(([, ...path]) => {
    const value = valueAt(record, ...path);
    return value === undefined || value === null ? '' : String(value);
  });
}

/**
 * What a spreadsheet would take for a formula begins with an apostrophe, which makes it text (T223): full-width signs count in some
 * languages. Where a semicolon parts cells, what stands behind one is a cell of its own unless all of it is quoted.
 */
export function csvCell(text: string): string {
  const plain = /^[\s]*[=+\-@\t\r＝＋－＠]/u.test(text) ? `'${text}` : text;
  return /[",;\t\r\n']/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
