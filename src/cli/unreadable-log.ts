/** Why audit logs have no answer. */

import { DeepRecordError } from '../audit/find.ts';
import { PackedLogTooLargeError } from '../audit/log-bytes.ts';
import { errorCodeOf } from '../kit/files/error-code.ts';
import { FileRefusedError } from '../kit/files/regular-file.ts';

export function noAuditLog(locations: readonly string[]): string {
  return `There is no audit log in ${locations.join(', ')}: neither there nor in a folder below is an audit.jsonl or audit-<number>.jsonl, or one packed by gzip.`;
}

export function noRecordIn(locations: readonly string[]): string {
  return `There is not a single record in the audit log of ${locations.join(', ')}: it was emptied, or no broker has ever written to it.`;
}

/** What names the file, and what is wrong with it. */
const telling = [DeepRecordError, FileRefusedError, PackedLogTooLargeError];

/** Why a log cannot be read, with the name of the file where the system says it. */
export function unreadableLog(error: unknown): string {
  if (error instanceof Error && telling.some((kind) => error instanceof kind))
    return `The audit log cannot be read: ${error.message}`;
  const { path } = error as { readonly path?: unknown };
  const where = typeof path === 'string' ? `: ${path}` : '';
  return `The audit log cannot be read${where}: ${errorCodeOf(error)}`;
}
