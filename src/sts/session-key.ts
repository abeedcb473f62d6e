/**
 * Which sessions are the same. Credentials are shared by equal plans only, so everything that shapes a session
 * or says whose it is belongs in here: one component too few hands one caller's credentials to another (T28).
 */

import { hash } from 'node:crypto';
import { remember } from '../core/remember.ts';
import type { SessionPlan } from '../core/session/session.ts';

/**
 * Hex SHA-256 over every component, each with its length before it, so that no two lists run together. Plans are immutable, and
 * the same object on each warm request and for all who decorate one exchange.
 */
export const sessionKey = remember((plan: SessionPlan): string => {
  let text = '';
  for (const component of components(plan)) {
    text += component === undefined ? '-;' : `${Buffer.byteLength(component)}:${component};`;
  }
  return hash('sha256', text, 'hex');
});

/** The same question as equal keys, answered without the digest: asked again whenever an entry is read. */
export function sameSession(one: SessionPlan, other: SessionPlan): boolean {
  if (one === other) return true;
  const theirs = components(other);
  const ours = components(one);
  return (
    ours.length === theirs.length && ours.every((component, index) => component === theirs[index])
  );
}

/** What the session amounts to in memory, roughly: its texts, which are the part that callers can make long. */
export function componentsLength(plan: SessionPlan): number {
  return components(plan).reduce((sum, component) => sum + (component?.length ?? 0), 0);
}

function components(plan: SessionPlan): readonly (string | undefined)[] {
  const { caller } = plan;
  return [
    caller.issuer,
    caller.pool,
    caller.subject,
    caller.clientId,
    caller.tokenUse,
    caller.audience,
    caller.sessionClaims,
    plan.roleArn,
    plan.mappingId,
    String(plan.mappingVersion),
    plan.sessionName,
    String(plan.durationSeconds),
    plan.policy,
    plan.identity,
    plan.attribution?.sourceIdentity?.value,
    // Lists come last, each after its own length.
    ...listed(plan.policyArns),
    ...listed((plan.attribution?.tags ?? []).flatMap(({ key, value }) => [key, value])),
    ...listed(plan.attribution?.transitiveTagKeys ?? []),
  ];
}

function listed(texts: readonly string[]): readonly string[] {
  return [String(texts.length), ...texts];
}
