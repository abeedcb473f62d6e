/**
 * May this caller have this role now? A pure function of snapshot, caller, request and time.
 *
 * An explicit deny that matches wins over everything, whatever the order of rows. There is no default role
 * and no fallback: what no allow names is denied. Who names a mapping names its role: of the mappings that permit
 * it the most specific one counts, however it is named.
 */

import { minDurationSeconds } from '../aws-names.ts';
import type { Caller } from '../caller.ts';
import { planSession, type SessionPlan } from '../session/session.ts';
import type { CompiledMapping } from './compiled-mapping.ts';
import { failedCondition } from './conditions/conditions.ts';
import type { DenyReason } from './deny-reasons.ts';
import type { PolicySnapshot } from './policy-snapshot.ts';
import { roleKey } from './role-key.ts';

export interface RoleRequest {
  /**
   * Id of a mapping, which stands for its role where that mapping permits it, or ARN of a role; undefined asks for
   * the only role that is allowed.
   */
  readonly role: string | undefined;
  readonly durationSeconds: number | undefined;
  /** Address that the request came from, as text. */
  readonly sourceIp: string;
}

export type Decision =
  | { readonly kind: 'allow'; readonly mapping: CompiledMapping; readonly session: SessionPlan }
  | {
      readonly kind: 'deny';
      readonly reason: DenyReason;
      /** The deny that matched, or an allow that came near. */
      readonly mapping: CompiledMapping | undefined;
    }
  | { readonly kind: 'ambiguous'; readonly choices: readonly CompiledMapping[] }
  | { readonly kind: 'duration_not_allowed'; readonly mapping: CompiledMapping };

export function decide(
  snapshot: PolicySnapshot,
  caller: Caller,
  request: RoleRequest,
  now: number,
): Decision {
  const { permitted, denied, nearMiss } = weigh(snapshot, caller, request, now);
  if (permitted.length === 0) {
    if (denied !== undefined) return { kind: 'deny', reason: 'explicit_deny', mapping: denied };
    return nearMiss === undefined
      ? { kind: 'deny', reason: 'no_mapping', mapping: undefined }
      : { kind: 'deny', ...nearMiss };
  }
  const perRole = mostSpecificPerRole(permitted);
  const chosen = perRole[0];
  if (chosen === undefined || perRole.length > 1) return { kind: 'ambiguous', choices: perRole };
  return grant(chosen, caller, request.durationSeconds);
}

/** The mappings by which this caller gets roles right now: one for each role, by id. */
export function permittedMappings(
  snapshot: PolicySnapshot,
  caller: Caller,
  sourceIp: string,
  now: number,
): readonly CompiledMapping[] {
  const request = { role: undefined, durationSeconds: undefined, sourceIp };
  return mostSpecificPerRole(weigh(snapshot, caller, request, now).permitted);
}

/**
 * Whether a session that was granted before may still be kept for its caller: the mapping is as it was, and no
 * deny stands against it, whatever that deny's conditions are.
 */
export function mayBeKept(snapshot: PolicySnapshot, plan: SessionPlan): boolean {
  const granting = snapshot.byId.get(plan.mappingId);
  if (granting?.version !== plan.mappingVersion || !granting.mapping.enabled) return false;
  return !snapshot
    .mappingsFor(plan.caller)
    .some((candidate) => candidate.effect === 'deny' && covers(candidate, granting));
}

interface Weighing {
  readonly permitted: readonly CompiledMapping[];
  /** A deny that took away an allow. */
  readonly denied: CompiledMapping | undefined;
  /** An allow of which only a condition failed. */
  readonly nearMiss: { readonly reason: DenyReason; readonly mapping: CompiledMapping } | undefined;
}

function weigh(
  snapshot: PolicySnapshot,
  caller: Caller,
  request: RoleRequest,
  now: number,
): Weighing {
  const wanted = wantedRole(snapshot, request.role);
  const facts = { caller, sourceIp: request.sourceIp, now };
  const denies: CompiledMapping[] = [];
  const allows: CompiledMapping[] = [];
  let nearMiss: Weighing['nearMiss'];
  for (const candidate of snapshot.mappingsFor(caller)) {
    const denying = candidate.effect === 'deny';
    if (!denying && !isForRole(candidate, wanted)) continue;
    const reason = failedCondition(candidate.checks, facts);
    if (reason === undefined) (denying ? denies : allows).push(candidate);
    else if (!denying && isNamed(candidate, wanted)) {
      nearMiss = nearer(nearMiss, { reason, mapping: candidate });
    }
  }
  const { permitted, denied } = subtract(asNamed(allows, wanted), denies);
  return { permitted, denied, nearMiss };
}

/** An id stands for the role of its mapping only for those whom that mapping permits it. */
function asNamed(allows: readonly CompiledMapping[], wanted: WantedRole) {
  return allows.some((allow) => isNamed(allow, wanted)) ? allows : [];
}

interface WantedRole {
  /** Undefined: any role. */
  readonly key: string | undefined;
  /** Of the mapping that was named. */
  readonly id: string | undefined;
}

const anyRole: WantedRole = { key: undefined, id: undefined };

function wantedRole({ byId }: PolicySnapshot, role: string | undefined): WantedRole {
  if (role === undefined) return anyRole;
  const named = byId.get(role);
  return named === undefined
    ? { key: roleKey(role), id: undefined }
    : { key: named.roleKey, id: role };
}

function isForRole(allow: CompiledMapping, { key }: WantedRole): boolean {
  return key === undefined || key === allow.roleKey;
}

/** Of those for the wanted role. */
function isNamed({ mapping }: CompiledMapping, { id }: WantedRole): boolean {
  return id === undefined || id === mapping.id;
}

function subtract(allows: readonly CompiledMapping[], denies: readonly CompiledMapping[]) {
  if (denies.length === 0) return { permitted: allows, denied: undefined };
  const permitted = allows.filter((allow) => !denies.some((deny) => covers(deny, allow)));
  const [denied] = denies
    .filter((deny) => allows.some((allow) => covers(deny, allow)))
    .sort((a, b) => (precedes(a, b) ? -1 : 1));
  return { permitted, denied };
}

/** Which near miss is told must not depend on the order of rows either. */
function nearer(known: Weighing['nearMiss'], found: NonNullable<Weighing['nearMiss']>) {
  return known === undefined || precedes(found.mapping, known.mapping) ? found : known;
}

export function covers(deny: CompiledMapping, allow: CompiledMapping): boolean {
  return deny.mapping.role === '*' || deny.roleKey === allow.roleKey;
}

function mostSpecificPerRole(allows: readonly CompiledMapping[]): readonly CompiledMapping[] {
  if (allows.length < 2) return allows;
  const best = new Map<string, CompiledMapping>();
  for (const allow of allows) {
    const rival = best.get(allow.roleKey);
    if (rival === undefined || precedes(allow, rival)) best.set(allow.roleKey, allow);
  }
  // What the caller is told to choose from must not depend on the order of rows either.
  return [...best.values()].sort((a, b) => (a.mapping.id < b.mapping.id ? -1 : 1));
}

/** Of two allows for one role: whether the first is the one that counts. */
export function precedes(a: CompiledMapping, b: CompiledMapping): boolean {
  if (a.specificity !== b.specificity) return a.specificity > b.specificity;
  if (a.mapping.precedence !== b.mapping.precedence) {
    return a.mapping.precedence < b.mapping.precedence;
  }
  return a.mapping.id < b.mapping.id;
}

function grant(compiled: CompiledMapping, caller: Caller, requested: number | undefined): Decision {
  const { durationSeconds, maxDurationSeconds } = compiled;
  const duration = requested ?? durationSeconds;
  // Also false for NaN and fractions, whatever a wire form lets through.
  const allowed =
    Number.isInteger(duration) && duration >= minDurationSeconds && duration <= maxDurationSeconds;
  if (!allowed) {
    return { kind: 'duration_not_allowed', mapping: compiled };
  }
  const granted = requested === undefined ? duration : inSteps(duration);
  const planning = planSession(compiled, caller, granted);
  return planning.kind === 'planned'
    ? { kind: 'allow', mapping: compiled, session: planning.session }
    : { kind: 'deny', reason: 'claim_unsafe', mapping: compiled };
}

/** Durations that callers ask for are rounded to a multiple of it: each is a session of its own (T67). */
const durationStepSeconds = 60;

/** Down, so that nobody holds a session for longer than they asked or may: 900, the least, is a multiple itself. */
function inSteps(seconds: number): number {
  return seconds - (seconds % durationStepSeconds);
}
