/**
 * The parameters of AssumeRoleWithWebIdentity (AWS STS API reference). A message names the parameter and the
 * rule, and never the value: it may be a token that stands in the wrong place.
 */

import { z } from 'zod';
import {
  maxDurationSeconds,
  minDurationSeconds,
  sessionNamePattern,
} from '../../../core/aws-names.ts';
import { BrokerError } from '../../../core/errors.ts';
import type { ExchangeRequest } from '../../../core/exchange.ts';
import { webIdentityAction } from '../../../sts-protocol/answers.ts';
import type { QueryParameters } from '../../../sts-protocol/query-form.ts';
import { requestedRole } from '../../requested-role.ts';
import { isMadeUpSessionName } from './made-up-session-name.ts';
import { requireOperation } from './operation.ts';

/** @throws BrokerError `action_unknown` or `body_invalid`. */
export function webIdentityRequest(parameters: QueryParameters): ExchangeRequest {
  requireOperation(parameters, webIdentityAction);
  const { policyArns, others } = withoutPolicyArns(parameters);
  const parsed = webIdentityForm.safeParse(Object.fromEntries(others));
  if (!parsed.success) throw invalid(parsed.error.issues);
  const { RoleArn, RoleSessionName, WebIdentityToken, Policy, DurationSeconds } = parsed.data;
  return {
    // SDKs send the token's file as it is, and editors end files with a line feed. Looked for from the first of
    // several only: from each of them it would take quadratic time.
    token: WebIdentityToken.replace(/(?<![\r\n])[\r\n]+$/, ''),
    role: RoleArn,
    durationSeconds: DurationSeconds,
    sessionName: isMadeUpSessionName(RoleSessionName) ? undefined : RoleSessionName,
    policy: Policy,
    policyArns,
  };
}

const required = z.string('Member must not be null');

const webIdentityForm = z.strictObject({
  Action: z.string(),
  Version: z.string(),
  RoleArn: required.refine((role) => requestedRole.safeParse(role).success, {
    error: 'Member must be the ARN of a role or the id of a role mapping',
  }),
  RoleSessionName: required.regex(sessionNamePattern, {
    error: 'Member must satisfy regular expression pattern: [\\w+=,.@-]{2,64}',
  }),
  WebIdentityToken: required
    .min(4, 'Member must have length greater than or equal to 4')
    .max(20_000, 'Member must have length less than or equal to 20000'),
  ProviderId: z.never('Member must be null: OpenID Connect providers have no such id').optional(),
  Policy: z.string().min(1, 'Member must have length greater than or equal to 1').optional(),
  DurationSeconds: z
    .string()
    .regex(/^\d{1,6}$/, 'Member must be an integer')
    .transform(Number)
    .refine((seconds) => seconds >= minDurationSeconds, {
      error: `Member must have value greater than or equal to ${minDurationSeconds}`,
    })
    .refine((seconds) => seconds <= maxDurationSeconds, {
      error: `Member must have value less than or equal to ${maxDurationSeconds}`,
    })
    .optional(),
  // Equal requests share a session, so its token has the size that STS gave it.
  MinimumSessionTokenSize: z.literal('0', 'Member must have value 0').optional(),
});

const policyArnName = /^PolicyArns\.member\.([1-9]\d{0,2})\.arn$/;

function withoutPolicyArns(parameters: QueryParameters) {
  const policyArns: [position: number, arn: string][] = [];
  const others = new Map(parameters);
  for (const [name, value] of parameters) {
    const position = policyArnName.exec(name)?.[1];
    if (position !== undefined) policyArns.push([Number(position), value]);
    // An empty list is printed as an empty parameter.
    if (position !== undefined || (name === 'PolicyArns' && value === '')) others.delete(name);
  }
  policyArns.sort(([a], [b]) => a - b);
  return { policyArns: policyArns.map(([, arn]) => arn), others };
}

/** In the words of STS, which lists everything at once. */
function invalid(issues: readonly z.core.$ZodIssue[]): BrokerError {
  const violations = issues.map((issue) =>
    issue.code === 'unrecognized_keys'
      ? `The request has parameters that ${webIdentityAction} does not take`
      : `Value at '${memberName(issue)}' failed to satisfy constraint: ${issue.message}`,
  );
  const noun = violations.length === 1 ? 'error' : 'errors';
  return new BrokerError('body_invalid', {
    detail: `${violations.length} validation ${noun} detected: ${violations.join('; ')}.`,
  });
}

/** `RoleArn` → `roleArn`, as STS writes it. */
function memberName({ path }: z.core.$ZodIssue): string {
  return String(path[0]).replace(/^[A-Z]/, (initial) => initial.toLowerCase());
}
