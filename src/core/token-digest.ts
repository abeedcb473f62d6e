import { hash } from 'node:crypto';

/** Lower-case hex SHA-256 of a token's bytes: its name in logs, caches and audit records. */
export function tokenDigest(token: string): string {
  return hash('sha256', token, 'hex');
}
