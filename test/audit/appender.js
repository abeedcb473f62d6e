/**
 * A process that appends records as fast as it can from 64 callers at once, and writes `ack <id>` to standard
 * output for each one that was accepted, `refused` for each one that was not. It goes on until it is killed.
 */

import { writeSync } from 'node:fs';
import { ChainedAuditLog } from '../../dist/audit/audit-log.js';
import { FileSink } from '../../dist/audit/file-sink.js';
import { systemClock } from '../../dist/kit/timing/clock.js';

const [, , directory = '', round = '', rotateBytes = ''] = process.argv;
const sink = new FileSink({
  directory,
  clock: systemClock,
  version: '1.2.3',
  rotateBytes: Number(rotateBytes),
});
const log = new ChainedAuditLog({ durable: [sink] });
await log.start();
let count = 0;

async function call() {
  for (;;) {
    count += 1;
    const requestId = `${round}-${count}`;
    try {
      await log.record({
        type: 'exchange',
        time: new Date().toISOString(),
        requestId,
        route: 'POST /v1/credentials',
        sourceIp: '192.0.2.10',
        peerIp: '192.0.2.1',
        userAgent: 'x'.repeat(count % 900),
        outcome: 'issued',
      });
      writeSync(1, `ack ${requestId}\n`);
    } catch {
      writeSync(1, 'refused\n');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

await Promise.all(Array.from({ length: 64 }, call));
