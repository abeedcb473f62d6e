import { LRUCache } from 'lru-cache';
import { callerKey } from '../core/caller.ts';
import type { IssuedSession, IssueResult } from '../core/credentials.ts';
import { BrokerError, type BrokerErrorCode } from '../core/errors.ts';
import type { CredentialIssuer, HeldSessions, Urgency } from '../core/ports.ts';
import type { SessionPlan } from '../core/session/session.ts';
import { SingleFlight } from '../kit/calls/single-flight.ts';
import { equalJitter } from '../kit/timing/backoff.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { type Moment, momentAt, remainingMs } from '../kit/timing/moment.ts';
import { componentsLength, sameSession, sessionKey } from './session-key.ts';
import { leastRemainingMs, minRemainingMs, renewalRemainingMs } from './session-lifetime.ts';

/**
 * - `hit`, `stale`: answered from the cache; stale ones because STS is failing.
 * - `miss`, `joined`: needed an exchange; joined one that was already under way.
 * - `renewed`, `renewal_failed`: ends of background renewals.
 * - `expired`, `withdrawn`, `purged`, `displaced`, `surplus`: why entries left: too little life, refused by STS,
 *   purge, bounds, the bound of one caller.
 */
export const cacheEvents = [
  'hit',
  'stale',
  'miss',
  'joined',
  'renewed',
  'renewal_failed',
  'expired',
  'withdrawn',
  'purged',
  'displaced',
  'surplus',
] as const;
export type CacheEvent = (typeof cacheEvents)[number];

export interface CredentialCacheOptions {
  readonly issuer: CredentialIssuer;
  readonly clock: Clock;
  readonly maxEntries?: number;
  /** Of one caller; one more takes the place of the one that was made first. */
  readonly maxEntriesPerCaller?: number;
  /** Of session tokens and what belongs to them, by estimate. */
  readonly maxBytes?: number;
  /** Background renewals under way at a time; callers who wait for credentials are not counted. */
  readonly maxRenewals?: number;
  readonly random?: () => number;
  readonly observer?: (event: CacheEvent) => void;
}

/**
 * Keeps issued sessions and hands them out again to the same caller for the same plan, and to nobody else.
 *
 * A hit is answered without a promise. Equal requests share one exchange. Entries are renewed in the
 * background, with the token of a caller who is asking at that moment, never with a stored one. While STS is
 * failing, what is there is handed out until a minute before it ends; what STS refuses to renew is dropped.
 */
export class CredentialCache implements CredentialIssuer, HeldSessions {
  readonly #issuer: CredentialIssuer;
  readonly #clock: Clock;
  readonly #maxRenewals: number;
  readonly #maxEntriesPerCaller: number;
  readonly #random: () => number;
  readonly #observe: (event: CacheEvent) => void;
  readonly #entries: LRUCache<string, Entry>;
  /** The keys of each caller's entries, in the order in which they were made. */
  readonly #keysOfCallers = new Map<string, readonly string[]>();
  /** The same entries, by access key id. */
  readonly #byAccessKey = new Map<string, Entry>();
  readonly #exchanges = new SingleFlight<string, Entry>();
  /** Digest of the token that leads the exchange under way. */
  readonly #leaders = new Map<string, string>();
  #renewals = 0;
  #purges = 0;

  constructor({
    issuer,
    clock,
    maxEntries = 10_000,
    maxEntriesPerCaller = 16,
    maxBytes = 96 * 1024 * 1024,
    maxRenewals = 20,
    random = Math.random,
    observer,
  }: CredentialCacheOptions) {
    this.#issuer = issuer;
    this.#clock = clock;
    this.#maxRenewals = maxRenewals;
    this.#maxEntriesPerCaller = maxEntriesPerCaller;
    this.#random = random;
    this.#observe = observer ?? (() => {});
    this.#entries = new LRUCache({
      max: maxEntries,
      maxSize: maxBytes,
      sizeCalculation: sizeBytes,
      dispose: (entry, key, reason) => {
        const { accessKeyId } = entry.result.session.credentials;
        if (this.#byAccessKey.get(accessKeyId) === entry) this.#byAccessKey.delete(accessKeyId);
        if (reason !== 'set') this.#forget(key, entry);
        if (reason === 'evict') this.#observe('displaced');
      },
    });
  }

  /** Entries, including those that have ended and were not asked for since. */
  get size(): number {
    return this.#entries.size;
  }

  /** Of all entries, by estimate. */
  get bytes(): number {
    return this.#entries.calculatedSize;
  }

  /** Renewals in the background that are under way. */
  get renewals(): number {
    return this.#renewals;
  }

  /** @throws BrokerError as the decorated issuer does, when nothing in the cache can stand in. */
  issue(plan: SessionPlan, token: string): IssueResult | Promise<IssueResult> {
    const key = sessionKey(plan);
    const entry = this.#entries.get(key);
    if (entry === undefined) return this.#obtain(key, plan, token);
    requireSameSession(entry, plan);

    const remainingMs = this.#remainingMs(entry);
    if (remainingMs >= minRemainingMs(plan.durationSeconds)) {
      if (remainingMs <= entry.renewalRemainingMs) this.#renewAhead(key, entry, plan, token);
      this.#observe('hit');
      return entry.result;
    }
    if (remainingMs < leastRemainingMs) {
      this.#entries.delete(key);
      this.#observe('expired');
      return this.#obtain(key, plan, token);
    }
    return this.#isPaused(entry) ? this.#stale(entry) : this.#renewNow(key, plan, token);
  }

  /**
   * Drops the entries whose plan satisfies the predicate. Exchanges under way still answer those who wait for
   * them, but nothing of them is kept.
   *
   * @returns how many entries were dropped.
   */
  purge(predicate: (plan: SessionPlan) => boolean): number {
    this.#purges += 1;
    let purged = 0;
    for (const [key, { plan }] of [...this.#entries.entries()]) {
      if (!predicate(plan)) continue;
      this.#entries.delete(key);
      this.#observe('purged');
      purged += 1;
    }
    return purged;
  }

  sessionOfKey(accessKeyId: string): IssuedSession | undefined {
    return this.#byAccessKey.get(accessKeyId)?.result.session;
  }

  async #renewNow(key: string, plan: SessionPlan, token: string): Promise<IssueResult> {
    try {
      return await this.#obtain(key, plan, token);
    } catch (error) {
      // Not the entry from before the exchange: it may have been withdrawn or purged meanwhile.
      const kept = this.#entries.peek(key);
      if (!isOutage(error) || kept === undefined) throw error;
      if (this.#remainingMs(kept) < leastRemainingMs) throw error;
      return this.#stale(kept);
    }
  }

  #stale(entry: Entry): IssueResult {
    this.#observe('stale');
    return entry.result;
  }

  async #obtain(key: string, plan: SessionPlan, token: string): Promise<IssueResult> {
    const asked: Asked = { key, plan, token, purges: this.#purges };
    for (let joins = 0; joins < maxJoins; joins += 1) {
      const running = this.#exchanges.running(key);
      if (running === undefined) return this.#led(this.#sharedExchange(asked));
      const leader = this.#leaders.get(key);
      try {
        return await this.#joined(running, plan);
      } catch (error) {
        // Another token of the same caller was refused, which says nothing about this one.
        if (!concernsToken(error) || leader === plan.caller.tokenSha256) throw error;
      }
    }
    // One exchange for each token that is left, however many requests come with it.
    const own = `${key} ${plan.caller.tokenSha256}`;
    const running = this.#exchanges.running(own);
    if (running !== undefined) return this.#joined(running, plan);
    return this.#led(this.#exchanges.run(own, () => this.#exchange(asked)));
  }

  async #joined(running: Promise<Entry>, plan: SessionPlan): Promise<IssueResult> {
    const entry = await running;
    requireSameSession(entry, plan);
    this.#observe('joined');
    return entry.result;
  }

  async #led(exchange: Promise<Entry>): Promise<IssueResult> {
    this.#observe('miss');
    const { result } = await exchange;
    return { session: result.session, cached: false };
  }

  #renewAhead(key: string, entry: Entry, plan: SessionPlan, token: string): void {
    if (this.#renewals >= this.#maxRenewals) return;
    if (this.#exchanges.running(key) !== undefined || this.#isPaused(entry)) return;
    // STS would refuse a token that ends on the way.
    if (plan.caller.expiresAt - this.#clock.now() <= leastRemainingMs) return;
    this.#renewals += 1;
    const urgency = 'background';
    this.#sharedExchange({ key, plan, token, urgency, purges: this.#purges })
      .then(
        () => this.#observe('renewed'),
        () => this.#observe('renewal_failed'),
      )
      .finally(() => {
        this.#renewals -= 1;
      });
  }

  #sharedExchange(asked: Asked): Promise<Entry> {
    const { key, plan } = asked;
    this.#leaders.set(key, plan.caller.tokenSha256);
    return this.#exchanges.run(key, async () => {
      try {
        return await this.#exchange(asked);
      } finally {
        this.#leaders.delete(key);
      }
    });
  }

  async #exchange({ key, plan, token, urgency, purges }: Asked): Promise<Entry> {
    try {
      const { session } = await this.#issuer.issue(plan, token, urgency);
      const entry = this.#newEntry(plan, session);
      // What was purged must not come back by a request that was decided before.
      if (purges === this.#purges) this.#keep(key, entry);
      return entry;
    } catch (error) {
      this.#noteFailure(key, error);
      throw error;
    }
  }

  #keep(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    // One that is larger than the whole cache is not kept.
    if (this.#entries.peek(key) !== entry) {
      this.#forget(key, entry);
      return;
    }
    this.#byAccessKey.set(entry.result.session.credentials.accessKeyId, entry);
    this.#makeRoom(key, callerKey(entry.plan.caller));
  }

  /** Whoever thinks of ever new durations, names and policies displaces their own sessions, and nobody else's (T67). */
  #makeRoom(key: string, caller: string): void {
    const others = (this.#keysOfCallers.get(caller) ?? []).filter((other) => other !== key);
    const surplus = others.splice(0, others.length + 1 - this.#maxEntriesPerCaller);
    // Nearly always the only one: a list that it is pushed or spread into has room for 17.
    this.#keysOfCallers.set(caller, others.concat(key));
    for (const oldest of surplus) {
      this.#entries.delete(oldest);
      this.#observe('surplus');
    }
  }

  #forget(key: string, { plan }: Entry): void {
    const caller = callerKey(plan.caller);
    const left = (this.#keysOfCallers.get(caller) ?? []).filter((other) => other !== key);
    if (left.length === 0) this.#keysOfCallers.delete(caller);
    else this.#keysOfCallers.set(caller, left);
  }

  #noteFailure(key: string, error: unknown): void {
    const entry = this.#entries.peek(key);
    if (entry === undefined) return;
    if (isOutage(error)) {
      entry.pausedUntil = this.#clock.monotonic() + equalJitter(longestPauseMs, this.#random);
      return;
    }
    // STS no longer allows this session: what is left of the last one is not handed out either.
    this.#entries.delete(key);
    this.#observe('withdrawn');
  }

  #newEntry(plan: SessionPlan, session: IssuedSession): Entry {
    const { expiresAt } = session.credentials;
    const lifetimeMs = expiresAt - session.issuedAt;
    const { epochMs, monotonicMs } = momentAt(this.#clock, expiresAt);
    return {
      plan,
      result: Object.freeze({ session, cached: true }),
      renewalRemainingMs: renewalRemainingMs(plan.durationSeconds, lifetimeMs, this.#random()),
      epochMs,
      monotonicMs,
      pausedUntil: 0,
    };
  }

  #remainingMs(entry: Entry): number {
    return remainingMs(this.#clock, entry);
  }

  #isPaused(entry: Entry): boolean {
    return this.#clock.monotonic() < entry.pausedUntil;
  }
}

interface Asked {
  readonly key: string;
  readonly plan: SessionPlan;
  readonly token: string;
  readonly urgency?: Urgency;
  /** How many purges there had been when the session was asked for. */
  readonly purges: number;
}

/** With the moment at which the session ends. */
interface Entry extends Moment {
  readonly plan: SessionPlan;
  readonly result: IssueResult;
  readonly renewalRemainingMs: number;
  /** Monotonic: no renewal before that, because the last one met an outage. */
  pausedUntil: number;
}

const overheadBytes = 4_224;
const maxJoins = 3;
const longestPauseMs = 20_000;

/**
 * Strings of the session and of the plan, and the objects that are there because of it: of the caller, the verified token,
 * the printed answer and the end of its audit record. `npm run bench -- --only memory` compares it with the truth.
 */
function sizeBytes({ result: { session }, plan }: Entry): number {
  const { accessKeyId, secretAccessKey, sessionToken } = session.credentials;
  return (
    overheadBytes +
    // In the printed answer as well.
    2 * (accessKeyId.length + secretAccessKey.length) +
    sessionToken.length +
    session.assumedRoleArn.length +
    componentsLength(plan)
  );
}

/** A failure that says nothing about the session: STS, or what is needed on the way to it, is at fault. */
const outages: ReadonlySet<BrokerErrorCode> = new Set([
  'sts_unavailable',
  'sts_throttled',
  'sts_bad_response',
  'web_identity_unavailable',
  'audit_unavailable',
  'overloaded',
]);

function isOutage(error: unknown): boolean {
  return error instanceof BrokerError && outages.has(error.code);
}

/** A verdict of STS on one token: whoever brings another one has theirs tried. */
const verdictsOnTokens: ReadonlySet<BrokerErrorCode> = new Set([
  'token_expired',
  'sts_token_rejected',
  'sts_access_denied',
]);

function concernsToken(error: unknown): boolean {
  return error instanceof BrokerError && verdictsOnTokens.has(error.code);
}

/** Cannot differ while keys are digests of the same components; if it ever does, nobody gets anything (T28). */
function requireSameSession(entry: Entry, plan: SessionPlan): void {
  if (entry.plan === plan || sameSession(entry.plan, plan)) return;
  throw new BrokerError('internal_error', { reason: 'cache_entry_of_another_caller' });
}
