/** The sessions that brokers say they have made, and the roles that are theirs to give. */

import { isJsonObject, type JsonObject, parseJsonObject } from '../kit/json/json-object.ts';
import { type ComparedSession, fingerprint, foldedRole, tagsText } from './compared-session.ts';
import { hash64 } from './hash64.ts';

/** What a record says of a session. */
export interface RecordedSession extends ComparedSession {
  readonly accessKeyId: string;
  /** Epoch milliseconds: of the record, and when the keys end. */
  readonly recordedAt: number;
  readonly endsAt: number;
  readonly mapping: string | undefined;
}

/** Where a session is in the ledger, until the next one is taken in. */
export type Slot = number;

/** `bound`: STS was shown a token of the broker. `lost`: the request id was lost on the way. The others are set by the check. */
export const marks = {
  taken: 1,
  bound: 2,
  lost: 4,
  joined: 8,
  used: 16,
  altered: 32,
  phantom: 64,
  unused: 128,
  unbound: 256,
  thumbprint: 512,
} as const;

const firstSlots = 1024;
const fullAt = 0.7;

/**
 * A session takes about fifty bytes, so that ten million of them fit into half a gigabyte: hashes of the access key and of what
 * the trail is compared with. Whoever needs the words reads the logs again.
 */
export class SessionLedger {
  #slots = firstSlots;
  #sessions = 0;
  #keys = new Uint32Array(2 * firstSlots);
  #prints = new Uint32Array(2 * firstSlots);
  /** Epoch seconds. */
  #recordedAt = new Uint32Array(firstSlots);
  #endsAt = new Uint32Array(firstSlots);
  #roles = new Uint32Array(firstSlots);
  #mappings = new Uint32Array(firstSlots);
  #marks = new Uint16Array(firstSlots);
  readonly #texts = new TextTable();
  readonly #managed = new Set<string>();
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

  get size(): number {
    return this.#sessions;
  }

  manages(role: string): boolean {
    return this.#managed.has(foldedRole(role));
  }

  find(accessKeyId: string | undefined): Slot | undefined {
    if (accessKeyId === undefined) return undefined;
    const slot = this.#place(accessKeyId);
    return this.has(slot, marks.taken) ? slot : undefined;
  }

  *slots(): Generator<Slot> {
    for (let slot = 0; slot < this.#slots; slot += 1) if (this.#marks[slot] !== 0) yield slot;
  }

  has(slot: Slot, mark: number): boolean {
    return ((this.#marks[slot] ?? 0) & mark) !== 0;
  }

  mark(slot: Slot, mark: number): void {
    this.#marks[slot] = (this.#marks[slot] ?? 0) | mark;
  }

  unmark(slot: Slot, mark: number): void {
    this.#marks[slot] = (this.#marks[slot] ?? 0) & ~mark;
  }

  recordedAt(slot: Slot): number {
    return (this.#recordedAt[slot] ?? 0) * 1000;
  }

  endsAt(slot: Slot): number {
    return (this.#endsAt[slot] ?? 0) * 1000;
  }

  roleOf(slot: Slot): string {
    return this.#texts.text(this.#roles[slot] ?? 0);
  }

  /** Undefined where the record names none. */
  mappingOf(slot: Slot): string | undefined {
    return this.#texts.text(this.#mappings[slot] ?? 0) || undefined;
  }

  /** Whether it is what was recorded, in all that the two can be compared by. */
  isAsRecorded(slot: Slot, session: ComparedSession): boolean {
    const { bound, lost } = marks;
    const requestId = this.has(slot, lost) ? null : session.requestId;
    const [high, low] = fingerprint({ ...session, requestId, bound: this.has(slot, bound) });
    return this.#prints[2 * slot] === high && this.#prints[2 * slot + 1] === low;
  }

  /** A line of a log, and when it says it was written. Most are of sessions that are known already: those are not parsed. */
  takeLine(line: Buffer, time: number | undefined): void {
    const text = line.toString('latin1');
    const [, accessKeyId] = sessionForm.exec(text) ?? [];
    if (time !== undefined && this.find(accessKeyId) !== undefined) {
      this.#extend(time);
      return;
    }
    // The log is in ASCII.
    const record = parseJsonObject(text);
    if (record !== undefined) this.take(record);
  }

  take(record: JsonObject): void {
    this.#extend(Date.parse(text(record['time']) ?? ''));
    // What a mapping of any time names is managed: a session by one that was removed is a finding as well.
    for (const name of ['before', 'after', 'session'] as const) this.#manage(part(record, name));
    const session = recordedSession(record);
    if (session === undefined) return;
    if (this.#sessions >= this.#slots * fullAt) this.#grow();
    const slot = this.#place(session.accessKeyId);
    if (this.has(slot, marks.taken)) return;
    this.#sessions += 1;
    const [high, low] = fingerprint(session);
    this.#prints[2 * slot] = high;
    this.#prints[2 * slot + 1] = low;
    this.#recordedAt[slot] = session.recordedAt / 1000;
    this.#endsAt[slot] = session.endsAt / 1000;
    this.#roles[slot] = this.#texts.number(session.role);
    this.#mappings[slot] = this.#texts.number(session.mapping ?? '');
    this.mark(
      slot,
      marks.taken |
        (session.bound ? marks.bound : 0) |
        (session.requestId === null ? marks.lost : 0),
    );
  }

  #extend(time: number): void {
    if (Number.isNaN(time)) return;
    this.#from = Math.min(this.#from, time);
    this.#until = Math.max(this.#until, time);
  }

  #manage({ role }: JsonObject): void {
    if (typeof role === 'string' && role !== '*') this.#managed.add(foldedRole(role));
  }

  /** Where the key is, or would be put. */
  #place(accessKeyId: string): Slot {
    const [high, low] = hash64(accessKeyId);
    return this.#placeOf(high, low);
  }

  #placeOf(high: number, low: number): Slot {
    let slot = low & (this.#slots - 1);
    for (;;) {
      const isEmpty = this.#marks[slot] === 0;
      if (isEmpty) {
        this.#keys[2 * slot] = high;
        this.#keys[2 * slot + 1] = low;
        return slot;
      }
      if (this.#keys[2 * slot] === high && this.#keys[2 * slot + 1] === low) return slot;
      slot = (slot + 1) & (this.#slots - 1);
    }
  }

  #grow(): void {
    const old = {
      slots: this.#slots,
      keys: this.#keys,
      prints: this.#prints,
      recordedAt: this.#recordedAt,
      endsAt: this.#endsAt,
      roles: this.#roles,
      mappings: this.#mappings,
      marks: this.#marks,
    };
    this.#slots *= 2;
    this.#keys = new Uint32Array(2 * this.#slots);
    this.#prints = new Uint32Array(2 * this.#slots);
    this.#recordedAt = new Uint32Array(this.#slots);
    this.#endsAt = new Uint32Array(this.#slots);
    this.#roles = new Uint32Array(this.#slots);
    this.#mappings = new Uint32Array(this.#slots);
    this.#marks = new Uint16Array(this.#slots);
    for (let from = 0; from < old.slots; from += 1) {
      if (old.marks[from] === 0) continue;
      const at = (column: Uint32Array | Uint16Array, index: number) => column[index] ?? 0;
      const slot = this.#placeOf(at(old.keys, 2 * from), at(old.keys, 2 * from + 1));
      this.#prints[2 * slot] = at(old.prints, 2 * from);
      this.#prints[2 * slot + 1] = at(old.prints, 2 * from + 1);
      this.#recordedAt[slot] = at(old.recordedAt, from);
      this.#endsAt[slot] = at(old.endsAt, from);
      this.#roles[slot] = at(old.roles, from);
      this.#mappings[slot] = at(old.mappings, from);
      this.#marks[slot] = at(old.marks, from);
    }
  }
}

/** Texts that come again and again, kept once each, by number. */
class TextTable {
  readonly #numbers = new Map<string, number>();
  readonly #texts: string[] = [];

  number(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const number = this.#texts.push(text) - 1;
    this.#numbers.set(text, number);
    return number;
  }

  text(number: number): string {
    return this.#texts[number] ?? '';
  }
}

/** As the log writes it: nothing that a caller has chosen can hold a quotation mark that is not escaped. */
const sessionForm = /,"credentials":\{"cached":(?:true|false),"accessKeyId":"([^"\\]+)"/;

/** Undefined for a record of which no session came, or that does not say when. */
export function recordedSession(record: JsonObject): RecordedSession | undefined {
  const credentials = part(record, 'credentials');
  const accessKeyId = text(credentials['accessKeyId']);
  if (accessKeyId === undefined) return undefined;
  const recordedAt = Date.parse(text(record['time']) ?? '');
  // Every broker says when: without that it bears out nothing.
  if (Number.isNaN(recordedAt)) return undefined;
  const session = part(record, 'session');
  return {
    accessKeyId,
    recordedAt,
    endsAt: Date.parse(text(credentials['expiration']) ?? ''),
    requestId: text(credentials['stsRequestId']) ?? null,
    role: text(session['role']) ?? '',
    sessionName: text(session['name']),
    durationSeconds: Number(session['durationSeconds']),
    sourceIdentity: text(session['sourceIdentity']),
    tags: tagsText(session['tags']),
    mapping: text(part(record, 'mapping')['id']),
    bound: credentials['webIdentity'] !== undefined,
  };
}

function part(record: JsonObject, name: string): JsonObject {
  const value = record[name];
  return isJsonObject(value) ? value : {};
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
