/** Callers, role mappings and snapshots as the domain knows them: defaults that a test changes where it matters. */

import type { Caller } from '../../src/core/caller.ts';
import type { ClaimValue } from '../../src/core/claim-value.ts';
import type { Fault } from '../../src/core/fault.ts';
import { type Decision, decide, type RoleRequest } from '../../src/core/policy/decide.ts';
import { type KnownAround, mappingWarnings } from '../../src/core/policy/mapping-warnings.ts';
import { compileSnapshot, type PolicySnapshot } from '../../src/core/policy/policy-snapshot.ts';
import {
  type RoleMapping,
  type RoleMappingInput,
  roleMappingSchema,
} from '../../src/core/policy/role-mapping.ts';
import { tokenDigest } from '../../src/core/token-digest.ts';
import { atOnce } from '../../src/kit/timing/in-turns.ts';

export const domainPool = 'us-east-1_AbCdEf123';
export const otherPool = 'eu-west-1_ZyXwVu987';
export const domainNow = Date.UTC(2026, 0, 15, 12, 0, 0);

export type CallerParts = Partial<Omit<Caller, 'claims'>> & {
  /** Beyond `sub` and `client_id`, which are always there. */
  readonly claims?: Readonly<Record<string, ClaimValue>>;
};

/** A user with an access token. */
export function caller({ claims, ...parts }: CallerParts = {}): Caller {
  const identity = {
    issuer: `https://cognito-idp.us-east-1.amazonaws.com/${domainPool}`,
    pool: domainPool,
    subject: '7d8e2a5c-1111-4222-8333-944445555666',
    clientId: '4abc0exampleclientid',
    ...parts,
  };
  const { subject, clientId }: Pick<Caller, 'subject' | 'clientId'> = identity;
  return {
    tokenUse: 'access',
    machine: false,
    groups: [],
    scopes: new Set(),
    audience: clientId,
    sessionClaims: '',
    tokenId: undefined,
    originTokenId: undefined,
    tokenSha256: tokenDigest(`${subject} ${clientId}`),
    issuedAt: domainNow,
    signedInAt: undefined,
    amr: [],
    expiresAt: domainNow + 3_600_000,
    ...identity,
    claims: new Map(
      Object.entries({
        ...claims,
        sub: subject,
        ...(clientId === undefined ? {} : { client_id: clientId }),
      }),
    ),
  };
}

/** The app client itself, by the client-credentials grant: its `sub` is its client id. */
export function machineCaller(parts: CallerParts = {}): Caller {
  const clientId = parts.clientId ?? '4abc0exampleclientid';
  return caller({ ...parts, clientId, subject: clientId, machine: true });
}

/** A reference to a claim, as session policies write it. */
export function claimRef(name: string): string {
  return `\${claim:${name}}`;
}

export function roleArn(name: string): string {
  return `arn:aws:iam::123456789012:role/broker/${name}`;
}

/** A document that passes every check, for the app client of `caller()`. */
export function mappingDocument(
  id: string,
  fields: Partial<RoleMappingInput> = {},
): RoleMappingInput {
  return {
    id,
    principal: { pool: domainPool, client: '4abc0exampleclientid' },
    effect: 'allow',
    role: roleArn(id),
    owner: 'payments-platform',
    ...fields,
  };
}

export function mapping(id: string, fields: Partial<RoleMappingInput> = {}): RoleMapping {
  return roleMappingSchema.parse(mappingDocument(id, fields));
}

export function snapshotOf(...mappings: readonly RoleMapping[]): PolicySnapshot {
  return compileSnapshot(
    7,
    mappings.map((one) => ({ mapping: one, version: 1 })),
  );
}

/** Of one mapping, with nothing configured unless said otherwise. */
export function warningsOf(one: RoleMapping, around: Partial<KnownAround> = {}): readonly Fault[] {
  const known = { snapshot: undefined, pools: undefined, now: domainNow, ...around };
  return atOnce(mappingWarnings([one], known)).flat();
}

export interface Asking extends Partial<RoleRequest> {
  readonly policy: readonly RoleMapping[];
  readonly by?: Caller;
  readonly now?: number;
}

/** One decision, from 192.0.2.7 at `domainNow` unless said otherwise. */
export function ask({ policy, by = caller(), now = domainNow, ...request }: Asking): Decision {
  const defaults = { role: undefined, durationSeconds: undefined, sourceIp: '192.0.2.7' };
  return decide(snapshotOf(...policy), by, { ...defaults, ...request }, now);
}

/** The decision in a few words: which mapping allows, why not, or among which to choose. */
export function verdictOf(decision: Decision): string {
  switch (decision.kind) {
    case 'allow':
      return `allow ${decision.mapping.mapping.id}`;
    case 'deny':
      return decision.mapping === undefined
        ? `deny ${decision.reason}`
        : `deny ${decision.reason} ${decision.mapping.mapping.id}`;
    case 'ambiguous':
      return `ambiguous ${decision.choices.map(({ mapping: { id } }) => id).join(' ')}`;
    case 'duration_not_allowed':
      return `duration_not_allowed ${decision.mapping.mapping.id}`;
  }
}
