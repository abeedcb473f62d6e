/** The sessions that brokers say they have made, and the roles that are theirs to give. */

import { isJsonObject, type JsonObject } from '../kit/json/json-object.ts';

export interface LedgerSession {
  readonly accessKeyId: string;
  /** Epoch milliseconds of the first record that has it, and when its keys end. */
  readonly recordedAt: number;
  readonly endsAt: number;
  /** Null: it was lost on the way. */
  readonly requestId: string | null;
  readonly role: string;
  readonly sessionName: string;
  readonly durationSeconds: number;
  readonly sourceIdentity: string | undefined;
  /** As JSON of the sorted entries; one text for all that are equal. */
  readonly tags: string | undefined;
  readonly mapping: string | undefined;
  /** STS was shown a token of the broker, which is bound to the role. */
  readonly bound: boolean;
  joined: boolean;
  used: boolean;
}

/** IAM takes names that differ in case alone for the same. */
export function foldedRole(arn: string): string {
  return arn.toLowerCase();
}

export class SessionLedger {
  readonly #sessions = new Map<string, LedgerSession>();
  readonly #managed = new Set<string>();
  /** Texts that come again and again are kept once. */
  readonly #texts = new Map<string, string>();
  #from = Number.POSITIVE_INFINITY;
  #until = Number.NEGATIVE_INFINITY;

  constructor(managedRoles: readonly string[]) {
    for (const role of managedRoles) this.#managed.add(foldedRole(role));
  }

  /** When the first record was written, and the last one. */
  get extent(): { readonly from: number; readonly until: number } {
    return { from: this.#from, until: this.#until };
  }

  get managedRoles(): number {
    return this.#managed.size;
  }

  manages(role: string): boolean {
    return this.#managed.has(foldedRole(role));
  }

  session(accessKeyId: string | undefined): LedgerSession | undefined {
    return accessKeyId === undefined ? undefined : this.#sessions.get(accessKeyId);
  }

  sessions(): IterableIterator<LedgerSession> {
    return this.#sessions.values();
  }

  get size(): number {
    return this.#sessions.size;
  }

  take(record: JsonObject): void {
    const time = Date.parse(text(record['time']) ?? '');
    if (!Number.isNaN(time)) {
      this.#from = Math.min(this.#from, time);
      this.#until = Math.max(this.#until, time);
    }
    for (const name of ['before', 'after', 'session'] as const) this.#manage(part(record, name));
    const credentials = part(record, 'credentials');
    const accessKeyId = text(credentials['accessKeyId']);
    if (accessKeyId === undefined || this.#sessions.has(accessKeyId)) return;
    const session = part(record, 'session');
    this.#sessions.set(accessKeyId, {
      accessKeyId,
      recordedAt: time,
      endsAt: Date.parse(text(credentials['expiration']) ?? ''),
      requestId: text(credentials['stsRequestId']) ?? null,
      role: this.#once(text(session['role']) ?? ''),
      sessionName: this.#once(text(session['name']) ?? ''),
      durationSeconds: Number(session['durationSeconds']),
      sourceIdentity: this.#onceIf(text(session['sourceIdentity'])),
      tags: this.#onceIf(tagsText(session['tags'])),
      mapping: this.#onceIf(text(part(record, 'mapping')['id'])),
      bound: credentials['webIdentity'] !== undefined,
      joined: false,
      used: false,
    });
  }

  /** What a mapping of any time names is managed: a session by one that was removed is a finding as well. */
  #manage({ role }: JsonObject): void {
    if (typeof role === 'string' && role !== '*') this.#managed.add(foldedRole(role));
  }

  #onceIf(value: string | undefined): string | undefined {
    return value === undefined ? undefined : this.#once(value);
  }

  #once(value: string): string {
    const known = this.#texts.get(value);
    if (known === undefined) this.#texts.set(value, value);
    return known ?? value;
  }
}

/** Undefined where there are none. */
export function tagsText(tags: unknown): string | undefined {
  if (!isJsonObject(tags)) return undefined;
  const entries = Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? undefined : JSON.stringify(entries);
}

function part(record: JsonObject, name: string): JsonObject {
  const value = record[name];
  return isJsonObject(value) ? value : {};
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
