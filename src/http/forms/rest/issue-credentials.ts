/** `POST /v1/credentials`: the REST form of the exchange. */

import { z } from 'zod';
import type { RequestContext } from '../../../core/audit-record.ts';
import { BrokerError } from '../../../core/errors.ts';
import type { Exchange, ExchangeRequest } from '../../../core/exchange.ts';
import type { Metrics } from '../../../telemetry/metrics.ts';
import type { Admission } from '../../admission.ts';
import { bearerToken } from '../../bearer-token.ts';
import type { RouteHandler } from '../../instrument.ts';
import { readJsonBody } from '../../json-body.ts';
import { requireNoQuery } from '../../query.ts';
import { requestedRole } from '../../requested-role.ts';
import { sendPrintedJson } from '../../send-json.ts';
import { credentialsDocument } from '../credentials-document.ts';
import { exchangeCounters } from '../exchange-counters.ts';

export interface IssueCredentialsOptions {
  readonly exchange: Exchange;
  readonly admit: Admission;
  readonly maxBodyBytes: number;
  readonly metrics: Pick<Metrics, 'credentialRequests' | 'refusals'>;
}

export const issueCredentialsBody = z.strictObject({
  role: requestedRole.optional(),
  durationSeconds: z.int().min(900).max(43_200).optional(),
});

export function issueCredentials(options: IssueCredentialsOptions): RouteHandler {
  const { exchange, admit, maxBodyBytes, metrics } = options;
  const print = credentialsDocument();
  const count = exchangeCounters(metrics, '/v1/credentials');

  return async function issue(req, res, context: RequestContext) {
    const { plan, issued } = await count(
      exchange(context, async (): Promise<ExchangeRequest> => {
        admit(req);
        requireNoQuery(req);
        const token = bearerToken(req.headers.authorization);
        const body = await readJsonBody(req, {
          schema: issueCredentialsBody,
          maxBytes: maxBodyBytes,
          whenAbsent: {},
        });
        return { token, role: body.role, durationSeconds: body.durationSeconds };
      }),
    );
    if (res.destroyed) throw new BrokerError('request_timeout');
    sendPrintedJson(res, 200, print(issued.session, plan), context.requestId);
  };
}
