/** Holds the sessions of a trail against what brokers have recorded, and names what does not fit. */

import type { JsonObject } from '../kit/json/json-object.ts';
import {
  type AssumedSession,
  assumedSession,
  callingKey,
  placeAndTime,
} from './assumed-session.ts';
import { foldedRole, type LedgerSession, type SessionLedger, tagsText } from './session-ledger.ts';

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

export interface Finding {
  readonly class: FindingClass;
  readonly time: string;
  readonly role: string;
  readonly accessKeyId: string | undefined;
  readonly sessionName: string | undefined;
  readonly mapping?: string | undefined;
  /** What differs: in the record, and in the trail. */
  readonly differences?: Readonly<Record<string, readonly [recorded: unknown, inTrail: unknown]>>;
  readonly event?: Omit<AssumedSession, 'role' | 'accessKeyId' | 'sessionName' | 'time' | 'tags'>;
}

export interface TrailCheckOptions {
  readonly ledger: SessionLedger;
  /** Until when the logs of all brokers are known. Epoch milliseconds. */
  readonly recordedUntil: number;
  readonly onFinding: (finding: Finding) => void;
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
/** What STS takes where a request does not say. */
const stsDefaultSeconds = 3600;

interface Place {
  from: number;
  until: number;
}

export class TrailCheck {
  readonly #options: TrailCheckOptions;
  /** By account and Region, and by account alone. */
  readonly #places = new Map<string, Place>();
  readonly #providers = new Set<string>();
  /** Sessions of managed roles that are not on record: few, unless something is very wrong. */
  readonly #unknown = new Map<string, AssumedSession>();
  #events = 0;
  #joined = 0;
  #unjudgedEvents = 0;

  constructor(options: TrailCheckOptions) {
    this.#options = options;
  }

  take(record: JsonObject): void {
    this.#events += 1;
    this.#notePlace(record);
    const { ledger } = this.#options;
    const caller = ledger.session(callingKey(record));
    if (caller !== undefined) caller.used = true;
    const assumed = assumedSession(record);
    if (assumed === undefined) return;
    const known = ledger.session(assumed.accessKeyId);
    if (known !== undefined) this.#join(known, assumed);
    else if (ledger.manages(assumed.role))
      this.#unknown.set(assumed.eventId ?? keyOf(assumed), assumed);
  }

  /** Judges what had to wait for all of the trail. */
  finish(findUnused: boolean): TrailSummary {
    for (const assumed of this.#unknown.values()) this.#judgeUnknown(assumed);
    let unjudgedSessions = 0;
    for (const session of this.#options.ledger.sessions()) {
      if (!session.joined && !this.#judgeMissing(session)) unjudgedSessions += 1;
      else if (findUnused && session.joined && !session.used) this.#judgeUnused(session);
    }
    const { ledger } = this.#options;
    return {
      events: this.#events,
      sessions: ledger.size,
      joined: this.#joined,
      unjudged: { events: this.#unjudgedEvents, sessions: unjudgedSessions },
      watermarks: Object.fromEntries(
        [...this.#places].map(([place, { until }]) => [place, new Date(until).toISOString()]),
      ),
    };
  }

  #notePlace(record: JsonObject): void {
    const place = placeAndTime(record);
    if (place === undefined) return;
    for (const name of [place.account, `${place.account}/${place.region}`]) {
      const known = this.#places.get(name);
      if (known === undefined) this.#places.set(name, { from: place.time, until: place.time });
      else {
        known.from = Math.min(known.from, place.time);
        known.until = Math.max(known.until, place.time);
      }
    }
  }

  #join(known: LedgerSession, assumed: AssumedSession): void {
    // CloudTrail may deliver an event twice.
    if (known.joined) return;
    known.joined = true;
    this.#joined += 1;
    if (assumed.provider !== undefined) this.#providers.add(assumed.provider);
    const differences = differencesOf(known, assumed);
    if (Object.keys(differences).length > 0)
      this.#report('altered', assumed, { differences, mapping: known.mapping });
    if (known.bound && !assumed.authorizedByIdp)
      this.#report('unbound', assumed, { mapping: known.mapping });
    if (assumed.byThumbprint) this.#report('thumbprint', assumed, { mapping: known.mapping });
  }

  #judgeUnknown(assumed: AssumedSession): void {
    const { ledger, recordedUntil } = this.#options;
    const isCovered =
      assumed.time >= ledger.extent.from - windowMs && assumed.time + windowMs <= recordedUntil;
    const isForeign =
      assumed.event !== 'AssumeRoleWithWebIdentity' ||
      (assumed.provider !== undefined &&
        this.#providers.size > 0 &&
        !this.#providers.has(assumed.provider));
    if (isForeign) this.#report('other_provider', assumed);
    else if (isCovered) this.#report('bypass', assumed);
    else this.#unjudgedEvents += 1;
  }

  /** False: it is too early to say, or the trail does not reach there. */
  #judgeMissing(session: LedgerSession): boolean {
    const account = session.role.split(':')[4] ?? '';
    const place = this.#places.get(account);
    if (place === undefined || session.recordedAt < place.from + windowMs) return false;
    if (session.recordedAt + phantomMs > place.until - deliveredMs) return false;
    this.#report('phantom', session, { mapping: session.mapping });
    return true;
  }

  #judgeUnused(session: LedgerSession): void {
    const place = this.#places.get(session.role.split(':')[4] ?? '');
    if (place === undefined || session.endsAt > place.until - deliveredMs) return;
    this.#report('unused', session, { mapping: session.mapping });
  }

  #report(
    name: FindingClass,
    about: AssumedSession | LedgerSession,
    more: Pick<Finding, 'differences' | 'mapping'> = {},
  ): void {
    const { role, accessKeyId, sessionName } = about;
    const time = new Date('recordedAt' in about ? about.recordedAt : about.time).toISOString();
    this.#options.onFinding({
      class: name,
      time,
      role,
      accessKeyId,
      sessionName,
      ...more,
      ...('recordedAt' in about ? {} : { event: detailsOf(about) }),
    });
  }
}

function detailsOf(assumed: AssumedSession): NonNullable<Finding['event']> {
  const { role, accessKeyId, sessionName, time, tags, ...details } = assumed;
  return details;
}

function keyOf({ time, requestId, accessKeyId }: AssumedSession): string {
  return `${time} ${requestId} ${accessKeyId}`;
}

function differencesOf(known: LedgerSession, assumed: AssumedSession) {
  const compared: readonly (readonly [name: string, recorded: unknown, inTrail: unknown])[] = [
    ['role', foldedRole(known.role), foldedRole(assumed.role)],
    ['sessionName', known.sessionName, assumed.sessionName],
    ['durationSeconds', known.durationSeconds, assumed.durationSeconds ?? stsDefaultSeconds],
    // In the caller's own token its issuer may have put some: the broker records those that are its own.
    ...(known.bound
      ? ([
          ['sourceIdentity', known.sourceIdentity, assumed.sourceIdentity],
          ['tags', known.tags, tagsText(assumed.tags)],
        ] as const)
      : []),
    // Where it was lost on the way, the access key is the join.
    ['requestId', known.requestId ?? assumed.requestId, assumed.requestId],
  ];
  return Object.fromEntries(
    compared
      .filter(([, recorded, inTrail]) => recorded !== inTrail)
      .map(([name, recorded, inTrail]) => [name, [recorded ?? null, inTrail ?? null]] as const),
  );
}
