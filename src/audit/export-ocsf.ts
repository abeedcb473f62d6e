/** Records as OCSF 1.7 has them (https://schema.ocsf.io/1.7.0): requests are API Activity, the rest are base events. */

import { isIP } from 'node:net';
import { valueAt } from '../kit/json/json-object.ts';
import { type LoggedRecord, textAt } from './logged-record.ts';

const version = '1.7.0';
const apiActivity = { category_uid: 6, class_uid: 6003 } as const;
const baseEvent = { category_uid: 0, class_uid: 0 } as const;

/** `activity_id` of API Activity. */
const activities = { other: 99, create: 1, read: 2, update: 3, delete: 4 } as const;
const informational = 1;
/** `severity_id`: what was refused, or did not work, is low, and a broken log is high. */
const [low, high] = [2, 4];

/** Undefined for what has no time, and therefore is no record. */
export function ocsfEvent(record: LoggedRecord): object | undefined {
  const time = Date.parse(textAt(record, 'time') ?? '');
  if (Number.isNaN(time)) return undefined;
  const sourceIp = textAt(record, 'sourceIp');
  const activity = sourceIp === undefined ? activities.other : activityOf(record);
  const kind = sourceIp === undefined ? baseEvent : apiActivity;
  const success = isSuccess(record);
  return defined({
    ...kind,
    type_uid: kind.class_uid * 100 + activity,
    activity_id: activity,
    activity_name: activity === activities.other ? operationOf(record) : undefined,
    time,
    severity_id: severityOf(record, success),
    status_id: success ? 1 : 2,
    status_code: textAt(record, 'code'),
    status_detail: textAt(record, 'reason'),
    count: numberAt(record, 'repeats', 'count'),
    start_time: timeAt(record, 'repeats', 'from'),
    end_time: timeAt(record, 'repeats', 'to'),
    metadata: defined({
      version,
      product: { name: 'token-broker', vendor_name: 'token-broker' },
      log_name: 'audit',
      uid: textAt(record, 'hash'),
      sequence: numberAt(record, 'seq'),
      correlation_uid: textAt(record, 'requestId'),
      event_code: textAt(record, 'type'),
      original_time: textAt(record, 'time'),
    }),
    ...(sourceIp === undefined ? {} : requestPart(record, sourceIp)),
    unmapped: record,
  });
}

function requestPart(record: LoggedRecord, sourceIp: string): object {
  const uid = textAt(record, 'requestId');
  const userAgent = textAt(record, 'userAgent');
  const issuer = textAt(record, 'token', 'issuer');
  const role = textAt(record, 'session', 'role') ?? textAt(record, 'request', 'role');
  const mapping = textAt(record, 'mapping', 'id') ?? textAt(record, 'mappingId');
  return defined({
    actor: defined({
      user: userOf(record),
      app_uid: textAt(record, 'token', 'clientId'),
      idp: issuer === undefined ? undefined : { name: textAt(record, 'token', 'pool'), issuer },
      session: sessionOf(record),
    }),
    api: defined({
      operation: operationOf(record),
      service: { name: 'token-broker' },
      request: uid === undefined ? undefined : { uid },
      response: defined({ error: textAt(record, 'code') }),
    }),
    src_endpoint: isIP(sourceIp) === 0 ? { name: sourceIp } : { ip: sourceIp },
    http_request: userAgent === undefined ? undefined : { user_agent: userAgent },
    resources: [
      ...(role === undefined ? [] : [{ uid: role, type: 'AWS::IAM::Role' }]),
      ...(mapping === undefined ? [] : [{ uid: mapping, type: 'role mapping' }]),
    ],
  });
}

/** Those of the form that the schema demands of `email_addr`. */
const plainAddress = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+\.[A-Za-z0-9.-]+$/;

function userOf(record: LoggedRecord): object {
  const uid = textAt(record, 'token', 'subject') ?? textAt(record, 'actor');
  // Unknown: refused before anybody was known, or one of many that were counted together.
  if (uid === undefined) return { name: 'unknown', type_id: 0 };
  const name = textAt(record, 'token', 'description', 'username');
  const email = textAt(record, 'token', 'description', 'email') ?? '';
  // Every other one is among what is unmapped.
  const address = plainAddress.test(email) ? email : undefined;
  return defined({ uid, type_id: 1, name, email_addr: address });
}

function sessionOf(record: LoggedRecord): object | undefined {
  const accessKeyId = textAt(record, 'credentials', 'accessKeyId');
  if (accessKeyId === undefined) return undefined;
  return defined({
    uid: textAt(record, 'credentials', 'assumedRoleId'),
    credential_uid: accessKeyId,
    expiration_time: timeAt(record, 'credentials', 'expiration'),
  });
}

function activityOf(record: LoggedRecord): number {
  switch (textAt(record, 'type')) {
    case 'exchange':
      return activities.create;
    case 'access':
    case 'explain':
      return activities.read;
    case 'mapping_change':
      return edits.get(textAt(record, 'action')) ?? activities.other;
    default:
      return activities.other;
  }
}

const edits = new Map<string | undefined, number>([
  ['create', activities.create],
  ['replace', activities.update],
  ['delete', activities.delete],
]);

function operationOf(record: LoggedRecord): string {
  return textAt(record, 'route') ?? textAt(record, 'type') ?? 'unknown';
}

const failures: ReadonlySet<string | undefined> = new Set([
  'denied',
  'deny',
  'failed',
  'refused',
  'unknown',
  'unusable',
]);

/** Whether what was asked for was done. What has no outcome has happened. */
export function isSuccess(record: LoggedRecord): boolean {
  return !failures.has(textAt(record, 'outcome'));
}

function severityOf(record: LoggedRecord, success: boolean): number {
  if (textAt(record, 'type') === 'audit_chain_broken') return high;
  return success ? informational : low;
}

function numberAt(record: LoggedRecord, ...path: readonly string[]): number | undefined {
  const value = valueAt(record, ...path);
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}

function timeAt(record: LoggedRecord, ...path: readonly string[]): number | undefined {
  const epochMs = Date.parse(textAt(record, ...path) ?? '');
  return Number.isNaN(epochMs) ? undefined : epochMs;
}

function defined(members: object): object {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
