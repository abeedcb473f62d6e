import { closeSync, createWriteStream, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { afterEach, describe, expect, it } from '@jest/globals';
import { ChainedAuditLog } from '../../src/audit/audit-log.ts';
import { StdoutSink } from '../../src/audit/stdout-sink.ts';
import { verifyAuditLog } from '../../src/audit/verify.ts';
import { type Clock, systemClock } from '../../src/kit/timing/clock.ts';
import { createTestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';
import {
  exchangeRecord,
  newDirectory,
  observed,
  patientDeadlineMs,
  removeDirectories,
  turnBeforeCommit,
  verify,
  version,
} from './audit-fixture.ts';
import { createPipe } from './pipe.ts';

afterEach(removeDirectories);

const unavailable = { code: 'audit_unavailable', status: 503 };
const record = (requestId: string) => exchangeRecord(requestId);

function stdoutLog(stream: Writable, clock?: Clock) {
  const events = observed();
  const sink = new StdoutSink({
    stream,
    version,
    observer: events.observer,
    ...(clock === undefined ? { clock: systemClock, deadlineMs: patientDeadlineMs } : { clock }),
  });
  return { log: new ChainedAuditLog({ durable: [sink] }), ...events };
}

/** A stream as standard output should be handed over: one that writes in the background. */
function backgroundStream(fd: number): Writable {
  return createWriteStream('', { fd, autoClose: false });
}

describe('records on standard output', () => {
  it('are in order, and each process adds a chain of its own', async () => {
    const file = path.join(newDirectory(), 'collected.log');
    for (const process of [1, 2]) {
      const fd = openSync(file, 'a');
      const { log } = stdoutLog(backgroundStream(fd));
      await log.start();
      expect(log.ready()).toBe(true);
      await Promise.all(
        Array.from({ length: 500 }, (_, number) => log.record(record(`p${process}-${number}`))),
      );
      await log.stop();
      closeSync(fd);
    }
    const result = await verifyAuditLog({ location: file, separateChains: true });
    expect(result).toMatchObject({ intact: true, records: 1_002 });
    expect(result.chains).toMatchObject([
      { firstSeq: 1, lastSeq: 501 },
      { firstSeq: 1, lastSeq: 501, line: 502 },
    ]);
    const ids = [...readFileSync(file, 'utf8').matchAll(/"requestId":"(p1-\d+)"/g)];
    expect(ids.map(([, id]) => id)).toEqual(Array.from({ length: 500 }, (_, n) => `p1-${n}`));
  });

  it('are refused when the collector has stopped reading, at the deadline and then at once, until it reads again', async () => {
    const pipe = createPipe();
    const writer = openSync(pipe.path, 'w');
    const clock = createTestClock();
    const { log } = stdoutLog(backgroundStream(writer), clock);
    await log.start();
    pipe.fill();

    const waiting = log.record(record('r1'));
    const late = expect(waiting).rejects.toMatchObject(unavailable);
    await turnBeforeCommit();
    await clock.advance(1_000);
    await late;
    expect(log.ready()).toBe(false);
    const refused = await Promise.allSettled(
      Array.from({ length: 1_000 }, (_, number) => log.record(record(`s${number}`))),
    );
    expect(refused.every(({ status }) => status === 'rejected')).toBe(true);
    expect(log.queuedRecords()).toBe(1);

    let collected = pipe.drain();
    await until(() => log.ready());
    await log.record(record('r2'));
    await log.stop();
    collected += pipe.drain();
    pipe.close();
    closeSync(writer);

    const file = path.join(newDirectory(), 'collected.log');
    writeFileSync(file, collected);
    expect(await verify(file)).toMatchObject({ intact: true, records: 3 });
  });

  it('blocked from the start on are refused, and accepted once the collector reads', async () => {
    const pipe = createPipe();
    const writer = openSync(pipe.path, 'w');
    pipe.fill();
    const clock = createTestClock();
    const { log } = stdoutLog(backgroundStream(writer), clock);
    const started = log.start();
    await turnBeforeCommit();
    await clock.advance(1_000);
    await started;
    expect(log.ready()).toBe(false);
    await expect(log.record(record('r1'))).rejects.toMatchObject(unavailable);
    pipe.drain();
    await until(() => log.ready());
    await log.record(record('r2'));
    await log.stop();
    pipe.close();
    closeSync(writer);
  });

  it('are refused when the collector is gone, without an error that nobody handles', async () => {
    const pipe = createPipe();
    const writer = openSync(pipe.path, 'w');
    const clock = createTestClock();
    const { log, failures } = stdoutLog(backgroundStream(writer), clock);
    await log.start();
    pipe.close();
    await expect(log.record(record('r1'))).rejects.toMatchObject(unavailable);
    expect(failures).toMatchObject([{ reason: 'write_failed', records: 1, errorCode: 'EPIPE' }]);
    expect(log.ready()).toBe(false);
    await expect(clock.outlast(log.record(record('r2')))).rejects.toMatchObject(unavailable);
    await clock.outlast(log.stop());
    closeSync(writer);
  });

  it('cannot begin on a stream that is broken', async () => {
    const full = openSync('/dev/full', 'w');
    const { log } = stdoutLog(backgroundStream(full));
    await expect(log.start()).rejects.toMatchObject({ ...unavailable, cause: { code: 'ENOSPC' } });
    closeSync(full);
  });
});
