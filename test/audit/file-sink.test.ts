import { spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { portion, sampled } from '../support/fuzz-budget.ts';
import { hostileFiles } from '../support/hostile-files.ts';
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

afterEach(removeDirectories);

const unavailable = { code: 'audit_unavailable', status: 503 };

describe('records in a file', () => {
  it('are all there, in the order of the calls, however many come at once, with few syncs', async () => {
    const directory = newDirectory();
    const { log, commits } = fileLog(directory);
    await log.start();
    const count = portion(10_000);
    const ids = Array.from({ length: count }, (_, number) => `r${number}`);
    await Promise.all(ids.map((id) => log.record(record(id))));
    expect(requestIdsOf(directory)).toEqual(ids);
    expect(commits.reduce((sum, { records }) => sum + records, 0)).toBe(count);
    expect(commits.length).toBeLessThanOrEqual(20);
    await log.stop();
    expect(await verify(directory)).toMatchObject({ intact: true, records: count + 1 });
  });

  it('of one commit share one promise, and those of the next have another', async () => {
    const directory = newDirectory();
    const { log, commits } = fileLog(directory);
    await log.start();
    const [first, second] = [log.record(record('r1')), log.record(record('r2'))];
    expect(second).toBe(first);
    await first;
    expect(requestIdsOf(directory)).toEqual(['r1', 'r2']);
    const third = log.record(record('r3'));
    expect(third).not.toBe(first);
    await third;
    expect(commits.map(({ records }) => records)).toEqual([2, 1]);
    await log.stop();
  });

  it('are on disk when their promise resolves', async () => {
    const directory = newDirectory();
    const { log } = fileLog(directory);
    await log.start();
    for (const id of ['r1', 'r2', 'r3']) {
      await log.record(record(id));
      expect(requestIdsOf(directory).at(-1)).toBe(id);
    }
    await log.stop();
  });

  it('are for the owner only, in a directory for the owner only', async () => {
    const directory = path.join(newDirectory(), 'deep', 'audit');
    const { log } = fileLog(directory);
    await log.start();
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(current(directory)).mode & 0o777).toBe(0o600);
    await log.stop();
  });

  it('keep what a record held when it was handed over, not what became of it later', async () => {
    const directory = newDirectory();
    const { log } = fileLog(directory);
    await log.start();
    const changing = { ...record('before') };
    const done = log.record(changing);
    changing.requestId = 'after';
    await done;
    expect(requestIdsOf(directory)).toEqual(['before']);
    await log.stop();
  });

  it('are written before stop ends, and refused after it', async () => {
    const directory = newDirectory();
    const { log } = fileLog(directory);
    await log.start();
    const pending = [log.record(record('r1')), log.record(record('r2'))];
    await log.stop();
    await Promise.all(pending);
    expect(requestIdsOf(directory)).toEqual(['r1', 'r2']);
    await expect(log.record(record('r3'))).rejects.toMatchObject(unavailable);
    expect(log.ready()).toBe(false);
  });
});

describe('the chain over the life of a log', () => {
  it('goes on where the process before ended', async () => {
    const directory = await writtenLog(3);
    const { log } = fileLog(directory);
    await log.start();
    await log.record(record('r4'));
    await log.stop();
    expect(linesOf(directory).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(linesOf(directory)[4]).toMatchObject({
      type: 'audit_opened',
      version: '1.2.3',
      previousSeq: 4,
    });
    expect((await verify(directory)).chains).toHaveLength(1);
  });

  it('goes on through files that are closed by size and named by their first record', async () => {
    const directory = await writtenLog(30, { rotateBytes: 5_000 });
    const names = readdirSync(directory).sort();
    expect(names.length).toBeGreaterThan(4);
    for (const name of names.slice(0, -1)) {
      const [first = ''] = readFileSync(path.join(directory, name), 'utf8').split('\n');
      expect(name).toBe(`audit-${String(JSON.parse(first).seq).padStart(12, '0')}.jsonl`);
    }
    expect(await verify(directory)).toMatchObject({ intact: true, records: 31 });
    expect((await verify(directory)).chains).toHaveLength(1);
  });

  it('closes a file by the age of its first record, also when that was written by an earlier process', async () => {
    const directory = newDirectory();
    const clock = createTestClock();
    const hour = 3_600_000;
    for (const id of ['r1', 'r2', 'r3']) {
      const { log } = fileLog(directory, { clock, rotateAfterSeconds: 3600 });
      await log.start();
      await log.record(record(id));
      await log.stop();
      await clock.advance(hour * 0.6);
    }
    expect(readdirSync(directory).sort()).toEqual(['audit-000000000001.jsonl', 'audit.jsonl']);
    expect((await verify(directory)).intact).toBe(true);
  });

  it.each([
    ['gone', (directory: string) => rmSync(current(directory))],
    ['empty', (directory: string) => truncateSync(current(directory))],
  ])('goes on behind the closed files when a crash left the new one %s', async (_name, crash) => {
    const directory = await writtenLog(3);
    renameSync(current(directory), path.join(directory, 'audit-000000000001.jsonl'));
    writeFileSync(current(directory), '');
    crash(directory);
    const { log, alarms } = fileLog(directory);
    await log.start();
    await log.stop();
    expect(linesOf(directory).at(-1)).toMatchObject({ type: 'audit_opened', seq: 5 });
    expect(await verify(directory)).toMatchObject({ intact: true, records: 5 });
    expect(alarms).toEqual([]);
  });

  it('never overwrites a file when it rotates, and keeps accepting records (T54)', async () => {
    const directory = newDirectory();
    const { log, failures } = fileLog(directory, { rotateBytes: 1 });
    await log.start();
    const taken = path.join(directory, 'audit-000000000001.jsonl');
    writeFileSync(taken, 'precious');
    await log.record(record('r1'));
    await log.record(record('r2'));
    await log.stop();
    expect(readFileSync(taken, 'utf8')).toBe('precious');
    expect(failures).toMatchObject([{ reason: 'rotation_failed', records: 0 }]);
    rmSync(taken);
    expect(requestIdsOf(directory)).toEqual(['r1', 'r2']);
    expect((await verify(directory)).intact).toBe(true);
  });
});

describe('a log that a crash left incomplete', () => {
  it('loses only the line that was never acknowledged, keeps its bytes aside and says so', async () => {
    const directory = await writtenLog(3);
    const torn = '{"seq":5,"chain":"0123';
    appendFileSync(current(directory), torn);
    const { log, alarms } = fileLog(directory);
    await log.start();
    await log.record(record('r4'));
    await log.stop();
    const [recovered, opened, added] = linesOf(directory).slice(4);
    expect(recovered).toMatchObject({
      type: 'audit_recovered',
      cutBytes: torn.length,
      cutSha256: hash('sha256', torn, 'hex'),
    });
    expect([opened?.type, added?.requestId]).toEqual(['audit_opened', 'r4']);
    const kept = path.join(directory, String(recovered?.['keptIn']));
    expect(readFileSync(kept, 'utf8')).toBe(torn);
    expect(statSync(kept).mode & 0o777).toBe(0o600);
    expect(await verify(directory)).toMatchObject({ intact: true, records: 7 });
    expect(alarms).toEqual([]);
  });

  it('can be continued wherever in the last line it ends', async () => {
    const whole = readFileSync(current(await writtenLog(2)));
    const lastLine = whole.lastIndexOf(0x0a, whole.length - 2) + 1;
    const places = Array.from(
      { length: Math.ceil((whole.length - lastLine) / 37) },
      (_, number) => lastLine + number * 37,
    );
    for (const length of sampled(places, 4)) {
      const directory = newDirectory();
      writeFileSync(current(directory), whole.subarray(0, length));
      const { log, alarms } = fileLog(directory);
      await log.start();
      await log.stop();
      expect(await verify(directory)).toMatchObject({ intact: true });
      expect(requestIdsOf(directory)).toEqual(['r1']);
      expect(alarms).toEqual([]);
    }
  });

  it('is continued when not even its first record was complete', async () => {
    const directory = newDirectory();
    writeFileSync(current(directory), '{"se');
    const { log } = fileLog(directory);
    await log.start();
    await log.stop();
    expect(linesOf(directory).map(({ type }) => type)).toEqual(['audit_recovered', 'audit_opened']);
    expect((await verify(directory)).intact).toBe(true);
  });

  it('ends in zeros after a power failure, which are cut off too', async () => {
    const directory = await writtenLog(2);
    appendFileSync(
      current(directory),
      Buffer.concat([Buffer.from('{"seq":4,'), Buffer.alloc(500)]),
    );
    const { log, alarms } = fileLog(directory);
    await log.start();
    await log.stop();
    expect(alarms).toEqual([]);
    expect(await verify(directory)).toMatchObject({ intact: true, records: 5 });
  });
});

describe('a log whose end was altered (T54)', () => {
  const edits: readonly (readonly [string, (text: string) => string])[] = [
    ['a changed byte in the last record', (text) => text.replace(/"r3"/, '"r9"')],
    ['a forged line after the last one', (text) => `${text}{"seq":5,"forged":true}\n`],
    ['a last line that ends in something else', (text) => `${text.slice(0, -1)}x`],
    ['something that is no record', (text) => `${text}rm -rf`],
    ['nothing but junk', () => 'junk\n'],
  ];

  it.each(edits)(
    'is not continued: a new chain names it, and an alarm is raised: %s',
    async (_name, edit) => {
      const directory = await writtenLog(3);
      const altered = edit(readFileSync(current(directory), 'utf8'));
      writeFileSync(current(directory), altered);
      const { log, alarms } = fileLog(directory);
      await log.start();
      await log.record(record('r4'));
      await log.stop();
      expect(alarms).toEqual([{ sink: 'file', reason: 'tail_altered', file: 'audit.jsonl' }]);
      const text = readFileSync(current(directory), 'utf8');
      expect(text.startsWith(altered)).toBe(true);
      const added = text
        .slice(altered.length)
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(added).toMatchObject([
        {
          type: 'audit_chain_broken',
          reason: 'tail_altered',
          brokenFile: 'audit.jsonl',
          prev: '0'.repeat(64),
        },
        { type: 'audit_opened' },
        { requestId: 'r4' },
      ]);
      const result = await verify(directory);
      expect(result.intact).toBe(false);
      expect(new Set(result.problems.map(({ kind }) => kind))).toEqual(new Set(['altered']));
      expect(result.chains.at(-1)).toMatchObject({ records: 3 });
    },
  );

  it('gives its successor higher numbers, so that no file name comes twice', async () => {
    const directory = await writtenLog(3);
    const text = readFileSync(current(directory), 'utf8');
    writeFileSync(current(directory), text.replace(/"r3"/, '"r9"'));
    const { log } = fileLog(directory, { rotateBytes: 1_000 });
    await log.start();
    await log.record(record('r4'));
    await log.stop();
    expect(readdirSync(directory).sort()).toEqual(['audit-000000000001.jsonl', 'audit.jsonl']);
    const [first = ''] = readFileSync(current(directory), 'utf8').split('\n');
    expect(JSON.parse(first)).toMatchObject({ seq: 7 });
  });

  it('is noticed in a closed file as well, when the new one is still empty', async () => {
    const directory = await writtenLog(3);
    const closed = path.join(directory, 'audit-000000000001.jsonl');
    writeFileSync(closed, readFileSync(current(directory), 'utf8').replace(/"r3"/, '"r9"'));
    writeFileSync(current(directory), '');
    const { log, alarms } = fileLog(directory);
    await log.start();
    await log.stop();
    expect(alarms).toMatchObject([{ reason: 'tail_altered', file: 'audit-000000000001.jsonl' }]);
  });
});

describe('the directory of a log', () => {
  it('belongs to one writer: a second one is refused, and gets it once the first has stopped', async () => {
    const directory = newDirectory();
    const first = fileLog(directory);
    await first.log.start();
    const second = fileLog(directory);
    await expect(second.log.start()).rejects.toMatchObject({
      code: 'audit_unavailable',
      cause: { code: 'ELOCKED' },
    });
    await first.log.record(record('r1'));
    await first.log.stop();
    const third = fileLog(directory);
    await third.log.start();
    await third.log.stop();
    expect((await verify(directory)).intact).toBe(true);
    expect(readdirSync(directory)).toEqual(['audit.jsonl']);
  });

  it('is taken over from a process that is gone, also when its number is in use again', async () => {
    const directory = await writtenLog(1);
    for (const change of [{ pid: 2 ** 22 + 1 }, { started: '1' }]) {
      const lock = { ...(await lockOfThisProcess()), ...change };
      writeFileSync(path.join(directory, 'audit.lock'), JSON.stringify(lock));
      const { log } = fileLog(directory);
      await log.start();
      expect(log.ready()).toBe(true);
      await log.stop();
    }
    expect(readdirSync(directory)).toEqual(['audit.jsonl']);
  });

  it('is taken over from a process that has ended, though its parent has not noticed yet', async () => {
    // `exec` leaves the shell's number, and its child, to a program that never asks how children end.
    const script = 'exec 3<&0; cat <&3 >/dev/null & echo $!; exec sleep 60';
    const parent = spawn('/bin/sh', ['-c', script]);
    const [output] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(output.toString());
    const stat = () => readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
    // Before that the shell could still ask.
    await until(() => readFileSync(`/proc/${parent.pid}/comm`, 'latin1') === 'sleep\n');
    parent.stdin.end();
    await until(() => stat()[0] === 'Z');
    const directory = newDirectory();
    const lock = { ...(await lockOfThisProcess()), pid, started: stat()[19] };
    writeFileSync(path.join(directory, 'audit.lock'), JSON.stringify(lock));
    const { log } = fileLog(directory);
    try {
      await log.start();
      expect(log.ready()).toBe(true);
    } finally {
      await log.stop();
      parent.kill();
    }
  });

  it.each<readonly [string, () => Promise<string>]>([
    ['of another host', async () => JSON.stringify({ host: 'elsewhere', pid: 1, started: '1' })],
    ['of an older release', async () => JSON.stringify({ host: 'h', pid: process.pid })],
    ['that cannot be read', async () => ''],
    [
      'of another PID namespace with our number',
      async () => JSON.stringify({ ...(await lockOfThisProcess()), namespace: 'pid:[1]' }),
    ],
  ])(
    'stays with a lock %s until nothing was heard of its holder for ten seconds (T94)',
    async (_name, content) => {
      const directory = newDirectory();
      const lock = await content();
      writeFileSync(path.join(directory, 'audit.lock'), lock, { mode: 0o600 });
      const clock = createTestClock();
      const { log } = fileLog(directory, { clock, retryMs: 200 });
      await log.start();
      for (let waitedMs = 0; waitedMs < 9_800; waitedMs += 200) {
        expect(log.ready()).toBe(false);
        await clock.advance(200);
        for (let turn = 0; turn < 20; turn += 1) await turnBeforeCommit();
      }
      expect(readFileSync(path.join(directory, 'audit.lock'), 'utf8')).toBe(lock);
      expect(existsSync(current(directory))).toBe(false);
      while (!log.ready()) {
        await clock.advance(200);
        await turnBeforeCommit();
      }
      await log.record(record('r1'));
      await log.stop();
      expect(await verify(directory)).toMatchObject({ intact: true });
    },
  );

  it('is left by a holder that was taken for dead, before it writes anything more (T94)', async () => {
    const directory = newDirectory();
    const [clock, later] = [createTestClock(), createTestClock()];
    const first = fileLog(directory, { clock });
    await first.log.start();
    await first.log.record(record('r1'));
    const lock = path.join(directory, 'audit.lock');
    // As it looks from another host; the first one's time stands still, as that of a process that was stopped.
    const seen = readFileSync(lock, 'utf8').replace(/"boot":"[^"]*"/, (boot) =>
      boot.replace(/\w/, 'x'),
    );
    writeFileSync(lock, seen);
    const second = fileLog(directory, { clock: later, retryMs: 200 });
    await second.log.start();
    while (!second.log.ready()) {
      await later.advance(200);
      await turnBeforeCommit();
    }
    await expect(first.log.record(record('r2'))).rejects.toMatchObject(unavailable);
    await second.log.record(record('r3'));
    await Promise.all([first.log.stop(), second.log.stop()]);
    expect(requestIdsOf(directory)).toEqual(['r1', 'r3']);
    expect(await verify(directory)).toMatchObject({ intact: true });
  });

  it('must be a directory: start says so instead of waiting for it', async () => {
    const file = path.join(newDirectory(), 'file');
    writeFileSync(file, '');
    const { log } = fileLog(file);
    await expect(log.start()).rejects.toMatchObject({ cause: { code: 'EEXIST' } });
    const below = fileLog(path.join(file, 'below'));
    await expect(below.log.start()).rejects.toMatchObject({ cause: { code: 'ENOTDIR' } });
  });

  const notAppendedTo = hostileFiles.filter(([what]) => what !== 'writable by a group');
  it.each(notAppendedTo)(
    'holds no log that is %s: start refuses it at once, and no byte is written (T92)',
    async (_what, swap) => {
      const directory = await writtenLog(1);
      const written = readFileSync(current(directory), 'utf8');
      swap(current(directory));
      const there = readdirSync(directory);
      const { log } = fileLog(directory);
      await expect(log.start()).rejects.toMatchObject({
        code: 'audit_unavailable',
        cause: { code: 'EREFUSED', message: expect.stringContaining(current(directory)) },
      });
      if (
        lstatSync(current(directory)).isFile() ||
        lstatSync(current(directory)).isSymbolicLink()
      ) {
        expect(readFileSync(current(directory), 'utf8')).toBe(written);
      }
      expect(readdirSync(directory)).toEqual(there);
    },
  );

  it('may be on a volume to which Kubernetes let a group write', async () => {
    const directory = await writtenLog(1);
    chmodSync(current(directory), 0o660);
    const { log } = fileLog(directory);
    await log.start();
    await log.record(record('r2'));
    await log.stop();
    expect(await verify(directory)).toMatchObject({ intact: true });
  });

  it.each(hostileFiles)(
    'is rotated whatever is in the place of the next file, and that is not written to: %s (T92)',
    async (what, swap) => {
      const directory = newDirectory();
      const next = `${current(directory)}.next`;
      const { log, failures } = fileLog(directory, { rotateBytes: 1 });
      await log.start();
      writeFileSync(next, 'precious', { mode: 0o600 });
      const before = openSync(next, 'r');
      swap(next);
      await log.record(record('r1'));
      await log.stop();
      expect(fstatSync(before).size).toBe('precious'.length);
      closeSync(before);
      expect(await verify(directory)).toMatchObject({ intact: true });
      expect(failures.length).toBe(what === 'a folder' ? 1 : 0);
    },
  );

  it('whose file was moved and linked to its old place is not written on (T92)', async () => {
    const directory = newDirectory();
    const clock = createTestClock();
    const { log, failures } = fileLog(directory, { clock });
    await log.start();
    await log.record(record('r1'));
    const elsewhere = path.join(directory, 'elsewhere');
    renameSync(current(directory), elsewhere);
    symlinkSync(elsewhere, current(directory));
    await clock.advance(1_000);
    await expect(log.record(record('r2'))).rejects.toMatchObject(unavailable);
    expect(failures).toMatchObject([{ errorCode: 'EMOVED' }]);
    expect(readFileSync(elsewhere, 'utf8')).not.toContain('r2');
    await log.stop();
  });
});

/** What the lock of a log in this process says. */
async function lockOfThisProcess(): Promise<object> {
  const directory = newDirectory();
  const { log } = fileLog(directory);
  await log.start();
  const lock = JSON.parse(readFileSync(path.join(directory, 'audit.lock'), 'utf8')) as object;
  await log.stop();
  return lock;
}
