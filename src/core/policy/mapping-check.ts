/**
 * From an untrusted document to a role mapping that can work: shape first, then everything that STS or the
 * decision would refuse later. Rows of the table, bodies of requests and files all come through here.
 */

import type { z } from 'zod';
import { issueWords } from '../../kit/json/issue-words.ts';
import type { JsonObject } from '../../kit/json/json-object.ts';
import { escapePointer, jsonPointer } from '../../kit/json/json-pointer.ts';
import { closestName } from '../../kit/text/closest-name.ts';
import { partitionOf } from '../aws-names.ts';
import type { Fault } from '../fault.ts';
import { attributedClaims, checkAttribution, hasAttribution } from '../session/attribution.ts';
import { checkSessionPolicy } from '../session/policy-grammar/document.ts';
import { checkSessionNameTemplate } from '../session/session-name.ts';
import {
  referencedClaims,
  sessionPolicyBudget,
  worstCaseLength,
} from '../session/session-policy.ts';
import type { IdentityForm } from '../session/session-settings.ts';
import { refusedConditions } from './conditions/conditions.ts';
import { freezeId, isFreezeId } from './freeze.ts';
import { checkGuardrails, type Guardrails } from './guardrails.ts';
import { type KnownPools, unreachable } from './mapping-reach.ts';
import { type RoleMapping, roleMappingSchema } from './role-mapping.ts';
import { usualMapping } from './usual-mapping.ts';

export interface MappingRules {
  /** Claims, besides `sub` and `client_id`, that mappings may match or put into a session policy. */
  readonly matchableClaims: ReadonlySet<string>;
  readonly guardrails: Guardrails;
  /** Absent where no configuration says. */
  readonly webIdentity?: WebIdentityRules | undefined;
}

export interface WebIdentityRules {
  /** Of mappings that do not say. */
  readonly byDefault: IdentityForm;
  /** Whether this broker has a key to issue tokens with. */
  readonly brokerIssues: boolean;
}

/** Of those who write: what is in the table already goes on as it is, denies above all. */
export interface WritingRules extends MappingRules {
  /** Undefined where no configuration says which there are. */
  readonly pools: KnownPools | undefined;
}

export type MappingCheck =
  | { readonly kind: 'valid'; readonly mapping: RoleMapping }
  | { readonly kind: 'invalid'; readonly faults: readonly Fault[] };

const alwaysMatchable = ['sub', 'client_id'];
const plainName = /^[A-Za-z0-9_:.-]{1,128}$/;

export function checkRoleMapping(document: unknown, rules: MappingRules): MappingCheck {
  const structureFault = checkStructure(document);
  if (structureFault !== undefined) return { kind: 'invalid', faults: [structureFault] };
  const usual = usualMapping(document);
  if (usual !== undefined) return judged(usual, rules);
  const parsed = roleMappingSchema.safeParse(document, { error: words });
  if (!parsed.success) return { kind: 'invalid', faults: parsed.error.issues.flatMap(faultsOf) };
  return judged(parsed.data, rules);
}

function judged(mapping: RoleMapping, rules: MappingRules): MappingCheck {
  const faults = [
    ...checkId(mapping),
    ...checkEffect(mapping),
    ...checkGuardrails(mapping, rules.guardrails),
    ...checkTimes(mapping),
    ...checkClaims(mapping, rules),
    ...checkSession(mapping),
    ...checkIdentity(mapping, rules),
  ];
  return faults.length === 0 ? { kind: 'valid', mapping } : { kind: 'invalid', faults };
}

/** What may be written: beyond what can work, it matches somebody, and under the id of a freeze it is one. */
export function checkNewMapping(document: unknown, rules: WritingRules): MappingCheck {
  const check = checkRoleMapping(document, rules);
  if (check.kind === 'invalid') return check;
  const faults = [...checkFreeze(check.mapping), ...checkReach(check.mapping, rules)];
  return faults.length === 0 ? check : { kind: 'invalid', faults };
}

const maxDepth = 16;
const maxNodes = 10_000;

/**
 * Before anything walks the document by recursion. A member named `__proto__` would be dropped by the schema
 * without a word, and a condition with it.
 */
function checkStructure(document: unknown): Fault | undefined {
  const detail = structureFault(document, { nodes: 0 }, 0);
  return detail === undefined ? undefined : { pointer: '', detail };
}

/** Stops at the first fault, so that it goes no deeper than is allowed and sees no more than is allowed. */
function structureFault(node: unknown, seen: { nodes: number }, depth: number): string | undefined {
  seen.nodes += 1;
  if (depth > maxDepth) return 'is nested too deeply';
  if (seen.nodes > maxNodes) return 'has too many members';
  if (typeof node !== 'object' || node === null) return undefined;
  if (Object.hasOwn(node, '__proto__')) return 'has a member that is not allowed: __proto__';
  for (const name in node) {
    const fault = structureFault((node as JsonObject)[name], seen, depth + 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

const words = issueWords('an object with members of its own');

/** Members of the objects within a mapping. */
const sections: Readonly<Record<string, object>> = {
  conditions: roleMappingSchema.shape.conditions.unwrap().shape,
  session: roleMappingSchema.shape.session.unwrap().shape,
};

export function faultsOf(issue: z.core.$ZodIssue): Fault[] {
  const pointer = jsonPointer(issue.path);
  if (issue.code !== 'unrecognized_keys') return [{ pointer, detail: issue.message }];
  const [section] = issue.path;
  const known = Object.keys(
    section === undefined ? roleMappingSchema.shape : (sections[String(section)] ?? {}),
  );
  return issue.keys.map((key) => {
    const meant = closestName(key, known);
    const hint = meant === undefined ? '' : `: did you mean ${meant}?`;
    return {
      pointer: `${pointer}/${escapePointer(key)}`,
      detail: `is not a member of a role mapping${hint}`,
    };
  });
}

/** Whoever may only freeze replaces whatever has the id of the freeze: nothing else may hide there. */
function checkId({ id, effect, principal, role }: RoleMapping): Fault[] {
  if (!isFreezeId(id) || (effect === 'deny' && id === freezeId({ principal, role }))) return [];
  return [{ pointer: '/id', detail: 'is kept for the freeze of another principal or role' }];
}

/** Under its id nothing weaker than the freeze is written (T95). */
function checkFreeze({ id, enabled, conditions }: RoleMapping): Fault[] {
  if (!isFreezeId(id)) return [];
  const lifting = 'lift it with DELETE /v1/freezes/{id} if it is over';
  const faults: Fault[] = Object.keys(conditions).map((name) => ({
    pointer: `/conditions/${name}`,
    detail: `would weaken a freeze, which has no conditions: ${lifting}`,
  }));
  if (!enabled) faults.push({ pointer: '/enabled', detail: `a freeze is in force: ${lifting}` });
  return faults;
}

function checkReach(mapping: RoleMapping, { pools }: WritingRules): Fault[] {
  if (pools === undefined) return [];
  return unreachable(mapping, pools)
    .filter(({ mendedBy }) => mapping.effect === 'deny' || mendedBy === 'mapping')
    .map(({ pointer, detail }) => ({ pointer, detail }));
}

function checkEffect(mapping: RoleMapping): Fault[] {
  const { effect, principal, role } = mapping;
  if (effect === 'deny') {
    const detail = 'is for allows: a deny gives no session';
    const { callerPolicy, identity, tags, transitiveTags, sourceIdentity } = mapping.session;
    const asked = {
      callerPolicy: callerPolicy || undefined,
      identity,
      tags,
      transitiveTags,
      sourceIdentity,
    };
    const session: Fault[] = Object.entries(asked)
      .filter(([, value]) => value !== undefined)
      .map(([name]): Fault => ({ pointer: `/session/${name}`, detail }));
    return [...refusedConditions(mapping), ...session];
  }
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

export function checkTimes({ conditions }: Pick<RoleMapping, 'conditions'>): Fault[] {
  const { notBefore, expiresAt } = conditions;
  if (notBefore === undefined || expiresAt === undefined) return [];
  return Date.parse(notBefore) < Date.parse(expiresAt)
    ? []
    : [{ pointer: '/conditions/expiresAt', detail: 'must be later than notBefore' }];
}

function checkClaims({ conditions, session }: RoleMapping, rules: MappingRules): Fault[] {
  const known = (name: string) => alwaysMatchable.includes(name) || rules.matchableClaims.has(name);
  const detail = 'is not among the claims that configuration lets mappings use';
  const matched: Fault[] = Object.keys(conditions.claims ?? {})
    .filter((name) => !known(name))
    .map((name) => ({ pointer: `/conditions/claims/${escapePointer(name)}`, detail }));
  const rendered: Fault[] = [...referencedClaims(session.policy ?? {})]
    .filter((name) => !known(name))
    .map((name) => ({
      pointer: '/session/policy',
      detail: `${plainName.test(name) ? `claim "${name}"` : 'a claim'} ${detail}`,
    }));
  const attributed: Fault[] = [...attributedClaims(session)]
    .filter(([name]) => !known(name))
    .map(([name, pointer]) => {
      return { pointer: `/session${pointer}`, detail: `claim "${name}" ${detail}` };
    });
  return [...matched, ...rendered, ...attributed];
}

function checkSession({ role, session }: RoleMapping): Fault[] {
  const faults: Fault[] = [];
  if (session.durationSeconds > session.maxDurationSeconds) {
    faults.push({
      pointer: '/session/durationSeconds',
      detail: 'must not exceed maxDurationSeconds',
    });
  }
  const nameFault = checkSessionNameTemplate(session.name);
  if (nameFault !== undefined) faults.push({ pointer: '/session/name', detail: nameFault });
  return [...faults, ...checkPolicies(session, partitionOf(role))];
}

/** STS learns of these from the token alone, and of the caller's own the caller's issuer decides what it says. */
function checkIdentity(
  { effect, role, session }: RoleMapping,
  { webIdentity }: MappingRules,
): Fault[] {
  // That its members are not for denies is said already.
  if (effect === 'deny') return [];
  const identity = session.identity ?? webIdentity?.byDefault;
  const faults: Fault[] = checkAttribution(session).map(({ pointer, detail }) => {
    return { pointer: `/session${pointer}`, detail };
  });
  if (identity === 'broker' && webIdentity?.brokerIssues === false) {
    const detail = 'needs webIdentity in the configuration: this broker issues no tokens';
    faults.push({ pointer: '/session/identity', detail });
  }
  if (identity === 'caller' && hasAttribution(session)) {
    const detail =
      'must be broker for tags, transitiveTags and sourceIdentity: only a token that the broker issues can carry them';
    faults.push({ pointer: '/session/identity', detail });
  }
  if (identity === 'broker' && role.includes(';')) {
    // It parts the roles in the claim that binds a token to its one role.
    const detail = 'may have no ";" in its path with the identity of the broker';
    faults.push({ pointer: '/role', detail });
  }
  return faults;
}

function checkPolicies(session: RoleMapping['session'], partition: string | undefined): Fault[] {
  const faults: Fault[] = [];
  const hasPolicy = session.policy !== undefined || session.policyArns.length > 0;
  if (session.callerPolicy === true && hasPolicy) {
    faults.push({
      pointer: '/session/callerPolicy',
      // STS takes the union of all session policies.
      detail:
        'cannot stand beside session.policy or session.policyArns: the policy of a caller would widen them',
    });
  }
  const arnsLength = session.policyArns.join('').length;
  if (session.policy === undefined) {
    if (arnsLength > sessionPolicyBudget) {
      faults.push({ pointer: '/session/policyArns', detail: 'exceed 2,048 characters together' });
    }
    return faults;
  }
  for (const fault of checkSessionPolicy(session.policy, partition)) {
    faults.push({ pointer: `/session/policy${fault.pointer}`, detail: fault.detail });
  }
  const length = worstCaseLength(session.policy, sessionPolicyBudget - arnsLength) + arnsLength;
  if (length > sessionPolicyBudget) {
    faults.push({
      pointer: '/session/policy',
      detail: `may grow to ${length} characters with the policy ARNs; STS takes ${sessionPolicyBudget}`,
    });
  }
  return faults;
}
