/**
 * `POST /sts`: the STS query protocol, by which AWS SDKs exchange a token when AWS_ENDPOINT_URL_STS names this
 * service (AWS SDKs and Tools Reference Guide, "Assume role credential provider").
 */

import type { Request } from 'express';
import { BrokerError } from '../../../core/errors.ts';
import type { Exchange } from '../../../core/exchange.ts';
import { webIdentityAction } from '../../../sts-protocol/answers.ts';
import type { Metrics } from '../../../telemetry/metrics.ts';
import type { Admission } from '../../admission.ts';
import type { RouteHandler } from '../../instrument.ts';
import { requireNoQuery } from '../../query.ts';
import { exchangeCounters } from '../exchange-counters.ts';
import { type CallerIdentityOptions, signedSession } from './caller-identity.ts';
import { type QueryForm, readQueryForm } from './query-form.ts';
import { sendCallerIdentity, sendWebIdentity } from './sts-answer.ts';
import { webIdentityRequest } from './web-identity-request.ts';

export interface StsQueryOptions extends CallerIdentityOptions {
  readonly exchange: Exchange;
  readonly admit: Admission;
  readonly metrics: Pick<Metrics, 'credentialRequests' | 'refusals'>;
}

/** Whatever the operation and the path: one name in metrics and audit records. */
export const stsRoute = '/sts';

/** SDKs add a slash to the path of their endpoint, or not; the one for Java forgets the path. */
export const stsPaths = [stsRoute, '/sts/', '/'];

export function stsQuery(options: StsQueryOptions): RouteHandler {
  const { exchange, admit, metrics } = options;
  const count = exchangeCounters(metrics, stsRoute);

  return async function answer(req, res, context) {
    const { requestId } = context;
    const reading = read(req, admit);
    if (await asksForAnother(reading)) {
      // Gives out what whoever holds the keys knows already, so there is nothing to record.
      sendCallerIdentity(res, signedSession(req, await reading, options), requestId);
      return;
    }
    const { issued } = await count(
      exchange(context, async () => webIdentityRequest((await reading).parameters)),
    );
    if (res.destroyed) throw new BrokerError('request_timeout');
    sendWebIdentity(res, issued.session, requestId);
  };
}

async function read(req: Request, admit: Admission): Promise<QueryForm> {
  admit(req);
  requireNoQuery(req);
  return await readQueryForm(req);
}

/** What cannot be read, or names no operation, may have been an exchange: it is refused and recorded as one. */
async function asksForAnother(reading: Promise<QueryForm>): Promise<boolean> {
  try {
    const action = (await reading).parameters.get('Action');
    return action !== undefined && action !== webIdentityAction;
  } catch {
    return false;
  }
}
