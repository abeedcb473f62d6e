/** `cloudtrail watch`: follows a trail, holds what is new against the logs of all brokers, and tells Prometheus. */

import { parseBucketUrl } from '../cloudtrail/bucket-reader.ts';
import { type QueuedTrail, readQueued } from '../cloudtrail/queued-trail.ts';
import {
  nameDigest,
  readTrail,
  type TrailFile,
  type TrailPlace,
  type Unreadable,
} from '../cloudtrail/trail-files.ts';
import { TrailQueue } from '../cloudtrail/trail-queue.ts';
import {
  type LookedAt,
  newWatchState,
  TrailLook,
  type WatchState,
  watchState,
} from '../cloudtrail/trail-watch.ts';
import { replaceFile } from '../kit/files/replace-file.ts';
import { readStateFile } from '../kit/files/state-file.ts';
import { jsonLine } from '../kit/json/ascii-json.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { keepingAlive } from '../kit/timing/keeping-alive.ts';
import { sleep } from '../kit/timing/sleep.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type TrailMetrics, trailMetrics } from '../telemetry/trail-metrics.ts';
import { type BucketAccess, BucketPlaces } from './bucket-places.ts';
import { exitCodes, type Output, refuse } from './output.ts';
import { printable } from './printable.ts';
import { recordedSessions, UncheckableError } from './recorded-sessions.ts';
import { startTrailOps } from './trail-ops.ts';

export interface CloudTrailWatchOptions {
  readonly audit: readonly string[];
  readonly trail: readonly string[];
  /** URL of an SQS queue whose messages name what is new in the buckets among these trails. Default: those are listed. */
  readonly queue: string | undefined;
  /** Managed roles that the logs do not name. */
  readonly role: readonly string[];
  /** Folder with role mappings as files: their roles are managed as well. */
  readonly mappings?: string | undefined;
  /** What was seen so far, and what waits to be judged. */
  readonly stateFile: string;
  readonly everyMs: number;
  /** By how much the logs may lag behind what the brokers have written, where they are copies. */
  readonly auditLagMs: number;
  readonly host: string;
  readonly port: number;
  readonly buckets: BucketAccess;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly output: Output;
  readonly stopRequested: Promise<string>;
  /** Files of all listed trails together: the state has each of them. Default: a million. */
  readonly mostListed?: number;
  /** Told once there are metrics. */
  readonly onListening?: (url: string) => void;
}

/** Why a look gave no verdict. */
const lookFailures = ['audit_log', 'trail', 'queue', 'state'] as const;
type LookFailure = (typeof lookFailures)[number];

class LookError extends Error {
  override readonly name = 'LookError';
  readonly reason: LookFailure;

  constructor(reason: LookFailure, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.reason = reason;
  }
}

class TooManyFilesError extends Error {
  override readonly name = 'TooManyFilesError';

  constructor(most: number) {
    super(
      `there are more than ${most} files: follow them by --queue, give longer prefixes, or have the bucket expire old files`,
    );
  }
}

const defaultMostListed = 1_000_000;
const maxStateBytes = 256 * 1024 * 1024;
/** Of the messages that a look refuses, and of the parts that it cannot read, those that are logged; all are counted. */
const mostLogged = 20;

/** Exit code: 0 when it was told to stop, 1 if it cannot start. */
export async function cloudTrailWatch(options: CloudTrailWatchOptions): Promise<number> {
  const { clock, logger, output, stateFile } = options;
  const places = new BucketPlaces(options.buckets, clock);
  let state: WatchState;
  let trails: WatchedTrails;
  try {
    trails = watchedTrails(options, places);
    const kept = await readState(stateFile, trails.queue !== undefined);
    if (kept === undefined && trails.queue !== undefined)
      logger.warn({ stateFile }, noStateWarning);
    state = kept ?? newWatchState;
  } catch (error) {
    return refuse(output, (error as Error).message);
  }
  const metrics = trailMetrics(lookFailures, numbersOf(state));
  const ops = await startTrailOps({ ...options, registry: metrics.registry });
  options.onListening?.(ops.url);
  logger.info({ url: ops.url, trail: options.trail, queue: options.queue }, 'watching');
  let stopping = false;
  const stop = options.stopRequested.then(() => {
    stopping = true;
  });
  const isStopping = () => stopping;
  try {
    while (!stopping) {
      state = await lookSafely({ options, places, trails, metrics, isStopping }, state);
      if (!stopping) await keepingAlive(Promise.race([sleep(clock, options.everyMs), stop]));
    }
  } finally {
    trails.queue?.stop();
    await places.close();
    await ops.stop();
  }
  logger.info('stopped');
  return exitCodes.ok;
}

interface WatchedTrails {
  /** Whose files are listed at each look. */
  readonly listed: readonly TrailPlace[];
  /** Whose files the queue names. */
  readonly named: readonly TrailPlace[];
  readonly queue: TrailQueue | undefined;
}

/** @throws UncheckableError, QueueError */
function watchedTrails(options: CloudTrailWatchOptions, places: BucketPlaces): WatchedTrails {
  const { trail, queue: url, clock } = options;
  const isNamed = (location: string) => url !== undefined && parseBucketUrl(location) !== undefined;
  const trails = trail.map((location) => ({ location, place: places.trail(location) }));
  const placesOf = (named: boolean) =>
    trails.filter(({ location }) => isNamed(location) === named).map(({ place }) => place);
  const [listed, named] = [placesOf(false), placesOf(true)];
  if (url === undefined) return { listed, named, queue: undefined };
  if (named.length === 0) {
    throw new UncheckableError(
      'With --queue, say by --trail s3://bucket/prefix/ which objects its messages may name: no others are read.',
    );
  }
  const { region } = options.buckets;
  return { listed, named, queue: new TrailQueue({ url, region, clock }) };
}

interface Parts {
  readonly options: CloudTrailWatchOptions;
  readonly places: BucketPlaces;
  readonly trails: WatchedTrails;
  readonly metrics: TrailMetrics;
  readonly isStopping: () => boolean;
}

/** What fails is tried again at the next look, with all that is new by then. */
async function lookSafely(parts: Parts, before: WatchState): Promise<WatchState> {
  const { options, places, metrics } = parts;
  let reached = before;
  try {
    const { after, done } = await look(parts, before);
    metrics.looked(numbersOf(after), options.clock.now());
    reached = after;
    // Only now: what a message led to is in the state.
    await asked('queue', async () => await parts.trails.queue?.remove(done));
    return reached;
  } catch (error) {
    const known = error instanceof LookError ? error : new LookError('trail', error);
    metrics.failed(known.reason);
    options.logger.error({ reason: known.reason, detail: printable(known.message) }, 'no verdict');
    return reached;
  } finally {
    await places.removeCopies();
  }
}

interface Looked {
  readonly after: WatchState;
  /** Messages that nobody needs any more. */
  readonly done: QueuedTrail['done'];
}

async function look(parts: Parts, before: WatchState): Promise<Looked> {
  const { options, places } = parts;
  const { clock, output, logger, role: roles, mappings, stateFile } = options;
  // What a broker has recorded by then is in what is read from now on.
  const now = clock.now();
  const recordedUntil = now - options.auditLagMs;
  const { ledger, records } = await asked('audit_log', async () => {
    const audit = await places.logFolders(options.audit);
    return await recordedSessions({
      ...{ audit, roles, mappings },
      terminal: { showProgress: () => undefined },
    });
  });
  const found: object[] = [];
  const judged = new TrailLook(before, {
    ...{ ledger, recordedUntil, now },
    onFinding: (finding) => void found.push(finding),
    onMoreFindings: () =>
      logger.warn('more findings than are told: all are counted, and `cloudtrail check` has them'),
  });
  const { done, ...looked } = await takeIn(parts, before, {
    onRecord: (record) => judged.take(record),
    onUnreadable: theFirst((part) =>
      logger.warn(shown(part), 'a part of the trail cannot be read'),
    ),
  });
  if (judged.judge() > 0)
    await asked('audit_log', async () => {
      for await (const record of records()) judged.explain(record);
      if (judged.judge() > 0)
        throw new UncheckableError('The audit logs were changed while they were read.');
    });
  const after = await asked('state', async () => judged.after(looked));
  const text = await asked('state', async () => stateText(after));
  // First told, then remembered: what a crash comes between is told twice.
  for (const finding of found) output.out(jsonLine({ type: 'finding', ...finding }));
  await asked('state', () => replaceFile(stateFile, text));
  return { after, done };
}

/** Whoever delivers a file, or says that one was delivered, chose its name. */
function shown({ file, why, ...rest }: Unreadable): Unreadable {
  return { ...rest, file: printable(file), why: printable(why) };
}

/** What a stranger can have said again and again does not fill the log. */
function theFirst<Item>(tell: (item: Item) => void): (item: Item) => void {
  let told = 0;
  return (item) => {
    told += 1;
    if (told <= mostLogged) tell(item);
  };
}

async function asked<Value>(reason: LookFailure, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    throw new LookError(reason, error);
  }
}

interface Takers {
  readonly onRecord: (record: Readonly<Record<string, unknown>>) => void;
  readonly onUnreadable: (part: Unreadable) => void;
}

/** What is new, where files are listed and where messages name them. */
async function takeIn(
  { trails, options: { logger, clock, mostListed = defaultMostListed }, isStopping }: Parts,
  before: WatchState,
  to: Takers,
): Promise<LookedAt & Pick<Looked, 'done'>> {
  const { listed, named: places, queue } = trails;
  const { files, unreadable } = await asked('trail', () =>
    takeNew(listed, { seen: new Set(before.files), mostListed }, to),
  );
  if (queue === undefined) return { ...nothingQueued, files, unreadable };
  const seen = new Set(before.delivered);
  const onRefused = theFirst((message: string) =>
    logger.warn({ message }, 'a message of the queue names something that is not in these trails'),
  );
  const named = await asked('queue', () =>
    readQueued({ queue, clock, places, seen, isStopping, onRefused, ...to }),
  );
  const { delivered, refused, withheld, done } = named;
  return { files, delivered, refused, withheld, done, unreadable: unreadable + named.unreadable };
}

const nothingQueued = { delivered: [], refused: 0, withheld: 0, done: [] };

/** The files that are there now, by digests of their names; those that were not seen before are read. */
async function takeNew(
  trails: readonly TrailPlace[],
  { seen, mostListed }: { readonly seen: ReadonlySet<string>; readonly mostListed: number },
  to: Takers,
) {
  const files: string[] = [];
  let unreadable = 0;
  for (const place of trails) {
    const fresh = await freshIn(place, seen, files, mostListed);
    for await (const file of readTrail(place, [...fresh.keys()])) {
      const unread = takeParts(file.parts, to);
      unreadable += unread.length;
      // One that cannot be read to its end may be on its way: it is tried again.
      const isWhole = unread.every(({ line }) => line !== undefined);
      if (isWhole) files.push(fresh.get(file.name) ?? '');
    }
  }
  return { files, unreadable };
}

/** What of them cannot be read. */
function takeParts(parts: TrailFile, to: Takers): readonly Unreadable[] {
  const unread: Unreadable[] = [];
  for (const part of parts) {
    if ('record' in part) to.onRecord(part.record);
    else {
      to.onUnreadable(part);
      unread.push(part);
    }
  }
  return unread;
}

/** Digests by name. Those that were seen go to `files`. */
async function freshIn(
  place: TrailPlace,
  seen: ReadonlySet<string>,
  files: string[],
  mostListed: number,
) {
  const fresh = new Map<string, string>();
  for await (const name of place.names()) {
    if (files.length + fresh.size === mostListed) throw new TooManyFilesError(mostListed);
    const digest = nameDigest(name + (await place.extent(name)));
    if (seen.has(digest)) files.push(digest);
    else fresh.set(name, digest);
  }
  return fresh;
}

/** @throws RangeError if no watcher could read it again */
function stateText(state: WatchState): string {
  const text = JSON.stringify(state);
  const bytes = Buffer.byteLength(text);
  if (bytes > maxStateBytes) throw new RangeError(`the state would have ${bytes} bytes`);
  return text;
}

/** A queue tells of a file once: sessions that waited in a state that is lost are judged by nobody. */
const noStateWarning =
  'there is no state: if there was one, run `token-broker cloudtrail check` for the time that it was kept, because the queue does not tell again of what waited in it';

/** Undefined: there is none. @throws Error that says what to do */
async function readState(file: string, hasQueue: boolean): Promise<WatchState | undefined> {
  const bytes = await readStateFile(file, { maxBytes: maxStateBytes });
  if (bytes === undefined) return undefined;
  try {
    return watchState.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    const anew = hasQueue
      ? 'and run `token-broker cloudtrail check` for the time that it was kept: the queue does not tell again of sessions that waited in it'
      : 'and what was found before is found again';
    throw new UncheckableError(
      `${file} is not what a watcher has written: remove it to begin anew, ${anew}.`,
      { cause },
    );
  }
}

function numbersOf(state: WatchState) {
  const { findings, events, unreadable, refused, withheld, waiting, newest } = state;
  return { findings, events, unreadable, refused, withheld, waiting: waiting.length, newest };
}
