/** Who a caller is in words that people know, for records alone: nothing is decided by it. */

import type { CallerDescription, DescribingClaim } from '../core/caller.ts';
import type { JsonObject } from '../kit/json/json-object.ts';
import { isProven } from './proven-claim.ts';

/** UTF-16 units of a text: Cognito's longest user name has 128, and no address has more than 254 (RFC 5321). */
const maxTextLength = 256;
const maxGroups = 20;

/** What a token says of the claims that are asked for; undefined if that is nothing. A user name is there for people only. */
export function describedBy(
  claims: JsonObject,
  groups: readonly string[],
  wanted: ReadonlySet<DescribingClaim>,
): CallerDescription | undefined {
  if (wanted.size === 0) return undefined;
  const asked = <Value>(name: DescribingClaim, value: Value) =>
    wanted.has(name) ? value : undefined;
  const username = asked('username', shortText(claims['username'] ?? claims['cognito:username']));
  // One that nobody has verified may be anybody's.
  const email = asked('email', isProven('email', claims) ? shortText(claims['email']) : undefined);
  const someGroups = asked('groups', groups.slice(0, maxGroups).map(cut));
  const description = {
    ...(username === undefined ? {} : { username }),
    ...(email === undefined ? {} : { email }),
    ...(someGroups === undefined || someGroups.length === 0 ? {} : { groups: someGroups }),
  };
  return Object.keys(description).length === 0 ? undefined : Object.freeze(description);
}

function shortText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? cut(value) : undefined;
}

function cut(text: string): string {
  return text.slice(0, maxTextLength);
}
