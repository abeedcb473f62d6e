/**
 * Whether one session is proven to give no more than another. Policies are compared statement by statement, never by
 * what their actions and resources mean: what would need that is not proven.
 */

import { documentChanges } from '../../kit/json/document-changes.ts';
import { isJsonObject } from '../../kit/json/json-object.ts';
import { referencedClaims, type SessionPolicy } from './session-policy.ts';
import type { SessionSettings } from './session-settings.ts';

export function isNarrowerSession(from: SessionSettings, to: SessionSettings): boolean {
  return (
    to.maxDurationSeconds <= from.maxDurationSeconds &&
    (to.callerPolicy !== true || from.callerPolicy === true) &&
    policiesNarrow(from, to) &&
    isKnownAlike(from, to)
  );
}

/** Trust policies, and policies of what the session touches, may give something for each of these, or for its absence. */
function isKnownAlike(from: SessionSettings, to: SessionSettings): boolean {
  const marks = ({ name, identity, tags, transitiveTags, sourceIdentity }: SessionSettings) => ({
    name,
    identity,
    tags,
    transitiveTags,
    sourceIdentity,
  });
  return isSame(marks(from), marks(to));
}

/** STS takes the union of the inline policy and the managed ones, less what any of them denies. */
function policiesNarrow(from: SessionSettings, to: SessionSettings): boolean {
  if (from.policy === undefined && from.policyArns.length === 0) return true;
  const arns = (one: SessionSettings, other: SessionSettings) =>
    one.policyArns.every((arn) => other.policyArns.includes(arn));
  return arns(from, to) && arns(to, from) && policyNarrows(from.policy, to.policy);
}

function policyNarrows(from: SessionPolicy | undefined, to: SessionPolicy | undefined): boolean {
  if (from === undefined || to === undefined) return from === to;
  const { Statement: before, ...rest } = from;
  const { Statement: after, ...newRest } = to;
  const [old, current] = [statementsOf(before), statementsOf(after)];
  const added = current.filter((one) => !isAmong(old, one));
  const removed = old.filter((one) => !isAmong(current, one));
  return isSame(rest, newRest) && added.every(isDeny) && removed.every(givesWithoutClaims);
}

function statementsOf(statement: unknown): readonly unknown[] {
  return Array.isArray(statement) ? statement : [statement];
}

function isDeny(statement: unknown): boolean {
  return isJsonObject(statement) && statement['Effect'] === 'Deny';
}

/** Whose token lacks a claim that a statement names gets no session at all: without the statement they would. */
function givesWithoutClaims(statement: unknown): boolean {
  return (
    isJsonObject(statement) &&
    statement['Effect'] === 'Allow' &&
    referencedClaims(statement).size === 0
  );
}

function isAmong(statements: readonly unknown[], one: unknown): boolean {
  return statements.some((other) => isSame(one, other));
}

function isSame(one: unknown, other: unknown): boolean {
  return documentChanges(one, other).length === 0;
}
