import { closeSync, createWriteStream, openSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { ChainedAuditLog } from '../../src/audit/audit-log.ts';
import { StdoutSink } from '../../src/audit/stdout-sink.ts';
import type { Clock } from '../../src/kit/timing/clock.ts';
import { createTestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';
import {
  exchangeRecord,
  fileLog,
  newDirectory,
  observed,
  removeDirectories,
  requestIdsOf,
  verify,
  version,
  writtenLog,
} from './audit-fixture.ts';
import { fillDisk } from './full-disk.ts';
import { createFullPipe } from './pipe.ts';

let free: (() => void) | undefined;
afterEach(() => {
  free?.();
  free = undefined;
  removeDirectories();
});

const record = (requestId: string) => exchangeRecord(requestId);

function fileSink(directory: string, clock?: Clock) {
  const { failures, sink } = fileLog(directory, clock === undefined ? {} : { clock });
  return { directory, failures, sink };
}

const fullAtBytes = 12 * 1024;

/** Have no room left, while the disks of other sinks have some. */
async function fullDisks(clock?: Clock) {
  const directories = [await writtenLog(20), await writtenLog(20)] as const;
  for (const directory of directories) {
    expect(statSync(path.join(directory, 'audit.jsonl')).size).toBeGreaterThan(fullAtBytes);
  }
  free = fillDisk(fullAtBytes);
  return [fileSink(directories[0], clock), fileSink(directories[1], clock)] as const;
}

/** As a collector that has stopped reading. */
function blockedSink(clock: Clock) {
  const { observer } = observed();
  const pipe = createFullPipe();
  const writer = openSync(pipe.path, 'w');
  const stream = createWriteStream('', { fd: writer, autoClose: false });
  return {
    sink: new StdoutSink({ stream, clock, version, observer }),
    end() {
      pipe.drain();
      pipe.close();
      closeSync(writer);
    },
  };
}

describe('an audit log with several sinks', () => {
  it('writes every record to each of them, each with a chain of its own', async () => {
    const [one, two] = [fileSink(newDirectory()), fileSink(newDirectory())];
    const log = new ChainedAuditLog({ durable: [one.sink], secondary: [two.sink] });
    await log.start();
    await until(() => two.sink.ready());
    await log.record(record('r1'));
    await log.stop();
    const results = await Promise.all([verify(one.directory), verify(two.directory)]);
    expect(results).toMatchObject([
      { intact: true, records: 2 },
      { intact: true, records: 2 },
    ]);
    expect(results[0]?.head?.chain).not.toBe(results[1]?.head?.chain);
  });

  it('accepts a record as long as one durable sink keeps it', async () => {
    const good = fileSink(newDirectory());
    const [bad] = await fullDisks();
    const log = new ChainedAuditLog({ durable: [bad.sink, good.sink] });
    await log.start();
    expect(log.ready()).toBe(true);
    await log.record(record('r1'));
    await log.stop();
    expect(requestIdsOf(good.directory)).toEqual(['r1']);
  });

  it('refuses a record when no durable sink keeps it, even if a secondary one does', async () => {
    const copy = fileSink(newDirectory());
    const [bad, worse] = await fullDisks();
    const log = new ChainedAuditLog({ durable: [bad.sink, worse.sink], secondary: [copy.sink] });
    await log.start();
    expect(log.ready()).toBe(false);
    await expect(log.record(record('r1'))).rejects.toMatchObject({ code: 'audit_unavailable' });
    await log.stop();
  });

  it('is not held up by a secondary sink that is blocked, full or impossible', async () => {
    const impossible = path.join(newDirectory(), 'file');
    writeFileSync(impossible, '');
    // Time stands still: whatever would wait for a deadline would wait for ever.
    const clock = createTestClock();
    const primary = fileSink(newDirectory(), clock);
    const blocked = blockedSink(clock);
    const copies = [...(await fullDisks(clock)), fileSink(impossible, clock)];
    const log = new ChainedAuditLog({
      durable: [primary.sink],
      secondary: [blocked, ...copies].map(({ sink }) => sink),
    });
    await log.start();
    for (const id of ['r1', 'r2', 'r3']) await log.record(record(id));
    expect(log.ready()).toBe(true);
    expect(requestIdsOf(primary.directory)).toEqual(['r1', 'r2', 'r3']);
    for (const { failures } of copies) {
      expect(failures.filter(({ reason }) => reason === 'refused').length).toBe(3);
    }

    expect(blocked.sink.ready()).toBe(false);

    const stopped = log.stop();
    await clock.advance(1_000);
    await stopped;
    blocked.end();
  });

  it('does not start when a durable sink cannot work, and leaves no lock behind', async () => {
    const impossible = path.join(newDirectory(), 'file');
    writeFileSync(impossible, '');
    const good = fileSink(newDirectory());
    const log = new ChainedAuditLog({ durable: [good.sink, fileSink(impossible).sink] });
    await expect(log.start()).rejects.toMatchObject({ code: 'audit_unavailable' });
    const next = new ChainedAuditLog({ durable: [fileSink(good.directory).sink] });
    await next.start();
    await next.stop();
  });
});
