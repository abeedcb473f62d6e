/**
 * A process that appends records and signs for them as fast as it can, until it is killed. Each note goes to standard
 * output, one JSON text a line.
 */

import { writeSync } from 'node:fs';
import { ChainedAuditLog } from '../../../dist/audit/audit-log.js';
import { Checkpointer } from '../../../dist/audit/checkpoints/checkpointer.js';
import { readCovered } from '../../../dist/audit/checkpoints/signed-state.js';
import { FileSink } from '../../../dist/audit/file-sink.js';
import { systemClock } from '../../../dist/kit/timing/clock.js';
import { FileSigner } from '../../../dist/signing/file-signer.js';

const [, , directory, keyFile, round] = process.argv;
const tell = (event) => writeSync(1, `${JSON.stringify(event)}\n`);
const sink = new FileSink({
  directory,
  clock: systemClock,
  version: '1.2.3',
  rotateBytes: 100_000,
  covered: () => readCovered(directory),
  observer: { onAlarm: tell },
});
const log = new ChainedAuditLog({ durable: [sink] });
await log.start();

async function append(caller) {
  for (let count = 0; ; count++) {
    await log.record({
      type: 'exchange',
      time: new Date().toISOString(),
      requestId: `${round}-${caller}-${count}`,
      route: 'POST /v1/credentials',
      sourceIp: '192.0.2.10',
      peerIp: '192.0.2.1',
      outcome: 'issued',
    });
  }
}

async function sign() {
  for (;;) {
    const checkpointer = new Checkpointer({
      directory,
      origin: 'example.com/audit',
      signer: new FileSigner(keyFile),
      durableHead: () => sink.durableHead(),
      intervalMs: 60_000,
      everyRecords: 10_000,
      deadlineMs: 10_000,
      clock: systemClock,
      observer: { onSigned: ({ note }) => tell({ note }), onFailure: tell },
    });
    // It signs for what has come since.
    await checkpointer.stop();
  }
}

await Promise.all([append(1), append(2), append(3), sign()]);
