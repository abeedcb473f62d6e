/** Counts the outcomes of exchanges on one route. */

import { BrokerError } from '../../core/errors.ts';
import type { Metrics } from '../../telemetry/metrics.ts';

export function exchangeCounters(
  { credentialRequests, refusals }: Pick<Metrics, 'credentialRequests' | 'refusals'>,
  route: string,
): <Result>(exchange: Promise<Result>) => Promise<Result> {
  const issued = credentialRequests.child({ route, outcome: 'issued' });
  const denied = credentialRequests.child({ route, outcome: 'denied' });
  const failed = credentialRequests.child({ route, outcome: 'failed' });

  return async (exchange) => {
    try {
      const result = await exchange;
      issued.inc();
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
