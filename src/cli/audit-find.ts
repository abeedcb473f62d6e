/** `audit find`: who was that access key id, what did this client get, what happened in that hour? */

import { errorCodeOf } from '../audit/audit-sink.ts';
import { type FoundLine, type FoundRecord, findRecords, textAt, valueAt } from '../audit/find.ts';
import { asciiJson } from '../audit/record-fields.ts';
import { exitCodes } from './output.ts';

export interface AuditFindOptions {
  /** An audit directory, or one file: what a collector kept of standard output. */
  readonly directory: string;
  readonly accessKeyId?: string;
  readonly requestId?: string;
  readonly subject?: string;
  readonly clientId?: string;
  readonly role?: string;
  /** RFC 3339, inclusive. */
  readonly since?: string;
  readonly until?: string;
  readonly json: boolean;
  readonly out: (text: string) => void;
}

/** Exit code: 0 if something was found, 1 if nothing was, 2 unreadable or wrong usage. */
export async function auditFind(options: AuditFindOptions): Promise<number> {
  const { directory, since, until, json, out, ...wanted } = options;
  const unusable = (error: string): number => {
    out(json ? `${JSON.stringify({ error })}\n` : `${error}\n`);
    return exitCodes.usage;
  };
  const [sinceMs, untilMs] = [instant(since), instant(until)];
  if (Number.isNaN(sinceMs) || Number.isNaN(untilMs)) {
    return unusable('Write times as RFC 3339, such as 2026-01-31T12:00:00Z.');
  }
  let found = 0;
  try {
    for await (const line of findRecords(directory, { ...wanted, sinceMs, untilMs })) {
      found += 1;
      out(json ? `${line.text}\n` : describe(line));
    }
  } catch (error) {
    return unusable(`The audit log cannot be read: ${errorCodeOf(error)}`);
  }
  if (found === 0 && !json) out('No record matches.\n');
  return found > 0 ? exitCodes.ok : exitCodes.failed;
}

function instant(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
}

/** What happened, in a word or two: `issued`, `replace authorized`, `explain deny`, `audit_opened`. */
function titleOf(record: FoundRecord): string {
  const type = textAt(record, 'type');
  const subject = textAt(record, 'action') ?? (type === 'exchange' ? undefined : type);
  const words = [subject, textAt(record, 'outcome')].filter((word) => word !== undefined);
  return words.map(shown).join(' ');
}

type Fields = readonly (readonly [label: string, value: unknown])[];

function describe({ file, line, record }: FoundLine): string {
  const at = (...path: string[]) => valueAt(record, ...path);
  const rows: readonly (readonly [string, Fields])[] = [
    [
      'who',
      [
        ['pool', at('token', 'pool')],
        ['client', at('token', 'clientId')],
        ['subject', at('token', 'subject')],
        ['token', at('token', 'sha256')],
      ],
    ],
    [
      'about',
      [
        ['client', at('explained', 'clientId')],
        ['subject', at('explained', 'subject')],
        ['token', at('explained', 'sha256')],
      ],
    ],
    [
      'what',
      [
        ['role', at('session', 'role') ?? at('request', 'role')],
        ['session', at('session', 'name')],
        ['seconds', at('session', 'durationSeconds')],
        ['mapping', at('mapping', 'id') ?? at('mappingId')],
        ['version', at('mapping', 'version')],
        ['code', at('code')],
        ['reason', at('reason')],
      ],
    ],
    [
      'again',
      [
        ['times', at('repeats', 'count')],
        ['from', at('repeats', 'from')],
        ['to', at('repeats', 'to')],
      ],
    ],
    [
      'keys',
      [
        ['access key', at('credentials', 'accessKeyId')],
        ['cached', at('credentials', 'cached')],
        ['until', at('credentials', 'expiration')],
        ['STS request', at('credentials', 'stsRequestId')],
      ],
    ],
    [
      'from',
      [
        ['address', at('sourceIp')],
        ['peer', at('peerIp')],
        ['route', at('route')],
        ['request', at('requestId')],
        ['agent', at('userAgent')],
      ],
    ],
  ];
  const head = `${shown(at('time'))}  ${titleOf(record)}  record ${shown(at('seq'))} (${file} line ${line})`;
  return [head, ...rows.flatMap(row), ...logEvent(record)].map((text) => `${text}\n`).join('');
}

function row([label, fields]: readonly [string, Fields]): readonly string[] {
  const present = fields.filter(([, value]) => value !== undefined);
  if (present.length === 0) return [];
  return [
    `  ${label.padEnd(5)} ${present.map(([name, value]) => `${name} ${shown(value)}`).join(', ')}`,
  ];
}

/** What the log says about itself has few fields, all of its own making. */
function logEvent(record: FoundRecord): readonly string[] {
  if (!textAt(record, 'type')?.startsWith('audit_')) return [];
  const { seq, chain, prev, hash, type, time, ...rest } = record;
  return row(['log', Object.entries(rest)]);
}

/** Fit for a terminal: whoever sent the request chose some of these values. */
function shown(value: unknown): string {
  if (value === undefined) return '-';
  const plain = typeof value === 'string' && /^[\x21-\x7e]+$/.test(value) && !value.includes('"');
  return plain ? value : asciiJson(JSON.stringify(value));
}
