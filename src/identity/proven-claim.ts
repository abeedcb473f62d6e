import type { JsonObject } from '../kit/json/json-object.ts';

/** OpenID Connect Core 1.0 section 5.1: what anyone may sign up with, and the claim that says whether it is theirs. */
const verifiedBy: ReadonlyMap<string, string> = new Map([
  ['email', 'email_verified'],
  ['phone_number', 'phone_number_verified'],
]);

/** An address or a number that nobody verified proves nothing (T17, T106). */
export function isProven(name: string, all: JsonObject): boolean {
  const verification = verifiedBy.get(name);
  if (verification === undefined) return true;
  const verified = all[verification];
  return verified === true || verified === 'true';
}
