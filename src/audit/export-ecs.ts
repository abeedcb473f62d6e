/** Records as the Elastic Common Schema 8.17 has them; what it has no field for stands under `token_broker`. */

import { isIP } from 'node:net';
import { valueAt } from '../kit/json/json-object.ts';
import { isSuccess } from './export-ocsf.ts';
import { type LoggedRecord, textAt } from './logged-record.ts';

const version = '8.17.0';

interface Classes {
  readonly category?: readonly string[];
  readonly type: readonly string[];
}

/** Undefined for what has no time, and therefore is no record. */
export function ecsEvent(record: LoggedRecord): object | undefined {
  const at = (...path: string[]) => textAt(record, ...path);
  const time = at('time');
  if (Number.isNaN(Date.parse(time ?? ''))) return undefined;
  const sourceIp = at('sourceIp');
  const subject = at('token', 'subject') ?? at('actor');
  // JSON leaves out what is undefined.
  return {
    '@timestamp': time,
    ecs: { version },
    event: {
      kind: 'event',
      ...classesOf(record),
      module: 'token_broker',
      dataset: 'token_broker.audit',
      action: at('action') ?? at('type'),
      outcome: isSuccess(record) ? 'success' : 'failure',
      code: at('code'),
      reason: at('reason'),
      id: at('hash'),
      sequence: valueAt(record, 'seq'),
      start: at('repeats', 'from'),
      end: at('repeats', 'to'),
    },
    user: subject === undefined ? undefined : userOf(record, subject),
    source:
      sourceIp === undefined
        ? undefined
        : { address: sourceIp, ...(isIP(sourceIp) === 0 ? {} : { ip: sourceIp }) },
    user_agent: at('userAgent') === undefined ? undefined : { original: at('userAgent') },
    http: at('requestId') === undefined ? undefined : { request: { id: at('requestId') } },
    trace: at('traceId') === undefined ? undefined : { id: at('traceId') },
    token_broker: record,
  };
}

function userOf(record: LoggedRecord, id: string): object {
  return {
    id,
    domain: textAt(record, 'token', 'pool'),
    name: textAt(record, 'token', 'description', 'username'),
    email: textAt(record, 'token', 'description', 'email'),
  };
}

function classesOf(record: LoggedRecord): Classes {
  switch (textAt(record, 'type')) {
    case 'exchange':
      return { category: ['authentication'], type: [isSuccess(record) ? 'start' : 'info'] };
    case 'mapping_change':
      return {
        category: ['iam'],
        type: ['admin', edits.get(textAt(record, 'action')) ?? 'change'],
      };
    case 'access':
    case 'explain':
      return { category: ['api'], type: ['access'] };
    default:
      return { type: ['info'] };
  }
}

const edits = new Map<string | undefined, string>([
  ['create', 'creation'],
  ['delete', 'deletion'],
]);
