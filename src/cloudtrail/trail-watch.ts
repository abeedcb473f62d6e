/** What is left to judge of a trail that is followed, from one look at it to the next, and over restarts. */

import { z } from 'zod';
import type { JsonObject } from '../kit/json/json-object.ts';
import { type AssumedSession, charsOf } from './assumed-session.ts';
import type { SessionLedger } from './session-ledger.ts';
import { keyOf, mostPlaces, TrailCheck, type TrailFinding } from './trail-check.ts';

/** A session that is in no trail, or that nobody has used, shows in all of it only: `cloudtrail check` has those. */
const watchedClasses = ['bypass', 'other_provider', 'unbound', 'altered', 'thumbprint'] as const;

/** Sessions that are not on record and too young to be judged: more of them cannot be honest. */
const mostWaiting = 100_000;
/** Of their texts. */
const mostWaitingChars = 64 * 1024 * 1024;
/** Of one look: each is kept until all of it is read, and then told. */
const mostTold = 100_000;
/** An event may come twice, its finding is one. */
const mostReported = 10_000;
/** A message may come twice, and late; what it names is read once. */
const mostDelivered = 20_000;

const text = z.string().optional();
const waitingSession = z.strictObject({
  event: z.enum(['AssumeRoleWithWebIdentity', 'AssumeRole', 'AssumeRoleWithSAML']),
  time: z.number(),
  role: z.string(),
  durationSeconds: z.number().optional(),
  tags: z.record(z.string(), z.unknown()).optional(),
  authorizedByIdp: z.boolean(),
  byThumbprint: z.boolean(),
  eventId: text,
  account: text,
  region: text,
  requestId: text,
  accessKeyId: text,
  sessionName: text,
  sourceIdentity: text,
  provider: text,
  subject: text,
  sourceIp: text,
  userAgent: text,
});

export const watchState = z.strictObject({
  version: z.literal(1),
  /** Files of the trail that were read, and are still there. */
  files: z.array(z.string()),
  /** Those that a queue has named, the newest. */
  delivered: z.array(z.string()).default([]),
  waiting: z.array(waitingSession),
  /** Epoch milliseconds of the newest event, by account and Region. */
  newest: z.record(z.string(), z.number()),
  providers: z.array(z.string()),
  reported: z.array(z.string()),
  /** Counted since there is this state. */
  findings: z.record(z.enum(watchedClasses), z.number()),
  events: z.number(),
  unreadable: z.number(),
  /** Messages that name nothing that may be read. */
  refused: z.number().default(0),
  /** Messages that stayed once more, because S3 has long not given what they name. */
  withheld: z.number().default(0),
});
export type WatchState = z.output<typeof watchState>;

export const newWatchState: WatchState = {
  version: 1,
  files: [],
  delivered: [],
  waiting: [],
  newest: {},
  providers: [],
  reported: [],
  findings: { bypass: 0, other_provider: 0, unbound: 0, altered: 0, thumbprint: 0 },
  events: 0,
  unreadable: 0,
  refused: 0,
  withheld: 0,
};

/** What a look has read. */
export interface LookedAt {
  /** All that are there, read now or before. */
  readonly files: readonly string[];
  /** By messages. */
  readonly delivered: readonly string[];
  readonly unreadable: number;
  readonly refused: number;
  readonly withheld: number;
}

export interface LookOptions {
  readonly ledger: SessionLedger;
  /** Epoch milliseconds: until when the logs of all brokers are known. */
  readonly recordedUntil: number;
  /** Epoch milliseconds. */
  readonly now: number;
  readonly onFinding: (finding: TrailFinding) => void;
  /** There are more than `onFinding` is told of; all are counted. */
  readonly onMoreFindings: () => void;
}

/** One look: takes in what is new, judges what can be, and says what the next one begins with. */
export class TrailLook {
  readonly #before: WatchState;
  readonly #onMoreFindings: () => void;
  readonly #now: number;
  readonly #onFinding: (finding: TrailFinding) => void;
  readonly #check: TrailCheck;
  readonly #waiting: AssumedSession[] = [];
  #waitingChars = 0;
  #told = 0;
  readonly #reported: Set<string>;
  readonly #findings: Record<(typeof watchedClasses)[number], number>;

  constructor(
    before: WatchState,
    { ledger, recordedUntil, now, onFinding, onMoreFindings }: LookOptions,
  ) {
    this.#before = before;
    this.#now = now;
    this.#onFinding = onFinding;
    this.#onMoreFindings = onMoreFindings;
    this.#reported = new Set(before.reported);
    this.#findings = { ...before.findings };
    this.#check = new TrailCheck({
      ledger,
      recordedUntil,
      now,
      providers: before.providers,
      onFinding: (finding) => this.#report(finding),
      onUnjudged: (assumed) => this.#wait(assumed),
    });
    for (const assumed of before.waiting) this.#check.takeSession(assumed as AssumedSession);
  }

  take(record: JsonObject): void {
    this.#check.take(record);
  }

  /** Findings that wait for the record of their session. */
  judge(): number {
    this.#check.judge();
    return this.#check.open;
  }

  explain(record: JsonObject): void {
    this.#check.explain(record);
  }

  /** @throws RangeError if more waits than can be honest */
  after({ files, delivered, unreadable, refused, withheld }: LookedAt): WatchState {
    const waiting = this.#waiting;
    if (waiting.length > mostWaiting || this.#waitingChars > mostWaitingChars)
      throw new RangeError(`more sessions wait than can be kept: ${waiting.length}`);
    return {
      version: 1,
      files: [...files],
      delivered: [...this.#before.delivered, ...delivered].slice(-mostDelivered),
      waiting: waiting.map((assumed) => waitingSession.parse(assumed)),
      newest: this.#newest(),
      providers: [...this.#check.providers].slice(0, 1000),
      reported: [...this.#reported].slice(-mostReported),
      findings: this.#findings,
      events: this.#before.events + this.#check.events,
      unreadable: this.#before.unreadable + unreadable,
      refused: this.#before.refused + refused,
      withheld: this.#before.withheld + withheld,
    };
  }

  #newest(): Record<string, number> {
    const newest = new Map(Object.entries(this.#before.newest));
    for (const [place, time] of this.#check.newest()) {
      const known = newest.get(place);
      if (known === undefined && newest.size >= mostPlaces) continue;
      newest.set(place, Math.min(this.#now, Math.max(known ?? 0, time)));
    }
    return Object.fromEntries(newest);
  }

  #wait(assumed: AssumedSession): void {
    // One more than may be is enough to give no verdict.
    if (this.#waiting.length > mostWaiting || this.#waitingChars > mostWaitingChars) return;
    this.#waiting.push(assumed);
    this.#waitingChars += charsOf(assumed);
  }

  #report(finding: TrailFinding): void {
    const { accessKeyId, role, event } = finding;
    const time = Date.parse(finding.time);
    const key = `${finding.class} ${keyOf({ eventId: event?.eventId, time, role, accessKeyId })}`;
    const name = watchedClasses.find((watched) => watched === finding.class);
    if (name === undefined || this.#reported.has(key)) return;
    this.#findings[name] += 1;
    this.#told += 1;
    if (this.#told > mostTold) {
      if (this.#told === mostTold + 1) this.#onMoreFindings();
      return;
    }
    this.#reported.add(key);
    this.#onFinding(finding);
  }
}
