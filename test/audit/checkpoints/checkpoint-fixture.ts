import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  Checkpointer,
  type CheckpointerOptions,
  type CheckpointFailure,
} from '../../../src/audit/checkpoints/checkpointer.ts';
import { readCovered } from '../../../src/audit/checkpoints/signed-state.ts';
import type { FileSinkOptions } from '../../../src/audit/file-sink.ts';
import { systemClock } from '../../../src/kit/timing/clock.ts';
import { FileSigner } from '../../../src/signing/file-signer.ts';
import type { Signer } from '../../../src/signing/signer.ts';
import { exchangeRecord, fileLog, newDirectory } from '../audit-fixture.ts';

export interface KeyFiles {
  readonly privateKey: string;
  readonly publicKey: string;
}

export function newKeyFiles(): KeyFiles {
  const folder = newDirectory();
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const files = {
    privateKey: path.join(folder, 'key.pem'),
    publicKey: path.join(folder, 'pub.pem'),
  };
  writeFileSync(files.privateKey, privateKey.export({ type: 'pkcs8', format: 'pem' }), {
    mode: 0o600,
  });
  writeFileSync(files.publicKey, publicKey.export({ type: 'spki', format: 'pem' }));
  return files;
}

export interface SignedLogOptions extends Partial<FileSinkOptions> {
  readonly signer: Signer;
  readonly checkpoints?: Partial<CheckpointerOptions>;
}

/** A log with a checkpointer beside it, as the broker puts them together. */
export async function signedLog(
  directory: string,
  { signer, checkpoints, ...rest }: SignedLogOptions,
) {
  const file = fileLog(directory, { ...rest, covered: () => readCovered(directory) });
  const notes: string[] = [];
  const failures: CheckpointFailure[] = [];
  await file.log.start();
  const checkpointer = new Checkpointer({
    directory,
    origin: 'example.com/audit',
    signer,
    durableHead: () => file.sink.durableHead(),
    intervalMs: 60_000,
    everyRecords: 10_000,
    deadlineMs: 10_000,
    clock: rest.clock ?? systemClock,
    observer: {
      onSigned: ({ note }) => void notes.push(note),
      onFailure: ({ failure }) => void failures.push(failure),
    },
    ...checkpoints,
  });
  return {
    ...file,
    checkpointer,
    notes,
    checkpointFailures: failures,
    record: async (...ids: readonly string[]) => {
      for (const id of ids) await file.log.record(exchangeRecord(id));
    },
    /** As a broker that is told to stop: the last checkpoint covers everything. */
    stop: async () => {
      await checkpointer.stop();
      await file.log.stop();
    },
  };
}

/** A log of `count` records of requests, all of them covered by a checkpoint, closed. */
export async function writtenSignedLog(keys: KeyFiles, count: number): Promise<string> {
  const directory = newDirectory();
  const log = await signedLog(directory, { signer: new FileSigner(keys.privateKey) });
  await log.record(...Array.from({ length: count }, (_, n) => `r${n + 1}`));
  await log.stop();
  return directory;
}
