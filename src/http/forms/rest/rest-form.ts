/** `POST /v1/credentials`: the REST form of the exchange. */

import { z } from 'zod';
import { maxDurationSeconds, minDurationSeconds } from '../../../core/aws-names.ts';
import type { IssuedSession } from '../../../core/credentials.ts';
import type { ExchangeRequest } from '../../../core/exchange.ts';
import type { SessionPlan } from '../../../core/session/session.ts';
import { toRfc3339 } from '../../../kit/timing/clock.ts';
import type { AdmittedRequest } from '../../admission.ts';
import { bearerToken } from '../../bearer-token.ts';
import { readJsonBody } from '../../json-body.ts';
import { sendProblem } from '../../problem.ts';
import { requireNoQuery } from '../../query.ts';
import { RememberedBodies } from '../../remembered-bodies.ts';
import { requestedRole } from '../../requested-role.ts';
import { exchanging } from '../exchanging.ts';
import { printedOnce } from '../printed-once.ts';
import type { WireForm } from '../wire-form.ts';

const path = '/v1/credentials';

export const restForm: WireForm = {
  route: path,
  paths: [path],
  method: 'POST',
  ownsPaths: false,
  sendError: sendProblem,
  handler(parts) {
    const issue = exchanging(path, parts, printedOnce(documentOf));
    const remembered = new RememberedBodies<IssueCredentialsBody>();
    const readRequest = (req: AdmittedRequest) => read(req, parts.maxBodyBytes, remembered);
    return (arrival, context) => issue(arrival, context, readRequest);
  },
};

export const issueCredentialsBody = z.strictObject({
  role: requestedRole.optional(),
  durationSeconds: z.int().min(minDurationSeconds).max(maxDurationSeconds).optional(),
});

type IssueCredentialsBody = z.output<typeof issueCredentialsBody>;

async function read(
  req: AdmittedRequest,
  maxBytes: number,
  remembered: RememberedBodies<IssueCredentialsBody>,
): Promise<ExchangeRequest> {
  requireNoQuery(req);
  const token = bearerToken(req.headers.authorization);
  const body = await readJsonBody(req, {
    schema: issueCredentialsBody,
    maxBytes,
    whenAbsent: {},
    remembered,
  });
  return { token, role: body.role, durationSeconds: body.durationSeconds };
}

function documentOf(
  { credentials, assumedRoleArn, assumedRoleId }: IssuedSession,
  plan: SessionPlan,
) {
  return {
    credentials: {
      accessKeyId: credentials.accessKeyId,
      secretAccessKey: credentials.secretAccessKey,
      sessionToken: credentials.sessionToken,
      expiration: toRfc3339(credentials.expiresAt),
    },
    assumedRole: { arn: assumedRoleArn, id: assumedRoleId },
    mapping: plan.mappingId,
    role: plan.roleArn,
  };
}
