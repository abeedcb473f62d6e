/** Which refusals and looks share an audit record: who may make records of their own, and how many. */

import type { AuditRecord } from '../core/records/audit-record.ts';
import type { AuditedRequest } from '../core/records/audited-request.ts';
import type { AuditedToken } from '../core/records/audited-token.ts';
import type { MappingChangeRecord } from '../core/records/change-records.ts';
import type { ExchangeRecord } from '../core/records/exchange-record.ts';
import type { AccessRecord } from '../core/records/reading-records.ts';
import { addressBlock } from '../kit/net/address-block.ts';
import type { RecordPurpose } from './record-purpose.ts';

export type RefusalRecord = ExchangeRecord | MappingChangeRecord | AccessRecord;

export interface RefusalKind {
  /** Refusals with this key are counted together. */
  readonly key: string;
  /** What all of them have in common with the first one, for the record that counts them. */
  readonly common: (first: RefusalRecord) => RefusalRecord;
}

export interface RefusalKinds {
  readonly by: 'stranger' | 'caller';
  readonly purpose: RecordPurpose;
  /** One caller, or everybody who has proven nothing. */
  readonly group: string;
  /** Kinds that the group may have at a time. */
  readonly maxKinds: number;
  readonly own: RefusalKind;
  /** For what the group does beyond that. */
  readonly overflow: RefusalKind;
}

/** Of all strangers together, and of one caller. Beyond that there is one kind for each code. */
const maxKindsOf = { stranger: 32, caller: 64 } as const;

/**
 * Undefined for what has a record of its own each time. What a stranger can vary must not make records: before
 * authentication, the block of the address and the code are all that tells refusals apart.
 */
export function refusalKinds(record: AuditRecord): RefusalKinds | undefined {
  if (!isRefusal(record)) return undefined;
  return isProven(record.token) ? knownKinds(record, record.token) : strangersKinds(record);
}

/** By the request, which is one frozen object for all records of a caller who is refused the same again. */
const kindsOfRequests = new WeakMap<
  AuditedRequest,
  { readonly first: RefusalRecord; readonly kinds: RefusalKinds }
>();

/** The keys are the text of a whole record: printed once, for as long as everything that counts in it is the same. */
function knownKinds(record: RefusalRecord, token: AuditedToken): RefusalKinds {
  const request = record.type === 'exchange' ? record.request : undefined;
  const known = request && kindsOfRequests.get(request);
  if (known !== undefined && isAlike(known.first, record)) return known.kinds;
  const kinds = callersKinds(record, token);
  if (request !== undefined && Object.isFrozen(request)) {
    kindsOfRequests.set(request, { first: record, kinds });
  }
  return kinds;
}

/** In all that the keys are made of. */
function isAlike(one: object, other: object): boolean {
  const [a, b] = [one, other] as [Members, Members];
  for (const name in a) {
    if (!tellsOneFromTheNext.has(name) && a[name] !== b[name]) return false;
  }
  for (const name in b) if (!(name in a)) return false;
  return true;
}

const tellsOneFromTheNext: ReadonlySet<string> = new Set(['time', 'requestId', 'traceId']);

type Members = Readonly<Record<string, unknown>>;

/** Whether a token has proven who asked. */
function isProven(token: AuditedToken | undefined): token is AuditedToken {
  return token?.issuer !== undefined;
}

function isRefusal(record: AuditRecord): record is RefusalRecord {
  const proven = 'token' in record && isProven(record.token);
  switch (record.type) {
    case 'exchange':
      return record.outcome === 'denied' || (record.outcome === 'failed' && !proven);
    case 'mapping_change': {
      // What follows the record of an authorized change belongs to that one, whatever came of it.
      const wasAuthorized = record.baseVersion !== undefined || record.after !== null;
      const belongs = wasAuthorized || record.takesBack !== undefined;
      return !belongs && (record.outcome === 'refused' || !proven);
    }
    case 'access':
      return true;
    case 'explain':
    case 'renewal':
    case 'web_identity':
    case 'emergency_file':
    case 'config_reload':
      return false;
  }
}

function strangersKinds(record: RefusalRecord): RefusalKinds {
  const block = addressBlock(record.sourceIp);
  return {
    by: 'stranger',
    purpose: 'refusals_of_strangers',
    group: '',
    maxKinds: maxKindsOf.stranger,
    own: {
      key: keyOf(record, block),
      common: (first) => reduced(first, { sourceIp: block }),
    },
    overflow: {
      key: keyOf(record, several),
      common: (first) => reduced(first, { sourceIp: several }),
    },
  };
}

function callersKinds(record: RefusalRecord, token: AuditedToken): RefusalKinds {
  const { issuer, pool, clientId, subject } = token;
  const group = JSON.stringify([issuer, pool, clientId, subject]);
  const overflow: RefusalKind = {
    key: keyOf(record, group),
    common: (first) =>
      reduced(first, {
        sourceIp: several,
        token: { sha256: several, issuer, pool, clientId, subject },
      }),
  };
  const own: RefusalKind = {
    // Everything that a record says, but for when and under which ids: what is added to records one day counts too.
    key: JSON.stringify({
      ...record,
      time: undefined,
      requestId: undefined,
      // The sender makes it up: a new one for each refusal must not make a record for each (T201).
      traceId: undefined,
    }),
    common: (first) => ({ ...first, traceId: undefined }),
  };
  return {
    by: 'caller',
    purpose: isLook(record) ? 'administration' : 'refusals_of_callers',
    group,
    maxKinds: maxKindsOf.caller,
    own: record.code === 'rate_limited' ? overflow : own,
    overflow,
  };
}

/** What an administrator is shown. */
function isLook(record: RefusalRecord): boolean {
  return record.type === 'access' && record.listener === 'admin' && record.outcome === 'permitted';
}

function keyOf({ type, outcome, code }: RefusalRecord, whose: string): string {
  return JSON.stringify([type, outcome, code, whose]);
}

/** Stands in a record of refusals that differ in this member. */
export const several = '*';

function reduced(
  first: RefusalRecord,
  shared: { readonly sourceIp: string; readonly token?: AuditedToken },
): RefusalRecord {
  const { time, requestId, code } = first;
  const common = { time, requestId, route: several, peerIp: several, code, ...shared };
  switch (first.type) {
    case 'exchange':
      return { type: first.type, outcome: first.outcome, ...common };
    case 'access': {
      const { type, outcome, listener } = first;
      return { type, outcome, listener, ...common };
    }
    case 'mapping_change': {
      const { type, outcome } = first;
      const actorProven = shared.token !== undefined;
      return { type, outcome, ...common, actorProven, action: several, before: null, after: null };
    }
  }
}

const maxStrangersText = 256;

/** What a stranger wrote is kept short: it may be anything. */
export function strangersRecord(record: RefusalRecord): RefusalRecord {
  const userAgent = record.userAgent?.slice(0, maxStrangersText);
  if (record.type === 'mapping_change') {
    return { ...record, userAgent, mappingId: record.mappingId?.slice(0, maxStrangersText) };
  }
  if (record.type === 'access') return { ...record, userAgent };
  const { role, durationSeconds } = record.request ?? {};
  const isShort = role !== undefined && role.length <= maxStrangersText;
  const request = record.request && { role: isShort ? role : undefined, durationSeconds };
  return { ...record, userAgent, request };
}
