/** One test of a policy: decided by the code that decides requests, compared with what was expected. */

import type { Caller } from '../core/caller.ts';
import { describedCaller } from '../core/described-caller.ts';
import type { Fault } from '../core/fault.ts';
import type { Decision } from '../core/policy/decide.ts';
import { explaining, type NearMiss } from '../core/policy/explain.ts';
import type { WritingRules } from '../core/policy/mapping-check.ts';
import type { KnownPools } from '../core/policy/mapping-reach.ts';
import type { PolicySnapshot } from '../core/policy/policy-snapshot.ts';
import { documentChanges } from '../kit/json/document-changes.ts';
import type { JsonPointer } from '../kit/json/json-pointer.ts';
import { atOnce } from '../kit/timing/in-turns.ts';
import type { TestCase } from './test-file.ts';

export interface Mismatch {
  /** JSON Pointer into the test. */
  readonly pointer: JsonPointer;
  readonly expected: unknown;
  /** Undefined: there is none. */
  readonly actual: unknown;
}

export interface TestResult {
  /** Why there can be no such caller. */
  readonly faults: readonly Fault[];
  readonly mismatches: readonly Mismatch[];
  /** What came near, to see why it did not come out as expected. */
  readonly nearMisses: readonly NearMiss[];
}

export function hasPassed({ faults, mismatches }: TestResult): boolean {
  return faults.length === 0 && mismatches.length === 0;
}

export function runTest(
  test: TestCase,
  snapshot: PolicySnapshot,
  { matchableClaims, pools }: WritingRules,
  clockNow: number,
): TestResult {
  const now = test.now === undefined ? clockNow : Date.parse(test.now);
  const issuers = new Map([[test.caller.pool, issuerOf(test.caller.pool, pools)]]);
  const caller = describedCaller(test.caller, { issuers, matchableClaims }, now);
  if (!isCaller(caller)) return { faults: caller, mismatches: [], nearMisses: [] };
  const { role, durationSeconds, sourceIp } = test.request;
  const request = { role, durationSeconds, sourceIp };
  const { decision, nearMisses } = atOnce(explaining(snapshot, caller, request, now));
  const mismatches = compare(test.expect, outcomeOf(decision));
  return { faults: [], mismatches, nearMisses: mismatches.length === 0 ? [] : nearMisses };
}

function isCaller(described: ReturnType<typeof describedCaller>): described is Caller {
  return 'pool' in described;
}

/** Without a configuration nobody knows it. Session names may depend on it: tests that expect one say which it is. */
function issuerOf(pool: string, pools: KnownPools | undefined): string {
  return pools?.get(pool)?.issuer ?? pool;
}

function compare(expected: TestCase['expect'], actual: Outcome): Mismatch[] {
  return Object.entries(expected).flatMap(([name, value]) =>
    documentChanges(value, actual[name as keyof Outcome], `/expect/${name}`).map((change) => ({
      pointer: change.pointer,
      expected: change.before,
      actual: change.after,
    })),
  );
}

/** The decision in the words of `expect`. */
interface Outcome {
  readonly decision: Decision['kind'];
  readonly mapping?: string | undefined;
  readonly role?: string;
  readonly durationSeconds?: number;
  readonly sessionName?: string;
  readonly policy?: unknown;
  readonly reason?: string;
  readonly choices?: readonly string[];
}

function outcomeOf(decision: Decision): Outcome {
  switch (decision.kind) {
    case 'allow': {
      const { mappingId, roleArn, durationSeconds, sessionName, policy } = decision.session;
      return {
        decision: 'allow',
        mapping: mappingId,
        role: roleArn,
        durationSeconds,
        sessionName,
        ...(policy === undefined ? {} : { policy: JSON.parse(policy) }),
      };
    }
    case 'deny':
      return {
        decision: 'deny',
        reason: decision.reason,
        mapping: decision.mapping?.mapping.id,
      };
    case 'ambiguous':
      return { decision: 'ambiguous', choices: decision.choices.map(({ mapping }) => mapping.id) };
    case 'duration_not_allowed':
      return { decision: 'duration_not_allowed', mapping: decision.mapping.mapping.id };
  }
}
