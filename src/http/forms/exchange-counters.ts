/** Counts the outcomes of exchanges on one route, and times those that waited for nobody. */

import { BrokerError } from '../../core/errors.ts';
import type { ExchangeResult } from '../../core/exchange.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import type { Metrics } from '../../telemetry/metrics.ts';

export type ExchangeMetrics = Pick<Metrics, 'credentialRequests' | 'refusals' | 'warmSeconds'>;

export function exchangeCounters(
  { credentialRequests, refusals, warmSeconds }: ExchangeMetrics,
  clock: Clock,
  route: string,
): (exchange: () => Promise<ExchangeResult>) => Promise<ExchangeResult> {
  const issued = credentialRequests.child({ route, outcome: 'issued' });
  const denied = credentialRequests.child({ route, outcome: 'denied' });
  const failed = credentialRequests.child({ route, outcome: 'failed' });

  return async (exchange) => {
    const startedAt = clock.monotonic();
    try {
      const result = await exchange();
      issued.inc();
      if (result.issued.cached) warmSeconds.observe((clock.monotonic() - startedAt) / 1000);
      return result;
    } catch (error) {
      const { code, reason, status } =
        error instanceof BrokerError ? error : new BrokerError('internal_error');
      (status < 500 ? denied : failed).inc();
      refusals.child({ code, reason: reason ?? 'none' }).inc();
      throw error;
    }
  };
}
