/** The exchange behind every wire form: counted, and answered to those who are still there. */

import type { Response } from 'express';
import { BrokerError } from '../../core/errors.ts';
import type { ExchangeRequest, ExchangeResult } from '../../core/exchange.ts';
import type { RequestContext } from '../../core/request-context.ts';
import type { AdmittedRequest } from '../admission.ts';
import type { Arrival } from '../arrival.ts';
import { exchangeCounters } from './exchange-counters.ts';
import type { FormParts } from './wire-form.ts';

export type PrintResult = (res: Response, result: ExchangeResult, requestId: string) => void;

/**
 * `read` is called inside of the use case, so that whatever it refuses is on record; admission comes first. Resolves to the
 * refusal that is to be answered, if it is one.
 */
export type Exchanging = (
  arrival: Arrival,
  context: RequestContext,
  read: (req: AdmittedRequest) => ExchangeRequest | Promise<ExchangeRequest>,
) => Promise<BrokerError | undefined>;

export function exchanging(
  route: string,
  { exchange, metrics, clock }: Pick<FormParts, 'exchange' | 'metrics' | 'clock'>,
  print: PrintResult,
): Exchanging {
  const counters = exchangeCounters(metrics, clock, route);
  return async (arrival, context, read) => {
    const startedAt = clock.monotonic();
    let result: ExchangeResult | BrokerError;
    try {
      result = await exchange(context, () => read(arrival.admit()));
    } catch (error) {
      counters.refused(error);
      throw error;
    }
    if (result instanceof BrokerError) {
      counters.refused(result);
      return result;
    }
    counters.issued(result.issued, startedAt);
    const { res } = arrival.admit();
    if (res.destroyed) throw new BrokerError('request_timeout');
    print(res, result, context.requestId);
    return undefined;
  };
}
