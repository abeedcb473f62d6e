/** `cloudtrail check`: did anybody assume the roles of the brokers without them, and is what they say true? */

import { BucketReadError } from '../cloudtrail/bucket-reader.ts';
import { TrailCheck, type TrailFinding } from '../cloudtrail/trail-check.ts';
import { readTrail, type TrailPlace, type Unreadable } from '../cloudtrail/trail-files.ts';
import { jsonLine } from '../kit/json/ascii-json.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { type BucketAccess, BucketPlaces } from './bucket-places.ts';
import { exitCodes, type Output, refuse } from './output.ts';
import { printable } from './printable.ts';
import { type RecordedSessions, recordedSessions, UncheckableError } from './recorded-sessions.ts';
import type { Terminal } from './terminal.ts';

export interface CloudTrailCheckOptions {
  readonly audit: readonly string[];
  readonly trail: readonly string[];
  /** Managed roles that these logs do not name. */
  readonly role: readonly string[];
  /** Folder with role mappings as files: their roles are managed as well. */
  readonly mappings?: string | undefined;
  /** RFC 3339: when the logs were copied. Default: the time of the newest record. */
  readonly auditUntil: string | undefined;
  readonly unused: boolean;
  /** For what is in buckets (`s3://bucket/prefix`). */
  readonly buckets: BucketAccess;
  readonly clock: Clock;
  readonly output: Output;
  readonly terminal: Terminal;
}

/** Of the parts that cannot be read, those that are named. */
const mostNamed = 100;

/** Exit code: 0 nothing was found, 2 something was, 1 it could not be checked, or not all of it. */
export async function cloudTrailCheck(options: CloudTrailCheckOptions): Promise<number> {
  const { output, terminal, role: roles, mappings } = options;
  const places = new BucketPlaces(options.buckets, options.clock);
  try {
    const until = untilOf(options.auditUntil);
    const trails = options.trail.map((location) => ({ location, place: places.trail(location) }));
    const audit = await places.logFolders(options.audit);
    const recorded = await recordedSessions({ audit, roles, mappings, terminal });
    // A clock that is ahead, or a record that says so, makes no log reach further than now.
    const newest = Math.min(recorded.ledger.extent.until, options.clock.now());
    return await checkTrail(options, trails, recorded, until ?? newest);
  } catch (error) {
    if (!(error instanceof UncheckableError || error instanceof BucketReadError)) throw error;
    return refuse(output, error.message);
  } finally {
    terminal.showProgress('');
    await places.close();
  }
}

async function checkTrail(
  options: CloudTrailCheckOptions,
  trails: readonly GivenTrail[],
  { ledger, records }: RecordedSessions,
  recordedUntil: number,
): Promise<number> {
  const { output, trail, unused } = options;
  const counts: Record<string, number> = {};
  const print = (line: object) => output.out(jsonLine(line));
  const onFinding = (finding: TrailFinding) => {
    counts[finding.class] = (counts[finding.class] ?? 0) + 1;
    print({ type: 'finding', ...finding });
  };
  const check = new TrailCheck({ ledger, recordedUntil, now: options.clock.now(), onFinding });
  const unreadable = await readInto(check, trails, options);
  const summary = check.finish(unused);
  if (summary.events === 0) {
    throw new UncheckableError(
      `There is not a single event in ${trail.join(', ')}: name the folder that CloudTrail's files are below.`,
    );
  }
  await explainOpen(check, records);
  print({
    type: 'summary',
    ...summary,
    unreadable,
    managedRoles: ledger.managedRoles,
    recordedUntil: new Date(recordedUntil).toISOString(),
    findings: counts,
  });
  if (summary.unjudged.events > 0) output.err(unjudgedNote(summary.unjudged.events));
  if (Object.keys(counts).length > 0) return exitCodes.found;
  if (unreadable === 0) return exitCodes.ok;
  output.err(`${unreadable} parts of the trail could not be read: what is in them is not known.\n`);
  return exitCodes.failed;
}

/** Whoever gets past the brokers may do it where their logs end. */
function unjudgedNote(events: number): string {
  const of = events === 1 ? '1 session is' : `${events} sessions are`;
  return `${of} on record nowhere and not judged: newer than the logs, or older. Copy them again, or say by --audit-until how far they reach.\n`;
}

interface GivenTrail {
  readonly location: string;
  readonly place: TrailPlace;
}

/** How many parts could not be read. The first of them are named. */
async function readInto(
  check: TrailCheck,
  trails: readonly GivenTrail[],
  { output, terminal }: CloudTrailCheckOptions,
): Promise<number> {
  let unreadable = 0;
  const name = (part: Unreadable) => {
    unreadable += 1;
    if (unreadable <= mostNamed) output.err(`${printable(`${placeOf(part)} ${part.why}.`)}\n`);
  };
  for (const { location, place } of trails) {
    let read = 0;
    for await (const file of readTrail(place, namesIn(place, location))) {
      read += 1;
      terminal.showProgress(`${read} files of the trail: ${file.name}`);
      for (const part of file.parts) {
        if ('record' in part) check.take(part.record);
        else name(part);
      }
    }
  }
  return unreadable;
}

function placeOf({ file, line }: Unreadable): string {
  return line === undefined ? file : `${file} line ${line}`;
}

/** What is said of a session on record is said with the words of its record. */
async function explainOpen(check: TrailCheck, records: RecordedSessions['records']): Promise<void> {
  if (check.open > 0) for await (const record of records()) check.explain(record);
  if (check.open === 0) return;
  throw new UncheckableError(
    'The audit logs were changed while they were read: run it again on a copy of them.',
  );
}

async function* namesIn(place: TrailPlace, location: string): AsyncGenerator<string> {
  try {
    yield* place.names();
  } catch (error) {
    throw new UncheckableError(
      `The trail in ${location} cannot be read: ${error instanceof Error ? error.message : 'unknown'}`,
    );
  }
}

function untilOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const epochMs = /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(epochMs)) return epochMs;
  throw new UncheckableError('Write --audit-until as RFC 3339, such as 2026-01-31T12:00:00Z.');
}
