/**
 * From an untrusted document to a role mapping that can work: shape first, then everything that STS or the
 * decision would refuse later. Rows of the table, bodies of requests and files all come through here.
 */

import type { Fault } from './errors.ts';
import { type RoleMapping, roleMappingSchema } from './role-mapping.ts';
import { checkSessionNameTemplate } from './session-name.ts';
import {
  checkSessionPolicy,
  referencedClaims,
  sessionPolicyBudget,
  worstCaseLength,
} from './session-policy.ts';

export interface MappingRules {
  /** Claims, besides `sub` and `client_id`, that mappings may match or put into a session policy. */
  readonly matchableClaims: ReadonlySet<string>;
}

export type MappingCheck =
  | { readonly kind: 'valid'; readonly mapping: RoleMapping }
  | { readonly kind: 'invalid'; readonly faults: readonly Fault[] };

const alwaysMatchable = ['sub', 'client_id'];

export function checkRoleMapping(document: unknown, rules: MappingRules): MappingCheck {
  const parsed = roleMappingSchema.safeParse(document);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => ({
      pointer: issue.path.map((part) => `/${String(part)}`).join(''),
      detail: issue.message,
    }));
    return { kind: 'invalid', faults };
  }
  const mapping = parsed.data;
  const faults = [
    ...checkEffect(mapping),
    ...checkTimes(mapping),
    ...checkClaims(mapping, rules),
    ...checkSession(mapping),
  ];
  return faults.length === 0 ? { kind: 'valid', mapping } : { kind: 'invalid', faults };
}

function checkEffect({ effect, principal, role }: RoleMapping): Fault[] {
  if (effect === 'deny') return [];
  const faults: Fault[] = [];
  if ('any' in principal) {
    faults.push({
      pointer: '/principal',
      detail: 'an allow must name a client, a user or a group',
    });
  }
  if (role === '*') faults.push({ pointer: '/role', detail: 'an allow must name one role' });
  return faults;
}

function checkTimes({ conditions }: RoleMapping): Fault[] {
  const { notBefore, expiresAt } = conditions;
  if (notBefore === undefined || expiresAt === undefined) return [];
  return Date.parse(notBefore) < Date.parse(expiresAt)
    ? []
    : [{ pointer: '/conditions/expiresAt', detail: 'must be later than notBefore' }];
}

function checkClaims({ conditions, session }: RoleMapping, rules: MappingRules): Fault[] {
  const known = (name: string) => alwaysMatchable.includes(name) || rules.matchableClaims.has(name);
  const detail = 'is not among the claims that configuration lets mappings use';
  const matched = Object.keys(conditions.claims ?? {})
    .filter((name) => !known(name))
    .map((name) => ({ pointer: `/conditions/claims/${name}`, detail }));
  const rendered = [...referencedClaims(session.policy ?? {})]
    .filter((name) => !known(name))
    .map((name) => ({
      pointer: '/session/policy',
      detail: `claim ${JSON.stringify(name)} ${detail}`,
    }));
  return [...matched, ...rendered];
}

function checkSession({ session }: RoleMapping): Fault[] {
  const faults: Fault[] = [];
  if (session.durationSeconds > session.maxDurationSeconds) {
    faults.push({
      pointer: '/session/durationSeconds',
      detail: 'must not exceed maxDurationSeconds',
    });
  }
  const nameFault = checkSessionNameTemplate(session.name);
  if (nameFault !== undefined) faults.push({ pointer: '/session/name', detail: nameFault });
  const arnsLength = session.policyArns.join('').length;
  if (session.policy === undefined) {
    if (arnsLength > sessionPolicyBudget) {
      faults.push({ pointer: '/session/policyArns', detail: 'exceed 2,048 characters together' });
    }
    return faults;
  }
  for (const fault of checkSessionPolicy(session.policy)) {
    faults.push({ pointer: `/session/policy${fault.pointer}`, detail: fault.detail });
  }
  const length = worstCaseLength(session.policy) + arnsLength;
  if (length > sessionPolicyBudget) {
    faults.push({
      pointer: '/session/policy',
      detail: `may grow to ${length} characters with the policy ARNs; STS takes ${sessionPolicyBudget}`,
    });
  }
  return faults;
}
