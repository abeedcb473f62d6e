/** Counts the outcomes of exchanges on one route, and times those that waited for nobody. */

import type { IssueResult } from '../../core/credentials.ts';
import { BrokerError } from '../../core/errors.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import type { Metrics } from '../../telemetry/metrics.ts';

export type ExchangeMetrics = Pick<Metrics, 'credentialRequests' | 'refusals' | 'warmSeconds'>;

/** `startedAt` is on the clock's monotonic scale. */
export interface ExchangeCounters {
  issued(result: IssueResult, startedAt: number): void;
  refused(error: unknown): void;
}

export function exchangeCounters(
  { credentialRequests, refusals, warmSeconds }: ExchangeMetrics,
  clock: Clock,
  route: string,
): ExchangeCounters {
  const issued = credentialRequests.child({ route, outcome: 'issued' });
  const denied = credentialRequests.child({ route, outcome: 'denied' });
  const failed = credentialRequests.child({ route, outcome: 'failed' });

  return {
    issued({ cached }, startedAt) {
      issued.inc();
      if (cached) warmSeconds.observe((clock.monotonic() - startedAt) / 1000);
    },
    refused(error) {
      const { code, reason, status } =
        error instanceof BrokerError ? error : new BrokerError('internal_error');
      (status < 500 ? denied : failed).inc();
      refusals.child({ code, reason: reason ?? 'none' }).inc();
    },
  };
}
