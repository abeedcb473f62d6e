/** Which records are asked for. All that is given must hold. */

import type { BlockList } from 'node:net';
import { isIPv6 } from 'node:net';
import { asciiJson } from '../kit/json/ascii-json.ts';
import { valueAt } from '../kit/json/json-object.ts';
import { type LoggedRecord, textAt } from './logged-record.ts';

/** Values are compared exactly, unless it says otherwise. */
export interface RecordFilter {
  readonly accessKeyId?: string | undefined;
  /** Of the request itself, or of one that a record of repeated denials names. */
  readonly requestId?: string | undefined;
  /** Of the trace that the request was said to belong to. */
  readonly traceId?: string | undefined;
  readonly subject?: string | undefined;
  readonly clientId?: string | undefined;
  /**
   * A person in any part: as subject, as editor of a mapping, or as the source identity of a session; by user name or address where
   * records have those.
   */
  readonly user?: string | undefined;
  /** Asked for, given, or in a mapping before or after a change. An ARN, or what stands behind its last slash. */
  readonly role?: string | undefined;
  readonly mapping?: string | undefined;
  readonly type?: string | undefined;
  readonly outcome?: string | undefined;
  /** Why it was refused: the reason, or the code of the error. */
  readonly reason?: string | undefined;
  /** Addresses that the request may have come from. */
  readonly sources?: BlockList | undefined;
  /** Epoch milliseconds, inclusive. */
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

/** Texts that every line has which can match, as the log writes them: the rarest first, as far as one can guess. */
export function textsOf(filter: RecordFilter): readonly string[] {
  const { accessKeyId, requestId, traceId, subject, clientId, user, role } = filter;
  const { mapping, reason, outcome, type } = filter;
  const whole = [
    accessKeyId,
    requestId,
    traceId,
    subject,
    clientId,
    mapping,
    reason,
    outcome,
    type,
  ];
  const parts = [user, role].flatMap((value) => (value === undefined ? [] : [written(value)]));
  return [
    ...whole.flatMap((value) => (value === undefined ? [] : [`"${written(value)}"`])),
    ...parts,
  ];
}

function written(value: string): string {
  return asciiJson(JSON.stringify(value)).slice(1, -1);
}

export function matches(record: LoggedRecord, filter: RecordFilter): boolean {
  return (
    fields.every(({ name, paths }) => isAt(record, filter[name], paths)) &&
    isRequest(record, filter.requestId) &&
    isUser(record, filter.user) &&
    isRole(record, filter.role) &&
    isFrom(record, filter.sources) &&
    isInTime(record, filter)
  );
}

type Path = readonly string[];

/** What is compared as it is, and where it stands. */
const fields: readonly {
  readonly name:
    | 'accessKeyId'
    | 'traceId'
    | 'subject'
    | 'clientId'
    | 'mapping'
    | 'type'
    | 'outcome'
    | 'reason';
  readonly paths: readonly Path[];
}[] = [
  { name: 'accessKeyId', paths: [['credentials', 'accessKeyId']] },
  { name: 'traceId', paths: [['traceId']] },
  {
    name: 'subject',
    paths: [
      ['token', 'subject'],
      ['explained', 'subject'],
    ],
  },
  {
    name: 'clientId',
    paths: [
      ['token', 'clientId'],
      ['explained', 'clientId'],
    ],
  },
  { name: 'mapping', paths: [['mapping', 'id'], ['mappingId']] },
  { name: 'type', paths: [['type']] },
  { name: 'outcome', paths: [['outcome']] },
  { name: 'reason', paths: [['reason'], ['code']] },
];

function isAt(record: LoggedRecord, wanted: string | undefined, paths: readonly Path[]): boolean {
  return wanted === undefined || paths.some((path) => textAt(record, ...path) === wanted);
}

function isRequest(record: LoggedRecord, requestId: string | undefined): boolean {
  if (isAt(record, requestId, [['requestId']])) return true;
  const named = valueAt(record, 'repeats', 'requestIds');
  return Array.isArray(named) && named.includes(requestId);
}

const describedPaths: readonly Path[] = ['token', 'explained'].flatMap((whose) => [
  [whose, 'description', 'username'],
  [whose, 'description', 'email'],
]);

function isUser(record: LoggedRecord, user: string | undefined): boolean {
  // The history names editors as `<pool>/<subject>`.
  const actor = textAt(record, 'actor');
  return (
    isAt(record, user, [
      ['token', 'subject'],
      ['explained', 'subject'],
      ['session', 'sourceIdentity'],
      ...describedPaths,
      ['actor'],
    ]) || actor?.slice(actor.indexOf('/') + 1) === user
  );
}

const rolePaths: readonly Path[] = [
  ['session', 'role'],
  ['request', 'role'],
  ['before', 'role'],
  ['after', 'role'],
];

function isRole(record: LoggedRecord, role: string | undefined): boolean {
  return (
    role === undefined ||
    rolePaths.some((path) => {
      const given = textAt(record, ...path);
      return given === role || given?.slice(given.lastIndexOf('/') + 1) === role;
    })
  );
}

function isFrom(record: LoggedRecord, sources: BlockList | undefined): boolean {
  if (sources === undefined) return true;
  // Refusals that are counted together have a block there.
  const [address = ''] = textAt(record, 'sourceIp')?.split('/') ?? [];
  return sources.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

function isInTime(record: LoggedRecord, { sinceMs, untilMs }: RecordFilter): boolean {
  if (sinceMs === undefined && untilMs === undefined) return true;
  // A record of repeated denials is written later than what it is about.
  const instant = (end: string) =>
    Date.parse(textAt(record, 'repeats', end) ?? textAt(record, 'time') ?? '');
  return (
    instant('to') >= (sinceMs ?? Number.NEGATIVE_INFINITY) &&
    instant('from') <= (untilMs ?? Infinity)
  );
}
