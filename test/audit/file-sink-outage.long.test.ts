import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { AuditObserver } from '../../src/audit/audit-sink.ts';
import { createTestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';
import {
  current,
  fileLog,
  linesOf,
  newDirectory,
  exchangeRecord as record,
  removeDirectories,
  requestIdsOf,
  turnBeforeCommit,
  verify,
  writtenLog,
} from './audit-fixture.ts';
import { blockDisk } from './blocked-disk.ts';
import { fillDisk } from './full-disk.ts';

afterEach(removeDirectories);

const unavailable = { code: 'audit_unavailable', status: 503, retryAfterSeconds: 5 };
const retryMs = 5;

describe('a disk that does not return in time', () => {
  it('fails what waits at the deadline, new records at once, and serves again when it returns', async () => {
    const directory = newDirectory();
    const clock = createTestClock();
    const { log, failures, nextCommit } = fileLog(directory, { clock });
    await log.start();
    const unblock = blockDisk();

    const waiting = [log.record(record('r1')), log.record(record('r2'))];
    const settled = Promise.allSettled(waiting);
    const committed = nextCommit();
    await turnBeforeCommit();
    await clock.advance(1_000);
    const refused = log.record(record('r3'));
    expect(log.ready()).toBe(false);
    await expect(refused).rejects.toMatchObject(unavailable);
    expect(await settled).toMatchObject([
      { status: 'rejected', reason: unavailable },
      { status: 'rejected', reason: unavailable },
    ]);
    expect(failures).toMatchObject([
      { reason: 'deadline', records: 2 },
      { reason: 'refused', records: 1 },
    ]);

    await unblock();
    await committed;
    await until(() => log.ready());
    await log.record(record('r4'));
    await log.stop();
    // One record too many is no harm; the refused one is not there, and the chain has no gap.
    expect(requestIdsOf(directory)).toEqual(['r1', 'r2', 'r4']);
    expect((await verify(directory)).intact).toBe(true);
  });

  it('is not blamed for the time in which the process itself stood still', async () => {
    const directory = newDirectory();
    const clock = createTestClock();
    const { log, failures } = fileLog(directory, { clock });
    await log.start();
    const unblock = blockDisk();

    const waiting = log.record(record('r1'));
    await turnBeforeCommit();
    await clock.jump(5_000);
    await clock.advance(700);
    await unblock();
    await waiting;
    expect(failures).toEqual([]);
    await log.stop();
    expect(requestIdsOf(directory)).toEqual(['r1']);
  });

  it('fails those that queue behind the blocked write at the same moment', async () => {
    const directory = newDirectory();
    const clock = createTestClock();
    const { log, failures } = fileLog(directory, { clock });
    await log.start();
    const unblock = blockDisk();
    const written = Promise.allSettled([log.record(record('r1'))]);
    await turnBeforeCommit();
    await new Promise((resolve) => setImmediate(resolve));
    // The write of r1 is under way now: these have to wait for it.
    const queued = Promise.allSettled([log.record(record('r2')), log.record(record('r3'))]);
    expect(log.queuedRecords()).toBe(3);
    await clock.advance(1_000);
    expect(log.queuedRecords()).toBe(1);
    const outcomes = [...(await written), ...(await queued)];
    expect(outcomes).toMatchObject(Array(3).fill({ status: 'rejected', reason: unavailable }));
    expect(failures).toMatchObject([
      { reason: 'deadline', records: 1 },
      { reason: 'deadline', records: 2 },
    ]);
    await unblock();
    await until(() => log.ready());
    await log.stop();
    expect(requestIdsOf(directory)).toEqual(['r1']);
  });

  it('does not let the queue grow beyond its limits', async () => {
    const directory = newDirectory();
    const clock = createTestClock();
    const byCount = fileLog(directory, { clock, maxQueuedRecords: 10 });
    await byCount.log.start();
    const results = await Promise.allSettled(
      Array.from({ length: 15 }, (_, number) => byCount.log.record(record(`r${number}`))),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    expect(byCount.failures).toMatchObject(Array(5).fill({ reason: 'queue_full', records: 1 }));
    await byCount.log.stop();

    const byBytes = fileLog(directory, { clock, maxQueuedBytes: 5_000 });
    await byBytes.log.start();
    const second = await Promise.allSettled(
      Array.from({ length: 15 }, (_, number) => byBytes.log.record(record(`s${number}`))),
    );
    const kept = second.filter(({ status }) => status === 'fulfilled').length;
    expect(kept).toBeGreaterThan(2);
    expect(kept).toBeLessThan(8);
    await byBytes.log.stop();
    expect(requestIdsOf(directory)).toHaveLength(10 + kept);
    expect((await verify(directory)).intact).toBe(true);
  });

  it('blocks from the start on: start ends, nothing is accepted, and service begins by itself', async () => {
    const directory = newDirectory();
    const unblock = blockDisk();
    const clock = createTestClock();
    const { log } = fileLog(directory, { clock, retryMs });
    const started = log.start();
    await clock.advance(1_000);
    await started;
    expect(log.ready()).toBe(false);
    const refused = await Promise.allSettled(
      Array.from({ length: 1_000 }, (_, number) => log.record(record(`r${number}`))),
    );
    expect(refused.every(({ status }) => status === 'rejected')).toBe(true);
    expect(log.queuedRecords()).toBe(0);

    await unblock();
    await until(() => log.ready());
    await log.record(record('served'));
    await log.stop();
    expect(requestIdsOf(directory)).toEqual(['served']);
    expect((await verify(directory)).intact).toBe(true);
  });

  it('does not keep stop from ending; the lock goes when the disk returns', async () => {
    const directory = newDirectory();
    const clock = createTestClock();
    const { log } = fileLog(directory, { clock, retryMs });
    await log.start();
    const unblock = blockDisk();
    const refused = expect(log.record(record('r1'))).rejects.toMatchObject(unavailable);
    await turnBeforeCommit();
    await clock.advance(1_000);
    await refused;
    const stopped = log.stop();
    await clock.advance(1_000);
    await stopped;
    expect(readdirSync(directory)).toContain('audit.lock');
    await unblock();
    await until(() => !readdirSync(directory).includes('audit.lock'));
  });
});

describe('a disk that is full', () => {
  it('fails every record at once, and accepts them again within two seconds of there being space', async () => {
    const directory = await writtenLog(3);
    const free = fillDisk(1024);
    const { log, failures } = fileLog(directory);
    try {
      await log.start();
      expect(log.ready()).toBe(false);
      await expect(log.record(record('during'))).rejects.toMatchObject(unavailable);
      expect(failures).toMatchObject([
        { reason: 'write_failed', errorCode: 'EFBIG' },
        { reason: 'refused', records: 1 },
      ]);
    } finally {
      free();
    }
    const freedAt = performance.now();
    await until(() => log.ready());
    await log.record(record('after'));
    expect(performance.now() - freedAt).toBeLessThan(2_000);
    await log.stop();
    expect(requestIdsOf(directory)).toEqual(['r1', 'r2', 'r3', 'after']);
    expect((await verify(directory)).intact).toBe(true);
  });

  it('is asked no more often than the retry interval says, however many records come', async () => {
    const directory = await writtenLog(3);
    const free = fillDisk(1024);
    const clock = createTestClock();
    const attempts: number[] = [];
    const observer: AuditObserver = {
      onFailure: ({ reason }) => {
        if (reason === 'write_failed') attempts.push(clock.monotonic());
      },
    };
    const { log } = fileLog(directory, { clock, retryMs: 200, observer });
    try {
      await log.start();
      while (attempts.length < 5) {
        await log.record(record('r')).catch(() => undefined);
        await clock.advance(10);
      }
    } finally {
      free();
    }
    await log.stop();
    const gaps = attempts.slice(1).map((at, index) => at - (attempts[index] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(200);
  });
});

const emptied = { sink: 'file', reason: 'file_emptied', file: 'audit.jsonl' };

describe('a file that is taken away under a running process', () => {
  it.each([
    [
      'moved',
      (file: string) => renameSync(file, path.join(path.dirname(file), 'audit-000000000001.jsonl')),
    ],
    ['removed', (file: string) => rmSync(file)],
    [
      'replaced',
      (file: string) => {
        rmSync(file);
        closeSync(openSync(file, 'w'));
      },
    ],
  ])(
    'is noticed within a second, an alarm is raised unless it is beside the others, and the same chain goes on: %s (T158)',
    async (how, take) => {
      const directory = newDirectory();
      const clock = createTestClock();
      const { log, failures, alarms } = fileLog(directory, { clock, retryMs });
      await log.start();
      await log.record(record('r1'));
      take(current(directory));
      await clock.advance(1_000);
      await expect(log.record(record('r2'))).rejects.toMatchObject(unavailable);
      expect(failures).toMatchObject([{ reason: 'write_failed', records: 1, errorCode: 'EMOVED' }]);
      await until(() => log.queuedRecords() === 0);
      while (!log.ready()) {
        await clock.advance(retryMs);
      }
      await log.record(record('r3'));
      await log.stop();
      expect(linesOf(directory).slice(-2)).toMatchObject([
        { type: 'audit_resumed', seq: 3, errorCode: 'EMOVED', refusedRecords: 1 },
        { requestId: 'r3', seq: 4 },
      ]);
      // Under the name that a rotation gives, nothing is lost.
      expect(alarms).toEqual(how === 'moved' ? [] : [emptied]);
      const result = await verify(directory);
      expect(result.intact).toBe(how === 'moved');
      if (how !== 'moved')
        expect(result.problems).toMatchObject([{ kind: 'missing', line: 1, seq: 3 }]);
    },
  );
});

/** As `copytruncate` of logrotate has it: the copy lies beside the file, which stays, emptied. */
function copyTruncate(file: string): string {
  const copy = `${file}.1`;
  copyFileSync(file, copy);
  truncateSync(file);
  return copy;
}

describe('a file that is emptied under a running process', () => {
  it('is noticed at the next write, an alarm is raised, and the chain goes on: the copy makes it whole (T158)', async () => {
    const directory = newDirectory();
    const clock = createTestClock();
    const { log, failures, alarms } = fileLog(directory, { clock, retryMs });
    await log.start();
    await log.record(record('r1'));
    const copy = copyTruncate(current(directory));
    await expect(log.record(record('r2'))).rejects.toMatchObject(unavailable);
    expect(failures).toMatchObject([
      { reason: 'write_failed', records: 1, errorCode: 'ETRUNCATED' },
    ]);
    await until(() => log.queuedRecords() === 0);
    while (!log.ready()) await clock.advance(retryMs);
    await log.record(record('r3'));
    await log.stop();
    expect(alarms).toEqual([emptied]);
    expect(linesOf(directory)).toMatchObject([
      { type: 'audit_resumed', seq: 3, errorCode: 'ETRUNCATED', refusedRecords: 1 },
      { requestId: 'r3', seq: 4 },
    ]);
    expect((await verify(directory)).problems).toMatchObject([{ kind: 'missing', seq: 3 }]);
    renameSync(copy, path.join(directory, 'audit-000000000001.jsonl'));
    expect((await verify(directory)).intact).toBe(true);
  });

  it('is never filled up with zeros, whatever fails next (T158)', async () => {
    const directory = newDirectory();
    const clock = createTestClock();
    const { log, alarms } = fileLog(directory, { clock, retryMs });
    await log.start();
    for (let day = 1; day <= 3; day += 1) {
      await log.record(record(`day ${day}`));
      const copy = copyTruncate(current(directory));
      await expect(log.record(record('lost'))).rejects.toMatchObject(unavailable);
      await until(() => log.queuedRecords() === 0);
      while (!log.ready()) await clock.advance(retryMs);
      expect(readFileSync(copy).includes(0)).toBe(false);
      expect(readFileSync(current(directory)).includes(0)).toBe(false);
    }
    await log.stop();
    expect(alarms).toEqual([emptied, emptied, emptied]);
  });

  it('in part is not continued, and an alarm is raised (T158)', async () => {
    const directory = newDirectory();
    const clock = createTestClock();
    const { log, alarms } = fileLog(directory, { clock, retryMs });
    await log.start();
    await log.record(record('r1'));
    await log.record(record('r2'));
    const text = readFileSync(current(directory), 'utf8');
    truncateSync(current(directory), text.lastIndexOf('\n', text.length - 2) + 1);
    await expect(log.record(record('r3'))).rejects.toMatchObject(unavailable);
    await until(() => log.queuedRecords() === 0);
    while (!log.ready()) await clock.advance(retryMs);
    await log.stop();
    expect(alarms).toEqual([{ sink: 'file', reason: 'tail_unexpected', file: 'audit.jsonl' }]);
    expect((await verify(directory)).intact).toBe(false);
  });
});

describe('a directory that was replaced', () => {
  it('is locked before it is written to, and is not made up for while it is away', async () => {
    const directory = newDirectory();
    const clock = createTestClock();
    const { log } = fileLog(directory, { clock, retryMs });
    await log.start();
    renameSync(directory, `${directory}.gone`);
    await clock.advance(1_000);
    await expect(log.record(record('r1'))).rejects.toMatchObject(unavailable);
    await until(() => log.queuedRecords() === 0);
    for (let tries = 0; tries < 5; tries += 1) await clock.advance(retryMs);
    expect(existsSync(directory)).toBe(false);

    mkdirSync(directory, { mode: 0o700 });
    while (!log.ready()) await clock.advance(retryMs);
    await log.record(record('r2'));
    await expect(fileLog(directory).log.start()).rejects.toMatchObject({
      cause: { code: 'ELOCKED' },
    });
    await log.stop();
    expect(readdirSync(directory)).toEqual(['audit.jsonl']);
    rmSync(`${directory}.gone`, { recursive: true });
  });

  it('and comes back is found locked by nobody else, and its chain goes on', async () => {
    const directory = newDirectory();
    const clock = createTestClock();
    const { log } = fileLog(directory, { clock, retryMs });
    await log.start();
    await log.record(record('r1'));
    const replace = async (aside: string, put: () => void, lost: string) => {
      renameSync(directory, `${directory}.${aside}`);
      put();
      await clock.advance(1_000);
      await expect(log.record(record(lost))).rejects.toMatchObject(unavailable);
      await until(() => log.queuedRecords() === 0);
      while (!log.ready()) await clock.advance(retryMs);
    };
    await replace('first', () => mkdirSync(directory, { mode: 0o700 }), 'r2');
    await log.record(record('r3'));
    await replace('second', () => renameSync(`${directory}.first`, directory), 'r4');
    await log.record(record('r5'));
    await log.stop();

    expect(requestIdsOf(directory)).toEqual(['r1', 'r5']);
    expect(requestIdsOf(`${directory}.second`)).toEqual(['r3']);
    rmSync(`${directory}.second`, { recursive: true });
  });
});

describe('a file that was changed while the sink could not write', () => {
  /** Takes the file away, puts other content in its place, and waits until the sink has opened that. */
  async function reopenedOn(change: (text: string) => string) {
    const directory = newDirectory();
    const clock = createTestClock();
    const parts = fileLog(directory, { clock, retryMs });
    await parts.log.start();
    for (const id of ['r1', 'r2', 'r3']) await parts.log.record(record(id));
    const text = readFileSync(current(directory), 'utf8');
    rmSync(current(directory));
    await clock.advance(1_000);
    await parts.log.record(record('refused')).catch(() => undefined);
    const changed = change(text);
    writeFileSync(current(directory), changed);
    while (!parts.log.ready()) await clock.advance(retryMs);
    await parts.log.record(record('r4'));
    await parts.log.stop();
    return { directory, changed, ...parts };
  }

  it.each([
    ['half a record', '{"seq":5,"chain":"'],
    ['junk', 'junk without an end'],
  ])(
    'loses what stands behind the last record that is known to be kept: %s',
    async (_name, rest) => {
      const { directory, alarms } = await reopenedOn((text) => text + rest);
      expect(alarms).toEqual([]);
      expect(requestIdsOf(directory)).toEqual(['r1', 'r2', 'r3', 'r4']);
      expect(await verify(directory)).toMatchObject({ intact: true, records: 6 });
    },
  );

  it('is not continued when records are gone from its end, and an alarm is raised', async () => {
    const { directory, alarms } = await reopenedOn(
      (text) => `${text.split('\n').slice(0, 2).join('\n')}\n`,
    );
    expect(alarms).toEqual([{ sink: 'file', reason: 'tail_unexpected', file: 'audit.jsonl' }]);
    expect(linesOf(directory)[2]).toMatchObject({
      type: 'audit_chain_broken',
      brokenSeq: 2,
      seq: 5,
    });
  });

  it('is kept whole when it is not this log at all, however long it is', async () => {
    const { directory, changed, alarms } = await reopenedOn(() => 'not a record\n'.repeat(1_000));
    expect(alarms).toEqual([{ sink: 'file', reason: 'tail_altered', file: 'audit.jsonl' }]);
    const text = readFileSync(current(directory), 'utf8');
    expect(text.startsWith(changed)).toBe(true);
    expect(text.slice(changed.length)).toContain('audit_chain_broken');
  });
});
