/**
 * How full a session's token will be. AWS packs session policies, tags and the rest into a form that it does not publish
 * and refuses what is too large; recorded on real AWS in 2026: a bare session takes 24 to 25 % of the room, one with a
 * source identity 26 %, and 264 characters more in the subject take 10 % more. So this is an estimate, on the high side
 * where a policy is among it, which packs better than tags do.
 */

import { type AttributionTemplates, longestAttribution } from './attribution.ts';
import { type SessionPolicy, worstCaseLength } from './session-policy.ts';

const bareSessionPercent = 25;
const charactersPerPercent = 27;

export interface PackedSession extends AttributionTemplates {
  readonly policy?: SessionPolicy | undefined;
  readonly policyArns: readonly string[];
}

/** Per cent of the room, with the longest values that claims may have. */
export function packedSizeEstimate(session: PackedSession): number {
  const policy = session.policy === undefined ? 0 : worstCaseLength(session.policy);
  const characters = longestAttribution(session) + policy + session.policyArns.join('').length;
  return bareSessionPercent + Math.ceil(characters / charactersPerPercent);
}
