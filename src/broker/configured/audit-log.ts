/** The audit log as configuration describes it: its sinks, and the checkpoints that are signed of it. */

import { createWriteStream } from 'node:fs';
import { ChainedAuditLog } from '../../audit/audit-log.ts';
import { CheckpointCopies } from '../../audit/checkpoints/checkpoint-copies.ts';
import { Checkpointer } from '../../audit/checkpoints/checkpointer.ts';
import { LockedBucket } from '../../audit/checkpoints/locked-bucket.ts';
import { readCovered } from '../../audit/checkpoints/signed-state.ts';
import { FileSink } from '../../audit/file-sink.ts';
import type { ChainHead } from '../../audit/hash-chain.ts';
import { StdoutSink } from '../../audit/stdout-sink.ts';
import type { Config } from '../../config/schema.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import { configuredSigner } from '../../signing/configured-signer.ts';
import type { Observers } from '../observers.ts';

export interface ConfiguredAuditLogOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly version: string;
  readonly observe: Pick<Observers, 'audit' | 'checkpoints' | 'copies'>;
}

export interface ConfiguredAuditLog {
  readonly audit: ChainedAuditLog;
  /** Number of the last durable record; undefined where no file is written, or none is open. */
  readonly sequence: () => number | undefined;
  readonly checkpointer: Checkpointer | undefined;
  readonly copies: CheckpointCopies | undefined;
}

export function configuredAuditLog(options: ConfiguredAuditLogOptions): ConfiguredAuditLog {
  const { observe } = options;
  const file = fileSink(options);
  const [durable, ...secondary] = [file, stdoutSink(options)].filter((sink) => sink !== undefined);
  if (durable === undefined) throw new TypeError('configuration must name an audit sink');
  const audit = new ChainedAuditLog({
    durable: [durable],
    secondary,
    onNoRoom: (sink) => observe.audit.onFailure?.({ sink, reason: 'no_room', records: 1 }),
  });
  const durableHead = () => file?.durableHead();
  const copies = copiesOf(options);
  return {
    audit,
    sequence: () => durableHead()?.seq,
    checkpointer: checkpointerOf(options, { durableHead, copies }),
    copies,
  };
}

function fileSink(options: ConfiguredAuditLogOptions): FileSink | undefined {
  const { directory, checkpoints, rotateBytes, rotateAfterSeconds, reserveBytes } =
    options.config.audit;
  if (directory === undefined) return undefined;
  return new FileSink({
    ...ofEverySink(options),
    directory,
    rotateBytes,
    rotateAfterSeconds,
    reserveBytes,
    covered: checkpoints && (() => readCovered(directory)),
  });
}

function stdoutSink(options: ConfiguredAuditLogOptions): StdoutSink | undefined {
  if (!options.config.audit.stdout) return undefined;
  // process.stdout would block the whole process when its reader stops reading.
  const stream = createWriteStream('', { fd: 1, autoClose: false });
  return new StdoutSink({ ...ofEverySink(options), stream });
}

function ofEverySink({ config, clock, version, observe }: ConfiguredAuditLogOptions) {
  const { deadlineMs, maxQueuedRecords } = config.audit;
  return { clock, version, observer: observe.audit, deadlineMs, maxQueuedRecords };
}

function copiesOf({
  config,
  clock,
  observe,
}: ConfiguredAuditLogOptions): CheckpointCopies | undefined {
  const s3 = config.audit.checkpoints?.s3;
  if (s3 === undefined) return undefined;
  const { deadlineMs, ...bucket } = s3;
  return new CheckpointCopies({
    store: new LockedBucket({ ...bucket, requestTimeoutMs: deadlineMs / 2 }),
    deadlineMs,
    clock,
    observer: observe.copies,
  });
}

interface CheckpointParts {
  readonly durableHead: () => ChainHead | undefined;
  readonly copies: CheckpointCopies | undefined;
}

function checkpointerOf(
  { config, clock, observe }: ConfiguredAuditLogOptions,
  { durableHead, copies }: CheckpointParts,
): Checkpointer | undefined {
  const { directory, checkpoints } = config.audit;
  if (directory === undefined || checkpoints === undefined) return undefined;
  const { origin, intervalSeconds, everyRecords, deadlineMs } = checkpoints;
  const signer = configuredSigner(checkpoints, deadlineMs);
  if (signer === undefined) throw new TypeError('configuration must name a key for checkpoints');
  return new Checkpointer({
    directory,
    origin,
    signer,
    durableHead,
    intervalMs: intervalSeconds * 1000,
    everyRecords,
    deadlineMs,
    copies,
    clock,
    observer: observe.checkpoints,
  });
}
