import { hash } from 'node:crypto';
import type {
  AuditedCredentials,
  AuditRecord,
  ExchangeRecord,
  MappingChangeRecord,
} from '../core/audit-record.ts';
import { asciiJson } from '../kit/json/ascii-json.ts';
import type { LogEvent } from './log-event.ts';

/** Longest string that a record keeps whole, in UTF-16 units; the documents of a mapping change are exempt. */
export const maxStringLength = 1024;
/** Longest line of the log, seal included: readers of the log may rely on it. */
export const maxLineBytes = 16 * 1024;
/** Room for `seq`, `chain`, `prev`, `hash` and the mark of truncation. */
const sealBytes = 320;
const maxFieldsBytes = maxLineBytes - sealBytes;

/**
 * A record as the inner text of a JSON object: printable ASCII only, everything else escaped, so that no
 * value can end the line, or change how a terminal or viewer shows it (threat T39). What is too long is cut
 * and the record is marked `"truncated":true`: a long record must never keep the log from being written.
 *
 * Frozen objects inside a record are printed once: on the warm path the caller, the session and the
 * credentials are the same objects each time.
 */
export function recordFields(record: AuditRecord | LogEvent): string {
  const { text, cut } = isIssue(record) ? printIssue(record) : printMembers(record);
  if (text.length > maxFieldsBytes) return marked(shortened(record));
  return cut ? marked(text) : text;
}

interface Printed {
  readonly text: string;
  /** Whether a string in it was too long. */
  readonly cut: boolean;
}

type StartName = 'type' | 'time' | 'requestId' | 'route' | 'sourceIp' | 'peerIp' | 'userAgent';
/** What tells one request from the next. */
type Start = Pick<ExchangeRecord, StartName>;
/** What is the same for all requests that get one session by one mapping: a member left out would not compile. */
type End = Required<Omit<ExchangeRecord, StartName | 'repeats'>>;
type Issue = ExchangeRecord & { readonly credentials: AuditedCredentials };

/** By the credentials, which are one object for all hits of a cache entry. */
const printedEnds = new WeakMap<AuditedCredentials, Printed & { readonly end: Partial<End> }>();

function isIssue(record: AuditRecord | LogEvent): record is Issue {
  if (record.type !== 'exchange') return false;
  return (
    Object.isFrozen(record.credentials) &&
    record.credentials !== undefined &&
    record.repeats === undefined
  );
}

/** As `printMembers` prints it; the end once, for as long as every member of it is the same. */
function printIssue(record: Issue): Printed {
  const { type, time, requestId, route, sourceIp, peerIp, userAgent } = record;
  const start: Start = { type, time, requestId, route, sourceIp, peerIp, userAgent };
  const { text, cut } = printMembers(start);
  let known = printedEnds.get(record.credentials);
  if (known === undefined || !isEndOf(known.end, record)) {
    const end = endOf(record);
    known = { end, ...printMembers(end) };
    printedEnds.set(record.credentials, known);
  }
  return { text: `${text},${known.text}`, cut: cut || known.cut };
}

function endOf(record: Issue): { [Name in keyof End]: ExchangeRecord[Name] } {
  const { outcome, code, reason, token, request, policyRevision, mapping, session } = record;
  const { credentials } = record;
  return { outcome, code, reason, token, request, policyRevision, mapping, session, credentials };
}

function isEndOf(end: Partial<End>, record: Issue): boolean {
  for (const name in end) {
    const [known, now] = [end[name as keyof End], record[name as keyof End]];
    // The only one that is made anew for each request.
    if (known !== now && !(name === 'request' && sameMembers(known, now))) return false;
  }
  return true;
}

/** Lists are never the same: they are printed again. */
function sameMembers(one: unknown, other: unknown): boolean {
  if (!isObject(one) || !isObject(other)) return false;
  for (const name in one) if (one[name] !== other[name]) return false;
  for (const name in other) if (one[name] !== other[name]) return false;
  return true;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

const printedObjects = new WeakMap<object, Printed>();

function printMembers(record: object): Printed {
  let text = '';
  let cut = false;
  for (const key in record) {
    const value: unknown = record[key as keyof typeof record];
    if (value === undefined) continue;
    const printed = printMember(key, value);
    text += `${text === '' ? '' : ','}"${key}":${printed.text}`;
    cut ||= printed.cut;
  }
  return { text, cut };
}

function printMember(key: string, value: unknown): Printed {
  if (typeof value === 'string' && plainString.test(value) && value.length <= maxStringLength) {
    return { text: `"${value}"`, cut: false };
  }
  if (typeof value !== 'object' || value === null) return print(key, value);
  return Object.isFrozen(value) ? printOnce(key, value) : print(key, value);
}

function printOnce(key: string, value: object): Printed {
  let printed = printedObjects.get(value);
  if (printed === undefined) {
    printed = print(key, value);
    printedObjects.set(value, printed);
  }
  return printed;
}

/** What JSON prints as it is, between quotes. */
const plainString = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

function print(key: string, value: unknown): Printed {
  const kept = cutValue(key, value, maxStringLength);
  return { text: asciiJson(JSON.stringify(kept)), cut: kept !== value };
}

function marked(fields: string): string {
  return `${fields},"truncated":true`;
}

function shortened(record: AuditRecord | LogEvent): string {
  for (const shorter of shorterForms(record)) {
    const fields = fieldsText(shorter);
    if (fields.length <= maxFieldsBytes) return fields;
  }
  // Unreachable with the records of today: the digest still pins down what could not be kept.
  const { type, time } = record;
  return fieldsText({ type, time, sha256: documentDigest(record) });
}

/** From most to least informative. `before` goes first: the table's history has it as the previous version. */
function* shorterForms(record: AuditRecord | LogEvent): Generator<object> {
  if (record.type === 'mapping_change') {
    const cut = cutStrings(record, maxStringLength);
    yield { ...cut, before: digestOf(record.before) };
    yield { ...cut, before: digestOf(record.before), after: digestOf(record.after) };
    const { before, after } = record;
    yield { ...cutStrings(record, 64), before: digestOf(before), after: digestOf(after) };
    return;
  }
  yield cutStrings(record, 256);
  yield cutStrings(record, 64);
}

function digestOf(document: MappingChangeRecord['before']): { readonly sha256: string } | null {
  return document === null ? null : { sha256: documentDigest(document) };
}

function documentDigest(document: object): string {
  return hash('sha256', JSON.stringify(document), 'hex');
}

/** The same object if nothing in it is too long: the usual case, which must cost next to nothing. */
function cutStrings<T extends object>(node: T, maxLength: number): T {
  let copy: T | undefined;
  for (const key in node) {
    const value = node[key];
    const cut = cutValue(key, value, maxLength);
    if (cut !== value) copy = { ...(copy ?? node), [key]: cut };
  }
  return copy ?? node;
}

function cutValue(key: string, value: unknown, maxLength: number): unknown {
  if (typeof value === 'string') {
    return value.length > maxLength ? value.slice(0, maxLength) : value;
  }
  // Mapping documents have passed their schema; half a policy would be worse than its digest.
  if (typeof value !== 'object' || value === null || key === 'before' || key === 'after') {
    return value;
  }
  if (!Array.isArray(value)) return cutStrings(value, maxLength);
  const items: unknown[] = value.map((item) => cutValue('', item, maxLength));
  return items.every((item, index) => item === value[index]) ? value : items;
}

function fieldsText(record: object): string {
  return asciiJson(JSON.stringify(record)).slice(1, -1);
}
