/**
 * IAM session policies with claims of the caller in them; `policy-grammar/` says which policies there are.
 *
 * A claim is written `${claim:NAME}` inside a Resource, NotResource or Condition value. It is put into the
 * parsed document, value by value; a value that could widen the policy (a wildcard, a separator, a policy
 * variable) makes rendering fail instead.
 */

import { isJsonObject } from '../../kit/json/json-object.ts';
import type { Claims } from '../claim-value.ts';

/** STS allows 2,048 characters for the inline policy and all policy ARNs together. */
export const sessionPolicyBudget = 2048;
/** Longest claim value that may be put into a policy. */
export const claimValueMaxLength = 128;

const safeClaimValue = /^[A-Za-z0-9_.@=-]{1,128}$/;
/** The name stops at a brace, so that unclosed references cost linear time. */
const claimReference = /\$\{claim:([^{}]*)\}/g;
const referenceStart = '${claim:';

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type SessionPolicy = Readonly<Record<string, unknown>>;

export type RenderedPolicy =
  | { readonly kind: 'rendered'; readonly text: string }
  | { readonly kind: 'unsafe_claim'; readonly claim: string };

/** The minified policy with the caller's claims in place; `unsafe_claim` if one is absent or could widen it. */
export function renderSessionPolicy(policy: SessionPolicy, claims: Claims): RenderedPolicy {
  let unsafe: string | undefined;
  const substitute = (text: string): string =>
    text.replace(claimReference, (_whole, name: string) => {
      const value = claims.get(name);
      if (typeof value === 'string' && safeClaimValue.test(value)) return value;
      unsafe ??= name;
      return '';
    });
  const rendered = mapStrings(policy as Json, substitute);
  return unsafe === undefined
    ? { kind: 'rendered', text: JSON.stringify(rendered) }
    : { kind: 'unsafe_claim', claim: unsafe };
}

/** Names of the claims that the policy refers to. */
export function referencedClaims(policy: SessionPolicy): ReadonlySet<string> {
  const names = new Set<string>();
  for (const text of referringTexts(policy)) {
    for (const match of text.matchAll(claimReference)) names.add(match[1] ?? '');
  }
  return names;
}

const longestClaimValue = 'x'.repeat(claimValueMaxLength);

/**
 * Length of the minified policy when every claim in it has its greatest length. Where even an estimate that is too long fits
 * in `enough`, the estimate is the answer: nearly all do.
 */
export function worstCaseLength(policy: SessionPolicy, enough = 0): number {
  const text = JSON.stringify(policy);
  const estimate = text.length + countOf(referenceStart, text) * claimValueMaxLength;
  if (estimate <= enough) return estimate;
  let { length } = text;
  for (const value of referringTexts(policy)) {
    const longest = value.replace(claimReference, longestClaimValue);
    length += JSON.stringify(longest).length - JSON.stringify(value).length;
  }
  return length;
}

function countOf(part: string, text: string): number {
  let count = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) count += 1;
  return count;
}

/** Values, not names, that may refer to claims. */
function referringTexts(node: unknown, found: string[] = []): readonly string[] {
  if (typeof node === 'string') {
    if (node.includes(referenceStart)) found.push(node);
  } else if (typeof node === 'object' && node !== null) {
    for (const part of Object.values(node)) referringTexts(part, found);
  }
  return found;
}

function mapStrings(node: Json, change: (text: string) => string): Json {
  if (typeof node === 'string') return change(node);
  if (Array.isArray(node)) return node.map((item: Json) => mapStrings(item, change));
  if (isJsonObject(node)) {
    return Object.fromEntries(
      Object.entries(node).map(([key, value]) => [key, mapStrings(value as Json, change)]),
    );
  }
  return node;
}
