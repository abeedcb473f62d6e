import {
  closeSync,
  fstatSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type ChainHead, sealRecords } from '../../src/audit/hash-chain.ts';
import { recordFields } from '../../src/audit/record-fields.ts';
import { auditFind } from '../../src/cli/audit-find.ts';
import { auditVerify } from '../../src/cli/audit-verify.ts';
import type { Clock } from '../../src/kit/timing/clock.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';
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
} from './audit-fixture.ts';

afterEach(removeDirectories);

const unavailable = { code: 'audit_unavailable', status: 503 };
const closed = (directory: string) => path.join(directory, 'audit-000000000001.jsonl');

describe('a holder of the directory that was stopped, and had it taken', () => {
  it('tells nobody that a batch was kept which it wrote after its look at the lease (T193)', async () => {
    const directory = newDirectory();
    const clock = createTestClock();
    // It stands still between the write and its next look, and another process takes the directory meanwhile.
    const standing = wakingWhen(clock, () => {
      if (requestIdsOf(directory).includes('r2')) give(directory);
    });
    const { log, failures } = fileLog(directory, { clock: standing });
    await log.start();
    await log.record(record('r1'));
    await expect(log.record(record('r2'))).rejects.toMatchObject(unavailable);
    expect(failures).toMatchObject([{ reason: 'write_failed', records: 1, errorCode: 'EMOVED' }]);
    // What its successor may have read already is not taken back.
    expect(requestIdsOf(directory)).toEqual(['r1', 'r2']);
    await log.stop();
  });

  it('writes one batch behind the end of a file that its successor has sealed off: the chain stays whole (T193)', async () => {
    const { directory, second, late } = await takenDirectory();
    late(['r2', 'r3']);
    await second.log.record(record('r4'));
    await second.log.stop();
    expect(second.alarms).toEqual([]);
    const result = await verify(directory);
    expect(result).toMatchObject({ intact: true, records: 5, problems: [] });
    expect(result.chains).toHaveLength(1);
    expect(result.late).toMatchObject([{ file: 'audit-000000000001.jsonl', records: 2 }]);
    expect(linesOf(directory).map(({ type, requestId = type }) => requestId)).toEqual([
      ...['audit_opened', 'r1', 'r2', 'r3'],
      ...['audit_taken_over', 'audit_opened', 'r4'],
    ]);
    expect(await printed(auditVerify, { directory: [directory] })).toContain(
      'note: audit-000000000001.jsonl: behind its end stands what a process wrote after another one had taken the log over (2 records',
    );
    // No credentials went out on it.
    expect(await printed(auditFind, { directory: [directory], now: 0, requestId: 'r2' })).toContain(
      'No record matches',
    );
    expect(await printed(auditFind, { directory: [directory], now: 0, requestId: 'r4' })).toContain(
      'r4',
    );
  });

  it('may be killed in the middle of that batch (T193)', async () => {
    const { directory, second, late } = await takenDirectory();
    late(['r2', 'r3'], 100);
    await second.log.stop();
    expect(await verify(directory)).toMatchObject({ intact: true, late: [{ records: 1 }] });
  });

  it.each<readonly [string, (text: string) => string]>([
    ['no record', () => 'rm -rf\n'],
    ['a batch that was altered', (text) => text.replace('"r3"', '"r9"')],
    ['a batch without its first record', (text) => text.slice(text.indexOf('\n') + 1)],
    ['more than a batch', (text) => `${text}${'{}\n'.repeat(1_100)}`],
  ])('does not excuse what else is added there: %s (T193)', async (_name, change) => {
    const { directory, second, late } = await takenDirectory();
    late(['r2', 'r3'], 0, change);
    await second.log.stop();
    expect(await verify(directory)).toMatchObject({
      intact: false,
      problemCount: 1,
      problems: [{ kind: 'altered', file: 'audit-000000000001.jsonl', line: 3 }],
      late: [],
    });
  });

  it('does not excuse what is missing from the file that it had (T193)', async () => {
    const { directory, second } = await takenDirectory();
    await second.log.stop();
    const [first = ''] = readFileSync(closed(directory), 'utf8').split('\n');
    writeFileSync(closed(directory), `${first}\n`);
    expect(await verify(directory)).toMatchObject({
      intact: false,
      problems: [{ kind: 'missing', seq: 3 }],
    });
  });

  it('was about to begin a file: what it writes there is nowhere in the log (T193)', async () => {
    const directory = newDirectory();
    const { log } = fileLog(directory);
    await log.start();
    await log.record(record('r1'));
    await log.stop();
    renameSync(current(directory), closed(directory));
    const its = openSync(current(directory), 'a', 0o600);
    const second = await takeOver(directory);
    writeSync(its, 'late\n');
    expect(fstatSync(its).nlink).toBe(0);
    closeSync(its);
    await second.log.record(record('r2'));
    await second.log.stop();
    expect(requestIdsOf(directory)).toEqual(['r1', 'r2']);
    expect(await verify(directory)).toMatchObject({ intact: true, records: 5, late: [] });
  });

  it('was about to rotate: the file of its successor stays where it is, with every record (T193)', async () => {
    const directory = newDirectory();
    let standsStill = false;
    const clock = wakingWhen(createTestClock(), () => {
      if (!standsStill) return;
      standsStill = false;
      // What a takeover leaves.
      linkSync(current(directory), closed(directory));
      writeFileSync(`${current(directory)}.successor`, 'of the successor\n', { mode: 0o600 });
      renameSync(`${current(directory)}.successor`, current(directory));
      give(directory);
    });
    const { log, failures } = fileLog(directory, { clock, rotateBytes: 1 });
    await log.start();
    const written = readFileSync(current(directory), 'utf8');
    // Time is looked at once more when the rotation begins, after the look at the lease.
    const begin = clock.now;
    clock.now = () => {
      standsStill = true;
      clock.monotonic();
      return begin();
    };
    await expect(log.record(record('r1'))).rejects.toMatchObject(unavailable);
    expect(failures).toMatchObject([{ errorCode: 'EMOVED' }]);
    expect(readFileSync(current(directory), 'utf8')).toBe('of the successor\n');
    expect(readFileSync(closed(directory), 'utf8')).toBe(written);
    await log.stop();
  });

  it('whose directory went away between a write and the look behind it goes on without that batch, and without an alarm', async () => {
    const directory = newDirectory();
    const away = `${directory}-away`;
    const clock = createTestClock();
    let wentAway = false;
    const standing = wakingWhen(clock, () => {
      if (wentAway || !requestIdsOf(directory).includes('r2')) return;
      wentAway = true;
      renameSync(directory, away);
    });
    const { log, failures, alarms } = fileLog(directory, { clock: standing, retryMs: 200 });
    await log.start();
    await log.record(record('r1'));
    await expect(log.record(record('r2'))).rejects.toMatchObject(unavailable);
    renameSync(away, directory);
    await waitFor(clock, () => log.ready());
    await log.record(record('r3'));
    await log.stop();
    expect(alarms).toEqual([]);
    expect(failures[0]).toMatchObject({ errorCode: 'EMOVED' });
    expect(requestIdsOf(directory)).toEqual(['r1', 'r3']);
    const result = await verify(directory);
    expect(result).toMatchObject({ intact: true, problems: [] });
    expect(result.chains).toHaveLength(1);
  });

  it('goes on with the chain of its successor once that one has left, without an alarm (T193)', async () => {
    const directory = newDirectory();
    const clock = createTestClock();
    const first = fileLog(directory, { clock, retryMs: 200 });
    await first.log.start();
    await first.log.record(record('r1'));
    const second = await takeOver(directory);
    await expect(first.log.record(record('r2'))).rejects.toMatchObject(unavailable);
    await second.log.record(record('r3'));
    await waitFor(clock, () => first.failures.length > 2);
    await second.log.stop();
    await waitFor(clock, () => first.log.ready());
    await first.log.record(record('r4'));
    await first.log.stop();
    expect(first.alarms).toEqual([]);
    expect(requestIdsOf(directory)).toEqual(['r1', 'r3', 'r4']);
    const result = await verify(directory);
    expect(result).toMatchObject({ intact: true });
    expect(result.chains).toHaveLength(1);
  });
});

/** A directory with `r1`, which a second process has taken from one that may go on. */
async function takenDirectory() {
  const directory = newDirectory();
  const first = fileLog(directory);
  await first.log.start();
  await first.log.record(record('r1'));
  const head = first.sink.durableHead();
  await first.log.stop();
  const its = openSync(current(directory), 'a');
  const second = await takeOver(directory);
  expect(readdirSync(directory).sort()).toEqual([
    'audit-000000000001.jsonl',
    'audit.jsonl',
    'audit.lock',
  ]);
  return {
    directory,
    second,
    /** What the process before was about to write, less so many bytes at its end. */
    late(ids: readonly string[], cut = 0, change = (text: string) => text) {
      const { text } = sealRecords(
        head as ChainHead,
        ids.map((id) => recordFields(record(id))),
      );
      writeSync(its, change(text.slice(0, text.length - cut)));
      closeSync(its);
      expect(statSync(closed(directory)).size).toBeGreaterThan(0);
    },
  };
}

/** By a process that finds a lock of another host, and hears nothing of it for ten seconds. */
async function takeOver(directory: string) {
  give(directory);
  const clock = createTestClock();
  const second = fileLog(directory, { clock, retryMs: 200 });
  await second.log.start();
  await waitFor(clock, () => second.log.ready());
  return second;
}

/** The directory belongs to a process somewhere else. */
function give(directory: string): void {
  writeFileSync(path.join(directory, 'audit.lock'), '{"host":"elsewhere"}', { mode: 0o600 });
}

async function waitFor(clock: TestClock, condition: () => boolean): Promise<void> {
  while (!condition()) {
    await clock.advance(200);
    await turnBeforeCommit();
  }
}

/** The same time, and something happens whenever somebody looks at it. */
function wakingWhen(clock: TestClock, wake: () => void): Clock {
  return {
    ...clock,
    monotonic: () => {
      wake();
      return clock.monotonic();
    },
  };
}

async function printed<Options>(
  command: (options: Options & { json: boolean; out: (text: string) => void }) => Promise<number>,
  options: Options,
): Promise<string> {
  let text = '';
  await command({
    ...options,
    json: false,
    out: (more) => {
      text += more;
    },
  });
  return text;
}
