import { createHash } from 'node:crypto';
import type { Caller } from '../../src/core/caller.ts';
import type { SessionPlan } from '../../src/core/session/session.ts';
import { tokenDigest } from '../../src/core/token-digest.ts';
import { tokenCanary } from './scripted-sts.ts';

export type PlanParts = Partial<Omit<SessionPlan, 'caller'>> & {
  readonly caller?: Partial<Caller>;
};

export interface PlannedCall {
  readonly plan: SessionPlan;
  readonly token: string;
}

/** A plan as the domain makes one, and a token (unsigned) for its caller. `nonce` tells tokens apart. */
export function planned(
  { caller: callerParts, ...parts }: PlanParts = {},
  nonce = '',
): PlannedCall {
  const subject = callerParts?.subject ?? '4abc0exampleclientid';
  const token = ['header', JSON.stringify({ sub: subject, nonce }), tokenCanary]
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');
  const caller: Caller = {
    issuer: 'https://cognito-idp.us-east-1.amazonaws.com/us-east-1_AbCdEf123',
    pool: 'us-east-1_AbCdEf123',
    subject,
    clientId: '4abc0exampleclientid',
    tokenUse: 'access',
    machine: true,
    groups: [],
    scopes: new Set(),
    audience: '4abc0exampleclientid',
    claims: new Map(),
    sessionClaims: '',
    tokenId: undefined,
    originTokenId: undefined,
    tokenSha256: tokenDigest(token),
    issuedAt: 0,
    signedInAt: undefined,
    amr: [],
    expiresAt: Number.MAX_SAFE_INTEGER,
    ...callerParts,
  };
  const plan: SessionPlan = {
    mappingId: 'orders-writer',
    mappingVersion: 1,
    roleArn: 'arn:aws:iam::123456789012:role/broker/orders-writer',
    sessionName: 'orders',
    durationSeconds: 3600,
    policy: undefined,
    policyArns: [],
    identity: undefined,
    attribution: undefined,
    ...parts,
    policySha256:
      parts.policy === undefined
        ? undefined
        : createHash('sha256').update(parts.policy).digest('hex'),
    caller,
  };
  return { plan, token };
}
