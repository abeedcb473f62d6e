/** How this instance is, as administrators see it. */

import { snapshotInForce } from '../core/snapshot-in-force.ts';
import type { InstanceStatus } from '../http/admin/read-status.ts';
import type { HealthCheck } from '../http/ops/ops-app.ts';
import { countedBy, sumBy } from '../telemetry/counted.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Adapters } from './adapters.ts';

export interface InstanceStatusOptions {
  readonly adapters: Adapters;
  readonly metrics: Metrics;
  readonly version: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly readiness: () => readonly HealthCheck[];
  /** After how long without an answer of the table something is wrong. */
  readonly tableSilentSeconds: number;
}

export function instanceStatus(options: InstanceStatusOptions): () => Promise<InstanceStatus> {
  const { adapters, metrics, version, startedAt, readiness, tableSilentSeconds } = options;
  const { policy, inForce } = adapters;
  const counted = (name: string) => countedBy(metrics.registry, name);
  return async () => {
    const [requests, refusals, sts, lag] = await Promise.all([
      counted('tokenbroker_credential_requests_total'),
      counted('tokenbroker_refusals_total'),
      counted('tokenbroker_sts_request_duration_seconds'),
      counted('tokenbroker_policy_lag_seconds'),
    ]);
    const ageSeconds = policy.ageSeconds();
    const table = {
      name: 'table',
      ok: ageSeconds !== undefined && ageSeconds < tableSilentSeconds,
    };
    return {
      version,
      startedAt: new Date(startedAt).toISOString(),
      checks: [...readiness(), table],
      policy: {
        revision: policy.revision ?? null,
        ageSeconds: ageSeconds ?? null,
        mappings: snapshotInForce(inForce)?.byId.size ?? 0,
        quarantined: policy.quarantined().length,
        lagSeconds: lag[0]?.value ?? null,
      },
      requests: sumBy(requests, 'outcome'),
      refusals: sumBy(refusals, 'code', 'reason'),
      sts: sumBy(sts, 'region', 'result'),
    };
  };
}
