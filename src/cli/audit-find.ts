/** `audit find`: who was that access key id, what did this client get, what happened in that hour? */

import type { FoundRecord } from '../audit/find.ts';
import { type LoggedRecord, textAt } from '../audit/logged-record.ts';
import { refusalWindowMs } from '../audit/repeated-denials.ts';
import { asciiJson, jsonLine } from '../kit/json/ascii-json.ts';
import { documentChanges } from '../kit/json/document-changes.ts';
import { valueAt } from '../kit/json/json-object.ts';
import { toRfc3339 } from '../kit/timing/clock.ts';
import { type AuditSearchOptions, searchAudit } from './audit-search.ts';
import { changeLines } from './change-lines.ts';
import { exitCodes } from './output.ts';
import { noPaint } from './paint.ts';
import { inLines, printable } from './printable.ts';
import { unreadableLog } from './unreadable-log.ts';

export interface AuditFindOptions extends AuditSearchOptions {
  readonly json: boolean;
  readonly out: (text: string) => void;
}

/** Exit code: 0 if something was found, 1 if nothing was, 2 if there was no log to read, or wrong usage. */
export async function auditFind(options: AuditFindOptions): Promise<number> {
  const { json, out, ...wanted } = options;
  const unusable = (error: string): number => {
    out(json ? jsonLine({ error }) : `${printable(error)}\n`);
    return exitCodes.usage;
  };
  const search = await searchAudit(wanted);
  if (typeof search === 'string') return unusable(search);
  let found = 0;
  try {
    for await (const record of search.records) {
      found += 1;
      out(json ? `${asciiJson(record.text)}\n` : describe(record));
    }
  } catch (error) {
    return unusable(unreadableLog(error));
  }
  if (found > 0) return exitCodes.ok;
  if (!json) out(nothing(wanted, search.extent));
  return exitCodes.failed;
}

/** What is not there may be on its way, or have been counted under another name. */
function nothing({ requestId, now }: AuditSearchOptions, extent: string): string {
  const lines = [`No record matches (${extent}).`];
  if (requestId !== undefined) {
    const seconds = refusalWindowMs / 1000;
    lines.push(
      `A refusal that repeats another is counted, and its record follows within ${seconds} seconds: if the request was made`,
      `after ${toRfc3339(now - refusalWindowMs)}, search again at ${toRfc3339(now + refusalWindowMs)}. The first sixteen that are counted together are named;`,
      'of others search the first one by who asked and when (--client-id, --since, --until).',
    );
  }
  return inLines(lines);
}

/** What happened, in a word or two: `issued`, `replace authorized`, `explain deny`, `audit_opened`. */
function titleOf(record: LoggedRecord): string {
  const type = textAt(record, 'type');
  const subject = textAt(record, 'action') ?? (type === 'exchange' ? undefined : type);
  const words = [subject, textAt(record, 'outcome')].filter((word) => word !== undefined);
  return words.map(shown).join(' ');
}

type Fields = readonly (readonly [label: string, value: unknown])[];

function describe({ file, record }: FoundRecord): string {
  const at = (...path: string[]) => valueAt(record, ...path);
  const rows: readonly (readonly [string, Fields])[] = [
    [
      'who',
      [
        ['pool', at('token', 'pool')],
        ['client', at('token', 'clientId')],
        ['subject', at('token', 'subject')],
        ['name', at('token', 'description', 'username')],
        ['email', at('token', 'description', 'email')],
        ['groups', at('token', 'description', 'groups')],
        ['token', at('token', 'sha256')],
        ['editor', at('actor')],
        ['source identity', at('session', 'sourceIdentity')],
      ],
    ],
    [
      'about',
      [
        ['client', at('explained', 'clientId')],
        ['subject', at('explained', 'subject')],
        ['name', at('explained', 'description', 'username')],
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
        ['trace', at('traceId')],
        ['agent', at('userAgent')],
      ],
    ],
  ];
  const head = `${shown(at('time'))}  ${titleOf(record)}  record ${shown(at('seq'))} in ${printable(file)}`;
  return inLines([head, ...rows.flatMap(row), ...changes(record), ...logEvent(record)]);
}

function row([label, fields]: readonly [string, Fields]): readonly string[] {
  const present = fields.filter(([, value]) => value !== undefined);
  if (present.length === 0) return [];
  return [
    `  ${label.padEnd(5)} ${present.map(([name, value]) => `${name} ${shown(value)}`).join(', ')}`,
  ];
}

/** What an edit of a role mapping makes of it, member by member. A whole document that comes or goes is one line. */
function changes({ type, before, after }: LoggedRecord): readonly string[] {
  if (type !== 'mapping_change') return [];
  const given = (document: unknown) => (document === null ? undefined : document);
  const lines = changeLines(documentChanges(given(before), given(after)), noPaint);
  return lines.map((line) => `  ${line}`);
}

/** What the log says about itself has few fields, all of its own making. */
function logEvent(record: LoggedRecord): readonly string[] {
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
