/**
 * Why a request is decided as it is: the decision itself, by the same code that decides requests, and for every
 * mapping that came near, the conditions that kept it from applying.
 */

import { Foremost } from '../../kit/order/foremost.ts';
import { eachInPieces, type PiecesOfWork } from '../../kit/timing/in-turns.ts';
import type { Caller } from '../caller.ts';
import type { CompiledMapping } from './compiled-mapping.ts';
import { type Decision, decide, permittedMappings, type RoleRequest } from './decide.ts';
import { type PolicySnapshot, principalKey, principalKeysOf } from './policy-snapshot.ts';
import { roleKey } from './role-key.ts';

/** A condition that does not hold. */
export interface FailedCheck {
  /** JSON Pointer into the mapping. */
  readonly pointer: string;
  readonly expected: unknown;
  /** Null: the caller has no such thing. */
  readonly actual: unknown;
}

export interface NearMiss {
  readonly mapping: CompiledMapping;
  readonly failed: readonly FailedCheck[];
}

export interface Explanation {
  readonly decision: Decision;
  /** By which the caller gets roles right now, one for each, whatever role was asked for. */
  readonly permitted: readonly CompiledMapping[];
  /** Those that came nearest first. */
  readonly nearMisses: readonly NearMiss[];
  /** How many near misses are left out. */
  readonly omitted: number;
}

const maxNearMisses = 50;

/** Some of them are compiled for it. */
const perPiece = 200;

/** Looks at every mapping: for people who ask why, not for the way of a request. */
export function* explaining(
  snapshot: PolicySnapshot,
  caller: Caller,
  request: RoleRequest,
  now: number,
): PiecesOfWork<Explanation> {
  const keys = new Set(principalKeysOf(caller));
  const { role } = request;
  const asked = role === undefined ? undefined : { role, key: roleKey(role) };
  const nearest = new Foremost(maxNearMisses, nearerFirst);
  let misses = 0;
  yield* eachInPieces(snapshot.byId.values(), perPiece, (compiled) => {
    const isCaller = keys.has(principalKey(compiled.mapping.principal));
    if (!cameNear(compiled, asked, isCaller)) return;
    const failed = failedChecks(compiled, caller, request.sourceIp, { isCaller, now });
    if (failed.length === 0) return;
    misses += 1;
    nearest.add({ mapping: compiled, failed });
  });
  return {
    decision: decide(snapshot, caller, request, now),
    permitted: permittedMappings(snapshot, caller, request.sourceIp, now),
    nearMisses: nearest.items,
    omitted: misses - nearest.items.length,
  };
}

function nearerFirst(a: NearMiss, b: NearMiss): number {
  return (
    a.failed.length - b.failed.length || (a.mapping.mapping.id < b.mapping.mapping.id ? -1 : 1)
  );
}

/** Anybody's allow of the role that was asked for, and whatever is about this caller and that role. */
function cameNear(
  { mapping, roleKey: key }: CompiledMapping,
  asked: AskedRole | undefined,
  isCaller: boolean,
): boolean {
  if (mapping.effect === 'deny') return isCaller;
  return asked === undefined ? isCaller : mapping.id === asked.role || key === asked.key;
}

interface AskedRole {
  readonly role: string;
  readonly key: string;
}

function failedChecks(
  compiled: CompiledMapping,
  caller: Caller,
  sourceIp: string,
  { isCaller, now }: { readonly isCaller: boolean; readonly now: number },
): FailedCheck[] {
  const { mapping } = compiled;
  const failed: FailedCheck[] = [];
  if (!mapping.enabled) failed.push({ pointer: '/enabled', expected: true, actual: false });
  if (!isCaller) {
    failed.push({
      pointer: '/principal',
      expected: mapping.principal,
      actual: principalsOf(caller),
    });
  }
  const facts = { caller, sourceIp, now };
  // The decision's own checks judge: what is explained can never differ from what is decided.
  for (const check of compiled.checks) {
    if (check.holds(facts)) continue;
    const { pointer, expected } = check;
    failed.push({ pointer, expected, actual: check.actual(facts) });
  }
  return failed;
}

function principalsOf({ pool, clientId, subject, machine, groups }: Caller) {
  return {
    pool,
    client: clientId ?? null,
    user: machine ? null : subject,
    groups,
  };
}
