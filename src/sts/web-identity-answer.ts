/**
 * An answer of AssumeRoleWithWebIdentity is untrusted until it proves to be for what was asked (T34): the SDK
 * makes a result without credentials out of an empty body or somebody else's HTML page.
 */

import type { AssumeRoleWithWebIdentityCommandOutput } from '@aws-sdk/client-sts';
import { roleArnPattern, sessionKeyPatterns } from '../core/aws-names.ts';
import type { IssuedSession } from '../core/credentials.ts';
import type { AnswerDefect } from '../core/errors.ts';
import { boundedMap } from '../kit/calls/bounded-map.ts';
import { requestIdIn } from './answer-request-id.ts';
import { badResponse, type StsFailure } from './sts-errors.ts';
import type { WebIdentityRequest } from './web-identity-request.ts';

export type StsAnswer = { readonly kind: 'issued'; readonly session: IssuedSession } | StsFailure;

/** `now` is epoch milliseconds at which the answer arrived. */
export function readAnswer(
  output: AssumeRoleWithWebIdentityCommandOutput,
  plan: WebIdentityRequest,
  now: number,
): StsAnswer {
  const { Credentials: credentials, AssumedRoleUser: user } = output;
  const requestId = requestIdIn(output.$metadata.requestId);
  const fields: Record<Field, unknown> = {
    access_key_id: credentials?.AccessKeyId,
    secret_access_key: credentials?.SecretAccessKey,
    session_token: credentials?.SessionToken,
    assumed_role_id: user?.AssumedRoleId,
  };
  const expiresAt =
    credentials?.Expiration instanceof Date ? credentials.Expiration.getTime() : NaN;
  const expectedArn = assumedRoleArn(plan);
  const subject = output.SubjectFromWebIdentityToken;
  const audience = informative(output.Audience);
  const provider = informative(output.Provider);
  const defect =
    malformedField(fields) ??
    expirationDefect(expiresAt, plan, now) ??
    (user?.Arn === expectedArn ? undefined : 'assumed_role_arn') ??
    (String(fields.assumed_role_id).endsWith(`:${plan.sessionName}`)
      ? undefined
      : 'assumed_role_id') ??
    (subject === undefined || subject === plan.caller.subject ? undefined : 'subject');
  if (defect !== undefined) return badResponse(defect, requestId);
  return {
    kind: 'issued',
    session: Object.freeze({
      credentials: Object.freeze({
        accessKeyId: fields.access_key_id as string,
        secretAccessKey: fields.secret_access_key as string,
        sessionToken: fields.session_token as string,
        expiresAt,
      }),
      assumedRoleArn: expectedArn,
      assumedRoleId: fields.assumed_role_id as string,
      // What is the same text is kept once.
      subject: subject && plan.caller.subject,
      audience: audience === plan.caller.audience ? plan.caller.audience : audience,
      provider: provider && sharedProvider(provider),
      packedPolicySize: Number.isInteger(output.PackedPolicySize)
        ? output.PackedPolicySize
        : undefined,
      stsRequestId: requestId,
      issuedAt: now,
    }),
  };
}

/** The role's path is not part of it (IAM user guide, "IAM identifiers"). */
function assumedRoleArn({ roleArn, sessionName }: WebIdentityRequest): string {
  const [, partition, account, , roleName] = roleArnPattern.exec(roleArn) ?? [];
  return `arn:${partition}:sts::${account}:assumed-role/${roleName}/${sessionName}`;
}

type Field = keyof typeof shapes;

const shapes = {
  access_key_id: sessionKeyPatterns.accessKeyId,
  secret_access_key: sessionKeyPatterns.secretAccessKey,
  session_token: sessionKeyPatterns.sessionToken,
  assumed_role_id: /^[A-Za-z0-9_+=,.@:-]{2,193}$/,
} as const;

function malformedField(fields: Readonly<Record<Field, unknown>>): Field | undefined {
  for (const name of Object.keys(shapes) as Field[]) {
    const shape = shapes[name];
    const value = fields[name];
    if (typeof value !== 'string' || !shape.test(value)) return name;
  }
  return undefined;
}

const shortestRemainingMs = 60_000;
const skewAllowanceMs = 5 * 60_000;

function expirationDefect(
  expiresAt: number,
  plan: WebIdentityRequest,
  now: number,
): AnswerDefect | undefined {
  const latest = now + plan.durationSeconds * 1000 + skewAllowanceMs;
  if (!(expiresAt > now + shortestRemainingMs)) return 'expiration_too_early';
  return expiresAt <= latest ? undefined : 'expiration_too_late';
}

/** An account has few, and each answer brings a text of its own. */
const providers = boundedMap<string>(256);

function sharedProvider(provider: string): string {
  const known = providers.get(provider);
  if (known === undefined) providers.set(provider, provider);
  return known ?? provider;
}

/** Goes into the audit record at most: nothing is decided by it. */
function informative(value: unknown): string | undefined {
  return typeof value === 'string' && /^[\x20-\x7e]{1,2048}$/.test(value) ? value : undefined;
}
