import { errorCodeOf } from '../audit/audit-sink.ts';
import { PackedLogTooLargeError } from '../audit/log-bytes.ts';

/** Why a log cannot be read, with the name of the file where the system says it. */
export function unreadableLog(error: unknown): string {
  if (error instanceof PackedLogTooLargeError)
    return `The audit log cannot be read: ${error.message}`;
  const { path } = error as { readonly path?: unknown };
  const where = typeof path === 'string' ? `: ${path}` : '';
  return `The audit log cannot be read${where}: ${errorCodeOf(error)}`;
}
