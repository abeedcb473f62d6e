/** An explanation as the admin listener prints it. */

import { minDurationSeconds } from '../../core/aws-names.ts';
import type { Caller } from '../../core/caller.ts';
import type { CompiledMapping } from '../../core/policy/compiled-mapping.ts';
import type { Decision } from '../../core/policy/decide.ts';
import type { Explanation, NearMiss } from '../../core/policy/explain.ts';
import { type KnownPools, unreachable } from '../../core/policy/mapping-reach.ts';
import type { Attribution } from '../../core/session/attribution.ts';
import type { SessionPlan } from '../../core/session/session.ts';
import { planSession } from '../../core/session/session.ts';
import { sessionPolicyBudget } from '../../core/session/session-policy.ts';

export function explanationDocument(
  { decision, permitted, nearMisses, omitted }: Explanation,
  caller: Caller,
  pools: KnownPools | undefined,
) {
  return {
    decision: decisionDocument(decision, caller),
    sts: decision.kind === 'allow' ? stsParameters(decision.session) : undefined,
    permitted: permitted.map(name).sort((a, b) => (a.id < b.id ? -1 : 1)),
    nearMisses: nearMisses.map((miss) => nearMiss(miss, pools)),
    omittedNearMisses: omitted,
  };
}

/** Whoever asks why a mapping does nothing is told if it can do nothing for anybody. */
function nearMiss({ mapping, failed }: NearMiss, pools: KnownPools | undefined) {
  const nobody = pools === undefined ? [] : unreachable(mapping.mapping, pools);
  const matchesNobody = nobody.map(({ pointer, detail }) => ({ pointer, detail }));
  return {
    ...name(mapping),
    failed,
    matchesNobody: matchesNobody.length === 0 ? undefined : matchesNobody,
  };
}

function decisionDocument(decision: Decision, caller: Caller) {
  switch (decision.kind) {
    case 'allow':
      return { outcome: 'allow', mapping: name(decision.mapping) };
    case 'deny':
      return {
        outcome: 'deny',
        reason: decision.reason,
        mapping: decision.mapping && name(decision.mapping),
        failed:
          decision.reason === 'claim_unsafe' && decision.mapping !== undefined
            ? [unsafeClaim(decision.mapping, caller)]
            : undefined,
      };
    case 'ambiguous':
      return { outcome: 'ambiguous', choices: decision.choices.map(name) };
    case 'duration_not_allowed': {
      const { maxDurationSeconds } = decision.mapping.mapping.session;
      return {
        outcome: 'duration_not_allowed',
        mapping: name(decision.mapping),
        allowed: { minDurationSeconds, maxDurationSeconds },
      };
    }
  }
}

/** What AssumeRoleWithWebIdentity will be sent besides the token. */
function stsParameters({
  roleArn,
  sessionName,
  durationSeconds,
  policy,
  policyArns,
  attribution,
}: SessionPlan) {
  return {
    roleArn,
    roleSessionName: sessionName,
    durationSeconds,
    policy,
    policyArns: policyArns.length === 0 ? undefined : policyArns,
    policyCharacters: (policy?.length ?? 0) + policyArns.join('').length,
    policyCharactersAllowed: sessionPolicyBudget,
    ...(attribution && attributionDocument(attribution)),
  };
}

/** What the token will say of the caller, each value with the claim that it came from. */
function attributionDocument({ tags, transitiveTagKeys, sourceIdentity }: Attribution) {
  return {
    tags: tags.map(({ key, value, claim }) => ({ key, value, claim })),
    transitiveTagKeys,
    sourceIdentity: sourceIdentity && { value: sourceIdentity.value, claim: sourceIdentity.claim },
  };
}

function unsafeClaim(compiled: CompiledMapping, caller: Caller) {
  const planning = planSession(compiled, caller, compiled.mapping.session.durationSeconds);
  if (planning.kind !== 'unsafe_claim') throw new TypeError('no claim of the session is unsafe');
  const { claim, pointer, expected } = planning;
  return { pointer, expected, actual: caller.claims.get(claim) ?? null };
}

function name({ mapping, version }: CompiledMapping) {
  const { id, effect, role, principal, owner } = mapping;
  return { id, version, effect, role, principal, owner };
}
