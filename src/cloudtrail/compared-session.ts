/** What record and trail both say of a session, in the form in which the two are held against each other. */

import { isJsonObject } from '../kit/json/json-object.ts';
import { hash64 } from './hash64.ts';

export interface ComparedSession {
  readonly role: string;
  readonly sessionName: string | undefined;
  readonly durationSeconds: number | undefined;
  /** Null: not known, and not compared. */
  readonly requestId: string | null | undefined;
  readonly sourceIdentity: string | undefined;
  /** As `tagsText` has them. */
  readonly tags: string | undefined;
  /** STS was shown a token of the broker. In the caller's own its issuer may have put tags and a source identity. */
  readonly bound: boolean;
}

/** What STS takes where a request does not say. */
const stsDefaultSeconds = 3600;

/** IAM takes names that differ in case alone for the same. */
export function foldedRole(arn: string): string {
  return arn.toLowerCase();
}

/** As JSON of the sorted entries, with null for what is no text; undefined where there are none. */
export function tagsText(tags: unknown): string | undefined {
  if (!isJsonObject(tags)) return undefined;
  const entries = Object.entries(tags)
    .map(([key, tag]) => [key, typeof tag === 'string' ? tag : null] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? undefined : JSON.stringify(entries);
}

type Value = string | number | null | undefined;

function compared(session: ComparedSession): Readonly<Record<string, Value>> {
  const { role, sessionName, durationSeconds, requestId, sourceIdentity, tags, bound } = session;
  return {
    role: foldedRole(role),
    sessionName,
    durationSeconds: durationSeconds ?? stsDefaultSeconds,
    requestId,
    ...(bound ? { sourceIdentity, tags } : {}),
  };
}

/** The same for sessions that do not differ in anything that is compared. */
export function fingerprint(session: ComparedSession): readonly [high: number, low: number] {
  // A list keeps apart what is absent from what is empty.
  return hash64(JSON.stringify(Object.values(compared(session)).map((value) => [value ?? null])));
}

export type Differences = Readonly<Record<string, readonly [recorded: Value, inTrail: Value]>>;

export function differences(recorded: ComparedSession, inTrail: ComparedSession): Differences {
  const { bound, requestId } = recorded;
  const here = compared(recorded);
  const there = compared({
    ...inTrail,
    bound,
    requestId: requestId === null ? null : inTrail.requestId,
  });
  return Object.fromEntries(
    Object.keys(here)
      .filter((name) => (here[name] ?? null) !== (there[name] ?? null))
      .map((name) => [name, [here[name] ?? null, there[name] ?? null]] as const),
  );
}
