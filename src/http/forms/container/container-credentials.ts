/**
 * `GET /v1/credentials` and `GET /v1/credentials/{role}`: the container-credentials protocol, by which AWS SDKs
 * fetch credentials when AWS_CONTAINER_CREDENTIALS_FULL_URI names this service (AWS SDKs and Tools Reference
 * Guide, "Container credential provider").
 */

import type { Request } from 'express';
import { z } from 'zod';
import { BrokerError } from '../../../core/errors.ts';
import type { Exchange } from '../../../core/exchange.ts';
import { roleMappingSchema } from '../../../core/policy/role-mapping.ts';
import type { Metrics } from '../../../telemetry/metrics.ts';
import type { Admission } from '../../admission.ts';
import { bearerTokenOrJwt } from '../../bearer-token.ts';
import type { RouteHandler } from '../../instrument.ts';
import { readQuery, requireNoQuery } from '../../query.ts';
import { requestedRole } from '../../requested-role.ts';
import { sendPrintedJson } from '../../send-json.ts';
import { containerCredentialsDocument } from '../credentials-document.ts';
import { exchangeCounters } from '../exchange-counters.ts';

/** One name in metrics and audit records for all ways to say which role is meant. */
export const containerCredentialsRoute = 'GET /v1/credentials';

export interface ContainerCredentialsOptions {
  readonly exchange: Exchange;
  readonly admit: Admission;
  readonly metrics: Pick<Metrics, 'credentialRequests' | 'refusals'>;
}

export function containerCredentials(options: ContainerCredentialsOptions): RouteHandler {
  const { exchange, admit, metrics } = options;
  const print = containerCredentialsDocument();
  const count = exchangeCounters(metrics, containerCredentialsRoute);

  return async function issue(req, res, context) {
    const { plan, issued } = await count(
      exchange(context, () => {
        admit(req);
        const role = roleOf(req);
        const token = bearerTokenOrJwt(req.headers.authorization);
        return { token, role, durationSeconds: undefined };
      }),
    );
    if (res.destroyed) throw new BrokerError('request_timeout');
    sendPrintedJson(res, 200, print(issued.session, plan), context.requestId);
  };
}

const roleQuery = z.strictObject({ role: requestedRole.optional() });

function roleOf(req: Request): string | undefined {
  const inPath = req.params['role'];
  if (inPath === undefined) return readQuery(req, roleQuery).role;
  requireNoQuery(req);
  const id = roleMappingSchema.shape.id.safeParse(inPath);
  if (id.success) return id.data;
  throw new BrokerError('route_not_found', {
    detail: 'The last segment is the id of a role mapping. Name the ARN of a role with ?role=.',
  });
}
