/** Holds the sessions of a trail against what brokers have recorded, and names what does not fit. */

import type { JsonObject } from '../kit/json/json-object.ts';
import {
  type AssumedSession,
  assumedSession,
  callingKey,
  charsOf,
  isAddendum,
  placeAndTime,
} from './assumed-session.ts';
import { type Differences, differences, tagsText } from './compared-session.ts';
import { marks, recordedSession, type SessionLedger, type Slot } from './session-ledger.ts';

/**
 * `bypass`: a managed role was assumed by a web identity, and no broker has recorded the session. `other_provider`: it was
 * assumed in another way, or with tokens of a provider that no session of the brokers came from. `unbound`: STS did not hold the role against the
 * token of the broker. `altered`: trail and record differ. `phantom`: on record, and not in the trail. `thumbprint`: STS trusted the issuer by a
 * thumbprint alone. `unused`: nobody has called anything with it.
 */
export type FindingClass =
  | 'bypass'
  | 'other_provider'
  | 'unbound'
  | 'altered'
  | 'phantom'
  | 'thumbprint'
  | 'unused';

export interface TrailFinding {
  readonly class: FindingClass;
  readonly time: string;
  readonly role: string;
  readonly accessKeyId: string | undefined;
  readonly sessionName: string | undefined;
  readonly mapping?: string | undefined;
  /** What differs: in the record, and in the trail. */
  readonly differences?: Differences | undefined;
  readonly event?: Omit<AssumedSession, 'role' | 'accessKeyId' | 'sessionName' | 'time' | 'tags'>;
}

export interface TrailCheckOptions {
  readonly ledger: SessionLedger;
  /** Until when the logs of all brokers are known. Epoch milliseconds. */
  readonly recordedUntil: number;
  /** Epoch milliseconds. An event that says it was later is no reason to wait. */
  readonly now: number;
  readonly onFinding: (finding: TrailFinding) => void;
  /** Identity providers of sessions that were on record before. Default: none are known. */
  readonly providers?: readonly string[];
  /** A session that is not on record, of a time that the logs do not reach yet. */
  readonly onUnjudged?: (assumed: AssumedSession) => void;
}

export interface TrailSummary {
  readonly events: number;
  readonly sessions: number;
  readonly joined: number;
  /** Not judged yet: newer than the logs, or than what CloudTrail has surely delivered, or from before the logs begin. */
  readonly unjudged: { readonly events: number; readonly sessions: number };
  readonly watermarks: Readonly<Record<string, string>>;
}

/** A session is on record within this time of its event. */
const windowMs = 5 * 60_000;
/** CloudTrail delivers within some minutes: what is that much older than its newest event of the place is there. */
const deliveredMs = 30 * 60_000;
/** After this a session that is not in the trail will not come any more. */
const phantomMs = 2 * 3_600_000;
/** The clocks of AWS are right, and that here nearly: what is later was made up. */
const mostAheadMs = 3_600_000;
/** Accounts, and Regions of them. */
export const mostPlaces = 50_000;
/** Of sessions that no broker has recorded, and of those that differ: more of them are not kept to be judged together. */
const mostHeld = 100_000;
/** Of their texts: honest ones have some five hundred characters. */
const mostHeldChars = 64 * 1024 * 1024;

interface Place {
  from: number;
  until: number;
}

/**
 * What it holds does not grow with the trail: a few bytes a session, and what does not fit. What it says of sessions on record needs the
 * words of their records: `open` counts those that are to be shown to `explain`, once the trail is read.
 */
export class TrailCheck {
  readonly #options: TrailCheckOptions;
  /** By account and Region, and by account alone. */
  readonly #places = new Map<string, Place>();
  readonly #providers = new Set<string>();
  /** Sessions of managed roles that are not on record: few, unless something is very wrong. */
  readonly #unknown = new Map<string, AssumedSession>();
  #unknownChars = 0;
  readonly #altered = new Map<Slot, AssumedSession>();
  #alteredChars = 0;
  #open = 0;
  #events = 0;
  #joined = 0;
  #unjudgedEvents = 0;

  constructor(options: TrailCheckOptions) {
    this.#options = options;
    for (const provider of options.providers ?? []) this.#providers.add(provider);
  }

  take(record: JsonObject): void {
    this.#events += 1;
    this.#notePlace(record);
    const { ledger } = this.#options;
    const caller = ledger.find(callingKey(record));
    if (caller !== undefined) ledger.mark(caller, marks.used);
    const assumed = assumedSession(record);
    if (assumed !== undefined) this.takeSession(assumed, isAddendum(record));
  }

  /** One that was read before, and could not be judged then. What is added to an event has only some of it. */
  takeSession(assumed: AssumedSession, isAdded = false): void {
    const { ledger } = this.#options;
    const known = ledger.find(assumed.accessKeyId);
    if (known === undefined) {
      if (ledger.manages(assumed.role)) this.#holdUnknown(assumed);
    } else if (!(isAdded && ledger.has(known, marks.joined))) this.#join(known, assumed);
  }

  /** Judges all of the trail, and what is not in it. */
  finish(findUnused: boolean): TrailSummary {
    this.judge();
    const { ledger } = this.#options;
    let unjudgedSessions = 0;
    for (const slot of ledger.slots()) {
      const joined = ledger.has(slot, marks.joined);
      if (!joined && !this.#judgeMissing(slot)) unjudgedSessions += 1;
      else if (findUnused && joined && !ledger.has(slot, marks.used)) this.#judgeUnused(slot);
    }
    return {
      events: this.#events,
      sessions: ledger.size,
      joined: this.#joined,
      unjudged: { events: this.#unjudgedEvents, sessions: unjudgedSessions },
      watermarks: Object.fromEntries(
        [...this.newest()].map(([place, time]) => [place, new Date(time).toISOString()]),
      ),
    };
  }

  get events(): number {
    return this.#events;
  }

  /** Identity providers that sessions on record came from. */
  get providers(): ReadonlySet<string> {
    return this.#providers;
  }

  /** Epoch milliseconds of the newest event, by account and Region, and by account. */
  *newest(): Generator<readonly [place: string, time: number]> {
    for (const [place, { until }] of this.#places) yield [place, until];
  }

  /** Findings that wait for the record of their session. */
  get open(): number {
    return this.#open;
  }

  /** Takes the records of the logs in the order in which the ledger has taken them. */
  explain(record: JsonObject): void {
    const session = recordedSession(record);
    const slot = this.#options.ledger.find(session?.accessKeyId);
    if (session === undefined || slot === undefined) return;
    const { ledger } = this.#options;
    const time = new Date(session.recordedAt).toISOString();
    const { role, accessKeyId, sessionName, mapping } = session;
    const about = { time, role, accessKeyId, sessionName, mapping };
    for (const name of ['altered', 'phantom', 'unused'] as const) {
      if (!ledger.has(slot, marks[name])) continue;
      ledger.unmark(slot, marks[name]);
      this.#open -= 1;
      const assumed = name === 'altered' ? this.#altered.get(slot) : undefined;
      if (assumed === undefined) this.#options.onFinding({ class: name, ...about });
      else this.#reportAltered(assumed, differences(session, comparedOf(assumed)), mapping);
    }
  }

  #notePlace(record: JsonObject): void {
    const place = placeAndTime(record);
    const { now } = this.#options;
    if (place === undefined || place.time > now + mostAheadMs) return;
    const time = Math.min(place.time, now);
    for (const name of [place.account, `${place.account}/${place.region}`]) {
      const known = this.#places.get(name);
      if (known !== undefined) {
        known.from = Math.min(known.from, time);
        known.until = Math.max(known.until, time);
      } else if (this.#places.size < mostPlaces)
        this.#places.set(name, { from: time, until: time });
    }
  }

  /** CloudTrail may deliver an event twice, and somebody else a clean one beside it: each is held against the record. */
  #join(slot: Slot, assumed: AssumedSession): void {
    const { ledger } = this.#options;
    if (!ledger.has(slot, marks.joined)) this.#joined += 1;
    ledger.mark(slot, marks.joined);
    if (assumed.provider !== undefined) this.#providers.add(assumed.provider);
    if (!(ledger.has(slot, marks.altered) || ledger.isAsRecorded(slot, comparedOf(assumed))))
      this.#holdAltered(slot, assumed);
    if (ledger.has(slot, marks.bound) && !assumed.authorizedByIdp)
      this.#reportOnce('unbound', slot, assumed);
    if (assumed.byThumbprint) this.#reportOnce('thumbprint', slot, assumed);
  }

  #holdAltered(slot: Slot, assumed: AssumedSession): void {
    if (this.#altered.size < mostHeld && this.#alteredChars < mostHeldChars) {
      this.#altered.set(slot, assumed);
      this.#alteredChars += charsOf(assumed);
      this.#leaveOpen(slot, marks.altered);
    } else this.#reportAltered(assumed, undefined, this.#options.ledger.mappingOf(slot));
  }

  #reportOnce(name: 'unbound' | 'thumbprint', slot: Slot, assumed: AssumedSession): void {
    const { ledger } = this.#options;
    if (ledger.has(slot, marks[name])) return;
    ledger.mark(slot, marks[name]);
    this.#report(name, assumed, { mapping: ledger.mappingOf(slot) });
  }

  #holdUnknown(assumed: AssumedSession): void {
    this.#unknown.set(keyOf(assumed), assumed);
    this.#unknownChars += charsOf(assumed);
    if (this.#unknown.size >= mostHeld || this.#unknownChars >= mostHeldChars) this.judge();
  }

  /** Judges the sessions that are not on record, by what has been read. */
  judge(): void {
    for (const assumed of this.#unknown.values()) {
      // No broker makes a session in that way, whenever it was.
      if (assumed.event !== 'AssumeRoleWithWebIdentity') this.#report('other_provider', assumed);
      else if (this.#isReached(assumed))
        this.#report(this.#isForeign(assumed) ? 'other_provider' : 'bypass', assumed);
    }
    this.#unknown.clear();
    this.#unknownChars = 0;
  }

  /** Whether the logs have the session if a broker made it. What they begin after they never reach. */
  #isReached(assumed: AssumedSession): boolean {
    const { ledger, recordedUntil, now } = this.#options;
    const isTooNew = assumed.time + windowMs > recordedUntil && assumed.time <= now + mostAheadMs;
    const isReached = !isTooNew && assumed.time >= ledger.extent.from - windowMs;
    if (!isReached) this.#unjudgedEvents += 1;
    if (isTooNew) this.#options.onUnjudged?.(assumed);
    return isReached;
  }

  /** Once the logs reach its time: of a provider that is new, all sessions may be on record by then. */
  #isForeign({ provider }: AssumedSession): boolean {
    return provider !== undefined && this.#providers.size > 0 && !this.#providers.has(provider);
  }

  /** False: it is too early to say, or the trail does not reach there. */
  #judgeMissing(slot: Slot): boolean {
    const { ledger } = this.#options;
    const place = this.#placeOf(slot);
    const recordedAt = ledger.recordedAt(slot);
    if (place === undefined || recordedAt < place.from + windowMs) return false;
    if (recordedAt + phantomMs > place.until - deliveredMs) return false;
    this.#leaveOpen(slot, marks.phantom);
    return true;
  }

  #judgeUnused(slot: Slot): void {
    const place = this.#placeOf(slot);
    if (place === undefined) return;
    if (this.#options.ledger.endsAt(slot) > place.until - deliveredMs) return;
    this.#leaveOpen(slot, marks.unused);
  }

  #placeOf(slot: Slot): Place | undefined {
    return this.#places.get(this.#options.ledger.roleOf(slot).split(':')[4] ?? '');
  }

  #leaveOpen(slot: Slot, mark: number): void {
    this.#options.ledger.mark(slot, mark);
    this.#open += 1;
  }

  #reportAltered(
    assumed: AssumedSession,
    differences: Differences | undefined,
    mapping: string | undefined,
  ): void {
    this.#report('altered', assumed, { mapping, differences });
  }

  #report(
    name: FindingClass,
    assumed: AssumedSession,
    more: Pick<TrailFinding, 'differences' | 'mapping'> = {},
  ): void {
    const { role, accessKeyId, sessionName, time, tags, ...event } = assumed;
    this.#options.onFinding({
      class: name,
      time: new Date(time).toISOString(),
      role,
      accessKeyId,
      sessionName,
      ...more,
      event,
    });
  }
}

function comparedOf(assumed: AssumedSession) {
  const { role, sessionName, durationSeconds, requestId, sourceIdentity, tags } = assumed;
  const texts = { role, sessionName, durationSeconds, requestId, sourceIdentity };
  return { ...texts, tags: tagsText(tags), bound: false };
}

/** The same for an event that is delivered twice; by its id alone somebody's other one would take its place. */
export function keyOf({
  eventId,
  time,
  role,
  accessKeyId,
}: Pick<AssumedSession, 'eventId' | 'time' | 'role' | 'accessKeyId'>): string {
  return JSON.stringify([eventId, time, role, accessKeyId]);
}
