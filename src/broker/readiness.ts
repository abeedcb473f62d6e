/** Whether this instance is to be sent requests. */

import { snapshotInForce } from '../core/snapshot-in-force.ts';
import type { HealthCheck } from '../http/ops/ops-app.ts';
import type { Adapters } from './adapters.ts';
import type { Listeners } from './listeners.ts';

export interface ReadinessOptions {
  readonly adapters: Pick<Adapters, 'policy' | 'keys' | 'issuers' | 'audit'>;
  readonly listeners: Pick<Listeners, 'handshakes'>;
  /** Aborted once the process is ending. */
  readonly ending: AbortSignal;
}

/**
 * What must hold to be sent requests. An STS or DynamoDB that is away does not count: what is cached can be
 * served, and taking every replica out at once would turn a small outage into a whole one.
 */
export function readiness({
  adapters,
  listeners,
  ending,
}: ReadinessOptions): readonly HealthCheck[] {
  const { policy, keys, issuers, audit } = adapters;
  return [
    { name: 'policy', ok: snapshotInForce(policy) !== undefined },
    { name: 'keys', ok: [...issuers.keys()].some((issuer) => keys.ready(issuer)) },
    { name: 'audit', ok: audit.ready() },
    ...[...listeners.handshakes].map(([name, ok]) => ({ name: `tls-${name}`, ok: ok() })),
    { name: 'serving', ok: !ending.aborted },
  ];
}
