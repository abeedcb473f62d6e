/** The entries of a trail's file, one after the other: never all of them at once, because a small file may hold more than there is memory for. */

import { isJsonObject, type JsonObject, parseJsonObject } from '../kit/json/json-object.ts';
import { type ValueEnd, valueEnd } from '../kit/json/value-end.ts';
import { isUnclearSession } from './assumed-session.ts';

/** An event, or why it is none. Without the number of a line, or of an entry of the list, the rest of the file cannot be read. */
export type TrailEntry =
  | { readonly record: JsonObject }
  | { readonly line?: number; readonly why: string };

/** In one file. No event of CloudTrail is so short that there would be room for more. */
const mostEntries = 1_000_000;
/** An event has 256 KiB by itself, and 1 MiB where that is asked for. */
const maxEntryBytes = 4 * 1024 * 1024;
/** Parameters of a call lie in each other some twenty times; thousands would end whatever walks through them. */
const maxDepth = 500;
const byteOrderMark = Buffer.from('\ufeff');
const lineFeed = 0x0a;
const blanks: ReadonlySet<number | undefined> = new Set([0x20, 0x09, lineFeed, 0x0d]);

/** Of a file of JSON lines. */
export function* lineEntries(bytes: Buffer): Generator<TrailEntry> {
  let from = startOf(bytes);
  for (let line = 1; from < bytes.length; line += 1) {
    if (line > mostEntries) return yield tooMany;
    const feed = bytes.indexOf(lineFeed, from);
    const end = feed < 0 ? bytes.length : feed;
    if (afterBlanks(bytes, from, end) < end) {
      const depth = valueEnd(bytes.subarray(from, end), 0)?.depth ?? 0;
      yield entryOf(bytes, { from, end, depth }, line);
    }
    from = end + 1;
  }
}

/** Of a document with a list of Records. */
export function* documentEntries(bytes: Buffer): Generator<TrailEntry> {
  const document = new TrailDocument(bytes);
  if (!(yield* document.entries())) yield { why: document.fault };
}

class TrailDocument {
  readonly #bytes: Buffer;
  #at: number;
  #lists = 0;
  /** A file of hashes that lies among those with events. */
  #isDigest = false;
  #entries = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#at = startOf(bytes);
  }

  /** Why it is none, or not to its end. */
  get fault(): string {
    if (this.#entries > mostEntries) return tooMany.why;
    if (this.#lists > 0)
      return 'ends within its list of Records, or is broken there: fetch it again';
    return 'is no file of a trail: it has no list of Records';
  }

  /** False: it ends too early, or is no such document. */
  *entries(): Generator<TrailEntry, boolean> {
    if (this.#next() !== '{') return false;
    for (;;) {
      if (!(yield* this.#member())) return false;
      const mark = this.#next();
      if (mark !== ',') return mark === '}' && this.#isEnd() && this.#isKnown();
    }
  }

  *#member(): Generator<TrailEntry, boolean> {
    const name = this.#name();
    if (name === undefined || this.#next() !== ':') return false;
    this.#skipBlanks();
    const first = this.#bytes[this.#at];
    if (name === 'Records' && first === '['.charCodeAt(0)) return yield* this.#list();
    if (name === 'digestS3Object' && first === '"'.charCodeAt(0)) this.#isDigest = true;
    return this.#value() !== undefined;
  }

  *#list(): Generator<TrailEntry, boolean> {
    this.#lists += 1;
    this.#next();
    this.#skipBlanks();
    if (this.#bytes[this.#at] === ']'.charCodeAt(0)) return this.#next() === ']';
    for (;;) {
      const entry = this.#value();
      this.#entries += 1;
      if (entry === undefined || this.#entries > mostEntries) return false;
      yield entryOf(this.#bytes, entry, this.#entries);
      const mark = this.#next();
      if (mark !== ',') return mark === ']';
    }
  }

  #name(): string | undefined {
    const value = this.#value();
    // Longer ones are none that count.
    const text =
      value && this.#bytes.toString('utf8', value.from, Math.min(value.end, value.from + 100));
    if (text?.startsWith('"') !== true) return undefined;
    const { name } = parseJsonObject(`{"name":${text}}`) ?? {};
    return typeof name === 'string' ? name : '';
  }

  #value(): Value | undefined {
    this.#skipBlanks();
    const from = this.#at;
    const value = valueEnd(this.#bytes, from);
    if (value === undefined || value.end === from) return undefined;
    this.#at = value.end;
    return { from, ...value };
  }

  #next(): string {
    this.#skipBlanks();
    const byte = this.#bytes[this.#at];
    this.#at += 1;
    return byte === undefined ? '' : String.fromCharCode(byte);
  }

  #skipBlanks(): void {
    this.#at = afterBlanks(this.#bytes, this.#at);
  }

  #isKnown(): boolean {
    return this.#lists > 0 || this.#isDigest;
  }

  #isEnd(): boolean {
    return afterBlanks(this.#bytes, this.#at) === this.#bytes.length;
  }
}

const tooMany = { why: `holds more than ${mostEntries} entries, which no file of CloudTrail does` };

interface Value extends ValueEnd {
  readonly from: number;
}

function entryOf(bytes: Buffer, { from, end, depth }: Value, line: number): TrailEntry {
  if (end - from > maxEntryBytes)
    return { line, why: `is no event: it has more than ${maxEntryBytes} bytes` };
  if (depth > maxDepth)
    return { line, why: `is no event: its parts lie in each other ${depth} times` };
  const record = parseJsonObject(bytes.toString('utf8', from, end));
  if (record === undefined) return { line, why: 'is no event: it is no JSON object' };
  const event = eventIn(record);
  return isUnclearSession(event)
    ? { line, why: 'is a session of which it does not say the role, or when' }
    : { record: event };
}

/** What EventBridge delivers has the event inside. */
function eventIn(record: JsonObject): JsonObject {
  const { detail } = record;
  return typeof record['detail-type'] === 'string' && isJsonObject(detail) ? detail : record;
}

/** Behind the mark that some editors begin a text with. */
function startOf(bytes: Buffer): number {
  const isMarked = bytes.subarray(0, byteOrderMark.length).equals(byteOrderMark);
  return isMarked ? byteOrderMark.length : 0;
}

function afterBlanks(bytes: Buffer, from: number, to = bytes.length): number {
  let at = from;
  while (at < to && blanks.has(bytes[at])) at += 1;
  return at;
}
