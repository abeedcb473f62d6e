import type { SessionClaims } from './session-claims.ts';
import { StsError } from './sts-error.ts';

export interface PackedParts {
  readonly policy: string | undefined;
  readonly policyArns: readonly string[];
  readonly sessionClaims: SessionClaims;
  readonly subject: string;
}

/**
 * Per cent of the room in the session's token; throws `PackedPolicyTooLarge` beyond it. AWS packs all this into a form it does
 * not publish. Recorded: a bare session 24 to 25, with a source identity 26, with a subject of 300 characters 34. A policy
 * of the allowed length may fit or not there; here it takes a third of the room for itself.
 */
export function packedPolicySize(parts: PackedParts): number {
  const { policy = '', policyArns, sessionClaims, subject } = parts;
  const { tags, sourceIdentity = '' } = sessionClaims;
  const tagged = Array.from(tags ?? []).flat();
  const told = [subject, sourceIdentity, ...tagged].reduce((sum, text) => sum + text.length, 0);
  const policies = [policy, ...policyArns].reduce((sum, text) => sum + text.length, 0);
  const packed = bareSession + Math.round(told / 30) + Math.ceil(policies / 60);
  // The text of policies has a limit of its own.
  const percent =
    policies > maxPolicyCharacters ? Math.ceil((100 * policies) / maxPolicyCharacters) : packed;
  if (percent <= 100) return percent;
  throw new StsError(
    'PackedPolicyTooLarge',
    `Packed policy consumes ${percent}% of allotted space, please use smaller policy.`,
  );
}

const bareSession = 24;
const maxPolicyCharacters = 2048;
