/**
 * Claims in a session policy that widen it by the value that a caller has. A value is safe text by itself
 * (`session-policy.ts`); where it stands decides what it means (T185).
 */

import { isJsonObject } from '../../kit/json/json-object.ts';
import { escapePointer, type JsonPointer } from '../../kit/json/json-pointer.ts';
import type { Fault } from '../fault.ts';

/** @returns warnings, with pointers into the policy. */
export function doubtfulClaims(policy: Readonly<Record<string, unknown>>): Fault[] {
  return [...placesOfClaims(policy)].flatMap(({ at, text, excludes, wildcards }) => [
    ...(excludes && hasClaim(text, chosenAnew) ? [{ pointer: at, detail: exclusion }] : []),
    ...(mayReachOthers(text, wildcards) ? [{ pointer: at, detail: ambiguity }] : []),
  ]);
}

const exclusion =
  'takes away only what the value of the claim names: whoever gets another value gets it back. Say what is allowed instead';
const ambiguity =
  'lets the value of one caller reach what belongs to another one’s: put a character that no value has, such as "/", between a claim and the next claim or wildcard, and no wildcard on both sides of it';

interface Place {
  readonly at: JsonPointer;
  readonly text: string;
  /** What matches here is taken from the session, so that a value that matches less leaves more. */
  readonly excludes: boolean;
  readonly wildcards: boolean;
}

function* placesOfClaims(policy: Readonly<Record<string, unknown>>): Generator<Place> {
  for (const [at, statement] of listed(policy['Statement'], '/Statement')) {
    if (!isJsonObject(statement)) continue;
    const denies = statement['Effect'] === 'Deny';
    for (const name of ['Resource', 'NotResource']) {
      const excludes = denies !== (name === 'NotResource');
      yield* texts(statement[name], `${at}/${name}`, { excludes, wildcards: true });
    }
    yield* placesInCondition(statement['Condition'], `${at}/Condition`, denies);
  }
}

function* placesInCondition(
  condition: unknown,
  at: JsonPointer,
  denies: boolean,
): Generator<Place> {
  if (!isJsonObject(condition)) return;
  for (const [operator, block] of Object.entries(condition)) {
    if (!isJsonObject(block)) continue;
    const excludes = denies !== negated.test(operator);
    const wildcards = matching.test(operator);
    for (const [key, value] of Object.entries(block)) {
      const where: JsonPointer = `${at}/${escapePointer(operator)}/${escapePointer(key)}`;
      yield* texts(value, where, { excludes, wildcards });
    }
  }
}

const negated = /(?:^|:)(?:String|Arn)Not/;
/** ArnEquals is another name of ArnLike. */
const matching = /(?:^|:)(?:String(?:Not)?Like|Arn)/;

function* texts(
  value: unknown,
  at: JsonPointer,
  meaning: Pick<Place, 'excludes' | 'wildcards'>,
): Generator<Place> {
  for (const [where, text] of listed(value, at)) {
    if (typeof text === 'string' && hasClaim(text)) yield { at: where, text, ...meaning };
  }
}

function listed(value: unknown, at: JsonPointer): readonly (readonly [JsonPointer, unknown])[] {
  if (!Array.isArray(value)) return [[at, value]];
  return value.map((item, index) => [`${at}/${index}`, item] as const);
}

const claim = /\$\{claim:([^{}]*)\}/g;

function hasClaim(text: string, which: (name: string) => boolean = () => true): boolean {
  return [...text.matchAll(claim)].some(([, name = '']) => which(name));
}

/** Everything but who somebody is. */
const chosenAnew = (name: string) => name !== 'sub';
/** Of one length and form, so that none is the beginning or the end of another. */
const ofOneForm = (name: string) => name === 'sub' || name === 'client_id';

/**
 * Whether what the text becomes by one value can also be reached by another value. No value has the characters
 * between runs, so a run with one claim and nothing else that varies says where its value begins and ends. Wildcards
 * reach over runs: with one on both sides a value may be found anywhere.
 */
function mayReachOthers(text: string, wildcards: boolean): boolean {
  return parts(symbols(text, wildcards)).some((part) =>
    [...part.matchAll(/[◆◇]/g)].some(({ 0: value, index }) => {
      const [before, after] = [part.slice(0, index), part.slice(index + 1)];
      if (before.includes(wildcard) && after.includes(wildcard)) return true;
      if (value === formedClaim) return false;
      return variable.test(
        (before.match(runAtEnd)?.[0] ?? '') + (after.match(runAtStart)?.[0] ?? ''),
      );
    }),
  );
}

/** In an ARN a wildcard ends with its part, but for the last one, which is the resource. */
function parts(text: string): readonly string[] {
  if (!text.startsWith('arn:')) return [text];
  const all = text.split(':');
  return [...all.slice(0, 5), all.slice(5).join(':')];
}

const wildcard = '∗';
const freeClaim = '◆';
const formedClaim = '◇';
const awsVariable = '○';
const variable = /[∗◆◇○]/;
/** Of what `renderSessionPolicy` lets values have. */
const runAtEnd = /[A-Za-z0-9_.@=∗◆◇○-]*$/;
const runAtStart = /^[A-Za-z0-9_.@=∗◆◇○-]*/;

/** Policies have no character beyond U+00FF. One for each wildcard and variable; `/`, which no value has, for what stands for itself. */
function symbols(text: string, wildcards: boolean): string {
  return text.replace(/\$\{([^{}]*)\}|[*?]/g, (_whole, name: string | undefined) => {
    if (name === undefined) return wildcards ? wildcard : '/';
    if (['*', '?', '$'].includes(name)) return '/';
    const claimed = /^claim:(.*)$/s.exec(name)?.[1];
    if (claimed === undefined) return awsVariable;
    return ofOneForm(claimed) ? formedClaim : freeClaim;
  });
}
