/**
 * Session tags and source identity: what the account of the role, and whatever the session touches there, is told of
 * the caller. Keys are fixed text of the mapping; a value may hold one claim, as `${claim:NAME}`.
 *
 * A value is taken as it is or not at all: trimmed or replaced, two callers could become one. With one claim in a
 * fixed text different claims never make equal values, either.
 */

import { escapePointer, type JsonPointer } from '../../kit/json/json-pointer.ts';
import { sourceIdentityPattern } from '../aws-names.ts';
import type { Claims } from '../claim-value.ts';
import { isNormalized } from '../exact-text.ts';
import type { Fault } from '../fault.ts';

/** As a role mapping has it. */
export interface AttributionTemplates {
  readonly tags?: Readonly<Record<string, string>> | undefined;
  readonly transitiveTags?: readonly string[] | undefined;
  readonly sourceIdentity?: string | undefined;
}

/** A value, and the claim that it came from; undefined where the mapping alone says it. */
export interface AttributedValue {
  readonly value: string;
  readonly claim: string | undefined;
}

export interface SessionTag extends AttributedValue {
  readonly key: string;
}

export interface Attribution {
  /** In the order of their keys: it means nothing to STS, and equal sessions are shared. */
  readonly tags: readonly SessionTag[];
  /** Some of the keys, in order: these tags stay on when the session assumes a further role. */
  readonly transitiveTagKeys: readonly string[];
  readonly sourceIdentity: AttributedValue | undefined;
}

export type RenderedAttribution =
  | { readonly kind: 'rendered'; readonly attribution: Attribution | undefined }
  | UnsafeClaim;

export interface UnsafeClaim {
  readonly kind: 'unsafe_claim';
  readonly claim: string;
  /** JSON Pointer into the mapping. */
  readonly pointer: JsonPointer;
  /** What the claim must be. */
  readonly expected: string;
}

/** IAM user guide, "Passing session tags in AWS STS": 50 tags, keys of 128 and values of 256 characters. */
export const maxTags = 50;
const tagValueMaxLength = 256;
/** Narrower than AWS, which takes letters of every script: a key is what policies are written with. */
const tagKey = /^(?!aws:)[A-Za-z0-9 _.:/=+@-]{1,128}$/i;
/** Narrower than AWS by separators other than the space, which look like it or end a line, and by the empty text. */
const tagValue = /^[\p{L}\p{N} _.:/=+\-@]{1,256}$/u;
const reference = /\$\{claim:([A-Za-z0-9_:.-]{1,128})\}/g;

interface Kind {
  readonly pattern: RegExp;
  /** In words. */
  readonly allowed: string;
  readonly shortest: string;
}

const aTag: Kind = {
  pattern: tagValue,
  allowed: '1 to 256 letters, digits, spaces and _ . : / = + - @',
  shortest: 'x',
};
const aSourceIdentity: Kind = {
  pattern: sourceIdentityPattern,
  allowed: '2 to 64 of A-Z a-z 0-9 _ + = , . @ -',
  shortest: 'xx',
};

export function hasAttribution({ tags, transitiveTags, sourceIdentity }: AttributionTemplates) {
  return tags !== undefined || transitiveTags !== undefined || sourceIdentity !== undefined;
}

/** What STS would refuse, or what no caller could ever have. Pointers begin with the member's name. */
export function checkAttribution(templates: AttributionTemplates): Fault[] {
  if (!hasAttribution(templates)) return [];
  const keys = Object.keys(templates.tags ?? {});
  return [
    ...checkKeys(keys),
    ...templatesOf(templates).flatMap(({ pointer, template, kind }) => {
      const detail = templateFault(template, kind);
      return detail === undefined ? [] : [{ pointer, detail }];
    }),
    ...checkTransitive(templates.transitiveTags ?? [], keys),
  ];
}

const noClaims: ReadonlyMap<string, JsonPointer> = new Map();

/** The claims that the values refer to, each with a place where it does. */
export function attributedClaims(
  templates: AttributionTemplates,
): ReadonlyMap<string, JsonPointer> {
  if (!hasAttribution(templates)) return noClaims;
  const claims = new Map<string, JsonPointer>();
  for (const { pointer, template } of templatesOf(templates)) {
    for (const [, name = ''] of template.matchAll(reference)) claims.set(name, pointer);
  }
  return claims;
}

export function renderAttribution(
  templates: AttributionTemplates,
  claims: Claims,
): RenderedAttribution {
  if (!hasAttribution(templates)) return { kind: 'rendered', attribution: undefined };
  const values = new Map<string, AttributedValue>();
  for (const { pointer, template, kind } of templatesOf(templates)) {
    const value = render(template, kind, claims);
    if ('unsafe' in value) {
      const expected = `claim ${value.unsafe}: one value that makes ${kind.allowed}`;
      return { kind: 'unsafe_claim', claim: value.unsafe, pointer, expected };
    }
    values.set(pointer, value);
  }
  const tags = Object.keys(templates.tags ?? {})
    .sort(byText)
    .map((key) => ({ key, ...(values.get(tagPointer(key)) as AttributedValue) }));
  const transitiveTagKeys = [...(templates.transitiveTags ?? [])].sort(byText);
  const attribution = { tags, transitiveTagKeys, sourceIdentity: values.get(sourcePointer) };
  return { kind: 'rendered', attribution };
}

/** How many characters the values can have at most, keys included. */
export function longestAttribution(templates: AttributionTemplates): number {
  return templatesOf(templates).reduce((sum, { key, template, kind }) => {
    const longest = kind === aTag ? tagValueMaxLength : 64;
    return sum + key.length + (template.search(reference) < 0 ? template.length : longest);
  }, 0);
}

interface Template {
  readonly pointer: JsonPointer;
  /** Of a tag; empty for the source identity. */
  readonly key: string;
  readonly template: string;
  readonly kind: Kind;
}

const sourcePointer: JsonPointer = '/sourceIdentity';

function tagPointer(key: string): JsonPointer {
  return `/tags/${escapePointer(key)}`;
}

function templatesOf({ tags = {}, sourceIdentity }: AttributionTemplates): readonly Template[] {
  const ofTags: Template[] = Object.entries(tags).map(([key, template]) => {
    return { pointer: tagPointer(key), key, template, kind: aTag };
  });
  if (sourceIdentity === undefined) return ofTags;
  const ofSource: Template = {
    pointer: sourcePointer,
    key: '',
    template: sourceIdentity,
    kind: aSourceIdentity,
  };
  return [...ofTags, ofSource];
}

function* checkKeys(keys: readonly string[]): Generator<Fault> {
  if (keys.length > maxTags) yield { pointer: '/tags', detail: `may be ${maxTags} at most` };
  const seen = new Set<string>();
  for (const key of keys) {
    const pointer = tagPointer(key);
    if (!tagKey.test(key)) {
      const detail =
        'must have a key of 1 to 128 of A-Z a-z 0-9 space _ . : / = + @ - that does not begin with "aws:"';
      yield { pointer, detail };
    }
    // IAM tells keys apart without regard to case.
    if (seen.has(key.toLowerCase())) yield { pointer, detail: 'has a key that is there already' };
    seen.add(key.toLowerCase());
  }
}

function* checkTransitive(
  transitive: readonly string[],
  keys: readonly string[],
): Generator<Fault> {
  for (const [index, key] of transitive.entries()) {
    const pointer: JsonPointer = `/transitiveTags/${index}`;
    if (!keys.includes(key)) yield { pointer, detail: 'must be the key of one of session.tags' };
    if (transitive.indexOf(key) !== index) yield { pointer, detail: 'is there already' };
  }
}

function templateFault(template: string, { pattern, allowed, shortest }: Kind) {
  const references = [...template.matchAll(reference)];
  if (references.length > 1) {
    return 'may hold one claim: of several, two callers could make the same value';
  }
  const example = template.replace(reference, () => shortest);
  return pattern.test(example) && isNormalized(example)
    ? undefined
    : `must be ${allowed}, and may hold one \${claim:NAME}`;
}

function render(
  template: string,
  { pattern }: Kind,
  claims: Claims,
): AttributedValue | { readonly unsafe: string } {
  let claim: string | undefined;
  let known = true;
  const value = template.replace(reference, (_whole, name: string) => {
    claim = name;
    const text = claims.get(name);
    if (typeof text === 'string' && text !== '') return text;
    known = false;
    return '';
  });
  if (claim === undefined) return { value, claim };
  const fits = pattern.test(value) && value.length <= tagValueMaxLength && isNormalized(value);
  return known && fits ? { value, claim } : { unsafe: claim };
}

function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}
