import { hash } from 'node:crypto';
import type { AuditRecord } from '../core/records/audit-record.ts';
import type { AuditedRequest } from '../core/records/audited-request.ts';
import type { MappingChangeRecord } from '../core/records/change-records.ts';
import {
  type ExchangeEnd,
  type ExchangeRecord,
  type ExchangeStart,
  exchangeEndNames,
} from '../core/records/exchange-record.ts';
import { asciiJson } from '../kit/json/ascii-json.ts';
import { ownText } from '../kit/text/own-text.ts';
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
  const { text, cut } = isPlainExchange(record) ? printExchange(record) : printMembers(record);
  if (text.length > maxFieldsBytes) return marked(shortened(record));
  return cut ? marked(text) : text;
}

interface Printed {
  readonly text: string;
  /** Whether a string in it was too long. */
  readonly cut: boolean;
}

/** By the request, which is one frozen object for all records with one end. */
const printedEnds = new WeakMap<AuditedRequest, Printed & { readonly end: ExchangeEnd }>();

function isPlainExchange(record: AuditRecord | LogEvent): record is ExchangeRecord {
  return record.type === 'exchange' && record.repeats === undefined;
}

/** As `printMembers` prints it; the end once, for as long as every member of it is the same. */
function printExchange(record: ExchangeRecord): Printed {
  const start = printStart(record);
  const end = printEnd(record);
  return { text: `${start.text},${end.text}`, cut: start.cut || end.cut };
}

function printStart(record: ExchangeStart): Printed {
  const { type, time, requestId, traceId, route, sourceIp, peerIp, userAgent } = record;
  const isPlainStart =
    isPlain(time) &&
    isPlain(requestId) &&
    isPlainOrAbsent(traceId) &&
    isPlain(route) &&
    isPlain(sourceIp) &&
    isPlain(peerIp) &&
    isPlainOrAbsent(userAgent);
  if (!isPlainStart) {
    return printMembers({ type, time, requestId, traceId, route, sourceIp, peerIp, userAgent });
  }
  const trace = traceId === undefined ? '' : `"traceId":"${traceId}",`;
  const request = `"type":"${type}","time":"${time}","requestId":"${requestId}",${trace}"route":"${route}"`;
  const from = `"sourceIp":"${sourceIp}","peerIp":"${peerIp}"`;
  const by = userAgent === undefined ? '' : `,"userAgent":"${userAgent}"`;
  return { text: `${request},${from}${by}`, cut: false };
}

function printEnd(record: ExchangeRecord): Printed {
  const { request } = record;
  const known = request && printedEnds.get(request);
  if (known !== undefined && isEndOf(known.end, record)) return known;
  const end = endOf(record);
  if (request === undefined || !Object.isFrozen(request)) return printMembers(end);
  const { text, cut } = printMembers(end, print);
  const printed = { end, text: ownText(text), cut };
  printedEnds.set(request, printed);
  return printed;
}

function isEndOf(end: ExchangeEnd, record: ExchangeRecord): boolean {
  for (const name of exchangeEndNames) if (end[name] !== record[name]) return false;
  return true;
}

function endOf({
  outcome,
  code,
  reason,
  token,
  request,
  policyRevision,
  mapping,
  session,
  credentials,
}: ExchangeRecord): ExchangeEnd {
  return { outcome, code, reason, token, request, policyRevision, mapping, session, credentials };
}

const printedObjects = new WeakMap<object, Printed>();

function printMembers(record: object, printObject = printOnce): Printed {
  let text = '';
  let cut = false;
  for (const key in record) {
    const value: unknown = record[key as keyof typeof record];
    if (value === undefined) continue;
    const printed = printMember(key, value, printObject);
    text += `${text === '' ? '' : ','}"${key}":${printed.text}`;
    cut ||= printed.cut;
  }
  return { text, cut };
}

function printMember(key: string, value: unknown, printObject: typeof printOnce): Printed {
  if (typeof value === 'string' && isPlain(value)) {
    return { text: `"${value}"`, cut: false };
  }
  if (typeof value !== 'object' || value === null) return print(key, value);
  return Object.isFrozen(value) ? printObject(key, value) : print(key, value);
}

function printOnce(key: string, value: object): Printed {
  let printed = printedObjects.get(value);
  if (printed === undefined) {
    printed = print(key, value);
    printedObjects.set(value, printed);
  }
  return printed;
}

function isPlain(text: string): boolean {
  return text.length <= maxStringLength && plainString.test(text);
}

function isPlainOrAbsent(text: string | undefined): boolean {
  return text === undefined || isPlain(text);
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
