/**
 * `GET /v1/credentials` and `GET /v1/credentials/{role}`: the container-credentials protocol, by which AWS SDKs
 * fetch credentials when AWS_CONTAINER_CREDENTIALS_FULL_URI names this service (AWS SDKs and Tools Reference
 * Guide, "Container credential provider").
 */

import { z } from 'zod';
import { accountOf } from '../../../core/aws-names.ts';
import type { IssuedSession } from '../../../core/credentials.ts';
import { BrokerError } from '../../../core/errors.ts';
import type { ExchangeRequest } from '../../../core/exchange.ts';
import { roleMappingSchema } from '../../../core/policy/role-mapping.ts';
import type { SessionPlan } from '../../../core/session/session.ts';
import { toRfc3339 } from '../../../kit/timing/clock.ts';
import type { AdmittedRequest } from '../../admission.ts';
import { bearerTokenOrJwt } from '../../bearer-token.ts';
import { readQuery, requireNoQuery } from '../../query.ts';
import { requestedRole } from '../../requested-role.ts';
import { exchanging } from '../exchanging.ts';
import { printedOnce } from '../printed-once.ts';
import type { WireForm } from '../wire-form.ts';
import { sendContainerError } from './container-error.ts';

/** For all ways to say which role is meant. */
const route = 'GET /v1/credentials';

export const containerForm: WireForm = {
  route,
  paths: ['/v1/credentials', '/v1/credentials/:role'],
  method: 'GET',
  ownsPaths: false,
  sendError: sendContainerError,
  handler(parts) {
    const issue = exchanging(route, parts, printedOnce(documentOf));
    return (arrival, context) => issue(arrival, context, read);
  },
};

function read(req: AdmittedRequest): ExchangeRequest {
  const role = roleOf(req);
  const token = bearerTokenOrJwt(req.headers.authorization);
  return { token, role, durationSeconds: undefined };
}

const roleQuery = z.strictObject({ role: requestedRole.optional() });

function roleOf(req: AdmittedRequest): string | undefined {
  const inPath = req.params['role'];
  if (inPath === undefined) return readQuery(req, roleQuery).role;
  requireNoQuery(req);
  const id = roleMappingSchema.shape.id.safeParse(inPath);
  if (id.success) return id.data;
  throw new BrokerError('route_not_found', {
    detail: 'The last segment is the id of a role mapping. Name the ARN of a role with ?role=.',
  });
}

/** As the AWS SDKs read it. */
function documentOf({ credentials }: IssuedSession, { roleArn }: SessionPlan) {
  return {
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    Token: credentials.sessionToken,
    Expiration: toRfc3339(credentials.expiresAt),
    AccountId: accountOf(roleArn),
    RoleArn: roleArn,
  };
}
