/** Role mappings in a few words. */

import type { Decision, Principal, RoleMapping } from './documents.ts';
import { linkTo } from './router.ts';

export function principalWords(principal: Principal): string {
  const { pool } = principal;
  if ('client' in principal) return `client ${principal.client} of ${pool}`;
  if ('user' in principal) return `user ${principal.user} of ${pool}`;
  if ('group' in principal) return `group ${principal.group} of ${pool}`;
  return pool === '*' ? 'everybody' : `everybody of ${pool}`;
}

type ClientOrUser = Extract<Principal, { readonly client: string } | { readonly user: string }>;

/** Who asked, as a mapping or a freeze would name them; undefined where no token proved anybody. */
export function principalOf({ pool, client, user }: Decision): ClientOrUser | undefined {
  if (pool === undefined) return undefined;
  if (user !== undefined && user !== client) return { pool, user };
  return client === undefined ? undefined : { pool, client };
}

export function callerWords({ pool, client, user }: Decision): string {
  if (client === undefined && user === undefined) return 'nobody that is proven';
  const who = user === undefined || user === client ? '' : `user ${user} by `;
  return `${who}client ${client ?? 'unknown'} of ${pool ?? 'an unknown pool'}`;
}

/** To the kill switch, with that principal filled in. */
export function freezeLink(principal: Principal): string {
  return linkTo(['freeze'], { ...principal, any: undefined });
}

export type Status = 'in force' | 'disabled' | 'not yet' | 'ended';

export function statusOf({ enabled, conditions }: RoleMapping, now: number): Status {
  if (!enabled) return 'disabled';
  const { notBefore, expiresAt } = conditions;
  if (notBefore !== undefined && now < Date.parse(notBefore)) return 'not yet';
  return expiresAt !== undefined && now >= Date.parse(expiresAt) ? 'ended' : 'in force';
}

/** An instant as its reader's clock has it, to the second. */
export function instantWords(instant: string): string {
  const date = new Date(instant);
  if (Number.isNaN(date.getTime())) return instant;
  return date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
}

/** Session policy and ARNs as STS counts them, before claims are put in; of whatever has been written so far. */
export function policyCharacters(document: Readonly<Record<string, unknown>>): number {
  const session = (document['session'] ?? {}) as Readonly<Record<string, unknown>>;
  const { policy, policyArns } = session;
  const policyText = policy === undefined ? '' : JSON.stringify(policy);
  return policyText.length + (Array.isArray(policyArns) ? policyArns.join('').length : 0);
}

export const policyCharactersAllowed = 2048;
