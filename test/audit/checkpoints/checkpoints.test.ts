import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sealRecords } from '../../../src/audit/hash-chain.ts';
import { auditVerify } from '../../../src/cli/audit-verify.ts';
import { FileSigner } from '../../../src/signing/file-signer.ts';
import { createTestClock } from '../../support/test-clock.ts';
import { until } from '../../support/until.ts';
import {
  current,
  linesOf,
  newDirectory,
  removeDirectories,
  verify,
  writtenLog,
} from '../audit-fixture.ts';
import { type KeyFiles, newKeyFiles, signedLog, writtenSignedLog } from './checkpoint-fixture.ts';

let keys: KeyFiles;
beforeAll(() => {
  keys = newKeyFiles();
});
afterAll(removeDirectories);

const linesIn = (directory: string) => readFileSync(current(directory), 'utf8').trim().split('\n');
const write = (directory: string, lines: readonly string[]) =>
  writeFileSync(current(directory), lines.map((line) => `${line}\n`).join(''));
const signer = () => new FileSigner(keys.privateKey);
const noteIn = (directory: string) => {
  const [name = ''] = readdirSync(directory).filter(
    (it) => it.startsWith('checkpoint-') && it.endsWith('.txt'),
  );
  return path.join(directory, name);
};

async function check(directory: string, checkpoint: string, key = keys.publicKey) {
  let text = '';
  const code = await auditVerify({
    directory: [directory],
    checkpoint,
    key,
    json: false,
    out: (part) => {
      text += part;
    },
  });
  return { code, text };
}

/** As whoever can write the files can: nothing in the log tells it from one that was written so. */
function sealedAnew(lines: readonly string[], from: number): string[] {
  const kept = lines.slice(0, from);
  const fields = lines
    .slice(from)
    .map((line) => line.replace(/^\{"seq":\d+,"chain":"\w+",/, '').replace(/,"prev":.*$/, ''))
    .map((it) => it.replace('"issued"', '"denied"'));
  const [first = '{}'] = lines;
  const { chain } = JSON.parse(first);
  const head = from === 0 ? { chain, seq: 0, hash: '0'.repeat(64) } : JSON.parse(kept.at(-1) ?? '');
  return [...kept, ...sealRecords(head, fields).text.trim().split('\n')];
}

describe('a log with a checkpoint that was kept elsewhere (T101)', () => {
  it('is intact while it has what was signed for, and says which checkpoint bears it out', async () => {
    const directory = await writtenSignedLog(keys, 5);
    const { code, text } = await check(directory, noteIn(directory));
    expect({ code, text }).toMatchObject({ code: 0 });
    expect(text).toContain('Intact: 6 records');
    expect(text).toMatch(
      /^checkpoint checkpoint-\w{32}\.txt: the first 6 records of chain \w{32}$/m,
    );
    const [origin, size] = readFileSync(noteIn(directory), 'utf8').split('\n');
    const [{ chain } = { chain: '' }] = (await verify(directory)).chains;
    expect([origin, size]).toEqual([`example.com/audit/${chain}`, '6']);
  });

  it.each<readonly [string, (lines: readonly string[]) => readonly string[]]>([
    ['whole records cut off at the end', (lines) => lines.slice(0, -2)],
    ['one record cut off at the end', (lines) => lines.slice(0, -1)],
    ['everything sealed anew from the start', (lines) => sealedAnew(lines, 0)],
    ['everything from some record on sealed anew', (lines) => sealedAnew(lines, 3)],
    ['the last record sealed anew', (lines) => sealedAnew(lines, lines.length - 1)],
    ['records taken out and the rest sealed anew', (lines) => sealedAnew(lines.toSpliced(2, 2), 2)],
  ])('shows what the log alone does not: %s', async (_what, change) => {
    const directory = await writtenSignedLog(keys, 6);
    const kept = path.join(newDirectory(), 'kept.txt');
    copyFileSync(noteIn(directory), kept);
    write(directory, change(linesIn(directory)));
    expect((await verify(directory)).intact).toBe(true);
    const { code, text } = await check(directory, kept);
    expect(code).toBe(1);
    expect(text).toMatch(/^truncated: .*a checkpoint was signed for the first 7 records of chain/m);
  });

  it('shows a log of another chain in its place', async () => {
    const directory = await writtenSignedLog(keys, 3);
    const kept = noteIn(directory);
    const { code, text } = await check(await writtenLog(9), kept);
    expect(code).toBe(1);
    expect(text).toContain('0 of them are here');
  });

  it('may have gone on since, in files that are closed and on several starts', async () => {
    const directory = newDirectory();
    for (const round of [1, 2, 3]) {
      const log = await signedLog(directory, { signer: signer(), rotateBytes: 3_000 });
      await log.record(...Array.from({ length: 8 }, (_, n) => `r${round}-${n}`));
      await log.stop();
      cpSync(noteIn(directory), path.join(directory, 'kept', `checkpoint-${round}.txt`));
      expect(log.checkpointFailures).toEqual([]);
    }
    expect(readdirSync(directory).length).toBeGreaterThan(6);
    expect(await check(directory, path.join(directory, 'kept'))).toMatchObject({ code: 0 });
  });

  it.each<readonly [string, (note: string) => string, string]>([
    ['that was changed', (note) => note.replace('\n7\n', '\n6\n'), 'not signed by that key'],
    ['that is none', () => 'nothing\n', 'is no checkpoint'],
    ['without a signature', (note) => note.split('—')[0] ?? '', 'is no checkpoint'],
  ])('is not held against a checkpoint %s', async (_what, change, message) => {
    const directory = await writtenSignedLog(keys, 6);
    const file = path.join(newDirectory(), 'kept.txt');
    writeFileSync(file, change(readFileSync(noteIn(directory), 'utf8')));
    const { code, text } = await check(directory, file);
    expect(code).toBe(2);
    expect(text).toContain(message);
  });

  it('is not held against a checkpoint of another key, of none, or from an empty folder', async () => {
    const directory = await writtenSignedLog(keys, 2);
    expect((await check(directory, noteIn(directory), newKeyFiles().publicKey)).code).toBe(2);
    expect((await check(directory, noteIn(directory), '/absent')).text).toContain('ENOENT');
    expect((await check(directory, noteIn(directory), current(directory))).text).toContain('PEM');
    const empty = newDirectory();
    expect((await check(directory, empty)).text).toContain('no checkpoint');
  });
});

describe('checkpoints while a log is written', () => {
  it('come every minute while records do, and before that after so many records', async () => {
    const directory = newDirectory();
    const clock = createTestClock();
    const options = { signer: signer(), clock, checkpoints: { everyRecords: 5 } };
    const log = await signedLog(directory, options);
    log.checkpointer.start();
    const sizes = () => log.notes.map((note) => Number(note.split('\n')[1]));
    await clock.advance(1_000);
    await until(() => log.notes.length === 1);
    await log.record('r1', 'r2');
    await clock.advance(50_000);
    expect(sizes()).toEqual([1]);
    expect(log.checkpointer.ageSeconds()).toBeGreaterThan(0);
    await log.record('r3', 'r4', 'r5');
    await clock.advance(1_000);
    await until(() => log.notes.length === 2);
    await log.record('r6');
    await clock.advance(60_000);
    await until(() => log.notes.length === 3);
    await clock.advance(600_000);
    expect(sizes()).toEqual([1, 6, 7]);
    expect(log.checkpointer.ageSeconds()).toBe(0);
    await log.stop();
    expect(sizes()).toEqual([1, 6, 7]);
  });

  it('are not signed for a log on the disk that is not what was written, which is reported (T101)', async () => {
    const directory = newDirectory();
    const log = await signedLog(directory, { signer: signer() });
    await log.record('r1', 'r2', 'r3');
    write(directory, sealedAnew(linesIn(directory), 2));
    await log.checkpointer.stop();
    expect([log.notes, log.checkpointFailures]).toEqual([[], ['log_differs']]);
    await log.log.stop();
  });
});

describe('a log that lacks what was signed for (T102)', () => {
  const damages: readonly (readonly [string, (directory: string, before: string) => void])[] = [
    ['cut off at the end', (directory) => write(directory, linesIn(directory).slice(0, -2))],
    ['sealed anew', (directory) => write(directory, sealedAnew(linesIn(directory), 2))],
    ['gone', (directory) => rmSync(current(directory))],
    ['emptied', (directory) => writeFileSync(current(directory), '')],
    ['put back as it was before', (directory, before) => copyFileSync(before, current(directory))],
    [
      'of which nobody can read any more what was signed',
      (directory) =>
        writeFileSync(path.join(directory, 'checkpoint-state.json'), '{', { mode: 0o600 }),
    ],
  ];

  it.each(damages)(
    'is not continued, but named by a new chain with an alarm, and its checkpoint contradicts none: %s',
    async (_what, damage) => {
      const directory = await writtenSignedLog(keys, 5);
      const before = path.join(newDirectory(), 'before.jsonl');
      write(path.dirname(before), linesIn(directory).slice(0, 3));
      renameSync(current(path.dirname(before)), before);
      const first = readFileSync(noteIn(directory), 'utf8');
      damage(directory, before);

      const log = await signedLog(directory, { signer: signer() });
      expect(log.alarms).toMatchObject([{ reason: 'checkpoint_missing' }]);
      expect(log.log.ready()).toBe(true);
      await log.record('after');
      await log.stop();
      const [broken] = linesOf(directory).filter(({ type }) => type === 'audit_chain_broken');
      expect(broken).toMatchObject({ prev: '0'.repeat(64), reason: 'checkpoint_missing' });
      expect(log.notes).toHaveLength(1);
      expect(log.notes[0]?.split('\n')[0]).not.toBe(first.split('\n')[0]);
      const { intact, problems } = await verify(directory);
      expect(intact).toBe(false);
      expect(problems.map(({ kind }) => kind)).toContain('broken_off');
    },
  );

  it('is one whose state was noted and whose signature never came: the crash between the two forgets nothing', async () => {
    const directory = newDirectory();
    const down = () => Promise.reject(new Error('down'));
    const log = await signedLog(directory, {
      signer: { publicKey: down, sign: down, stop: () => {} },
    });
    await log.record('r1', 'r2');
    await log.stop();
    expect(log.checkpointFailures).toEqual(['not_signed']);
    write(directory, linesIn(directory).slice(0, -1));
    const next = await signedLog(directory, { signer: signer() });
    expect(next.alarms).toMatchObject([{ reason: 'checkpoint_missing' }]);
    await next.stop();
  });

  it('is none that goes on behind closed files which were archived, nor one that a crash left incomplete', async () => {
    const directory = newDirectory();
    const first = await signedLog(directory, { signer: signer(), rotateBytes: 2_000 });
    await first.record(...Array.from({ length: 8 }, (_, n) => `r${n}`));
    await first.stop();
    const archive = path.join(directory, 'archive');
    mkdirSync(archive);
    for (const name of readdirSync(directory).filter((it) => /^audit-\d/.test(it))) {
      renameSync(path.join(directory, name), path.join(archive, name));
    }
    appendFileSync(current(directory), '{"seq":10,"cha');
    const second = await signedLog(directory, { signer: signer() });
    await second.record('r9');
    await second.stop();
    expect([second.alarms, second.checkpointFailures]).toEqual([[], []]);
    for (const name of readdirSync(archive))
      renameSync(path.join(archive, name), path.join(directory, name));
    expect(await check(directory, noteIn(directory))).toMatchObject({ code: 0 });
  });
});

describe('a log without the note of what was signed for', () => {
  const state = (directory: string) => path.join(directory, 'checkpoint-state.json');

  it.each<readonly [string, (directory: string) => void]>([
    ['cut off', (directory) => write(directory, linesIn(directory).slice(0, -3))],
    ['sealed anew', (directory) => write(directory, sealedAnew(linesIn(directory), 2))],
  ])(
    'and %s is not signed for: the last checkpoint beside it is borne out by none that follows (T194)',
    async (_what, damage) => {
      const directory = await writtenSignedLog(keys, 5);
      const signed = readFileSync(noteIn(directory), 'utf8');
      rmSync(state(directory));
      damage(directory);
      const log = await signedLog(directory, { signer: signer() });
      await log.record('r6');
      await log.stop();
      expect([log.notes, log.checkpointFailures]).toEqual([[], ['log_differs']]);
      expect(readFileSync(noteIn(directory), 'utf8')).toBe(signed);
      expect(existsSync(state(directory))).toBe(false);
      // Nor once it is longer than what was signed for.
      const next = await signedLog(directory, { signer: signer() });
      await next.record('r7', 'r8', 'r9');
      await next.stop();
      expect([next.notes, next.checkpointFailures]).toEqual([[], ['log_differs']]);
    },
  );

  it('is not signed for when an older note was put back together with the log of that time (T194)', async () => {
    const directory = await writtenSignedLog(keys, 2);
    const kept = newDirectory();
    cpSync(directory, kept, { recursive: true });
    const later = await signedLog(directory, { signer: signer() });
    await later.record('r3', 'r4');
    await later.stop();
    copyFileSync(state(kept), state(directory));
    copyFileSync(current(kept), current(directory));
    const log = await signedLog(directory, { signer: signer() });
    await log.stop();
    expect([log.notes, log.checkpointFailures]).toEqual([[], ['log_differs']]);
  });

  it('goes on if it has all that was signed for', async () => {
    const directory = await writtenSignedLog(keys, 5);
    const kept = path.join(newDirectory(), 'kept.txt');
    copyFileSync(noteIn(directory), kept);
    rmSync(state(directory));
    const log = await signedLog(directory, { signer: signer() });
    await log.record('r6');
    await log.stop();
    expect([log.alarms, log.checkpointFailures, log.notes.length]).toEqual([[], [], 1]);
    expect(await check(directory, kept)).toMatchObject({ code: 0 });
    expect(await check(directory, noteIn(directory))).toMatchObject({ code: 0 });
  });

  it('goes on with a key in the place of the one that signed before', async () => {
    const directory = await writtenSignedLog(keys, 2);
    rmSync(state(directory));
    const others = newKeyFiles();
    const log = await signedLog(directory, { signer: new FileSigner(others.privateKey) });
    await log.stop();
    expect([log.checkpointFailures, log.notes.length]).toEqual([[], 1]);
    expect(await check(directory, noteIn(directory), others.publicKey)).toMatchObject({ code: 0 });
  });

  it.each<readonly [string, (file: string) => void]>([
    ['is none', (file) => writeFileSync(file, 'nothing\n')],
    ['others may write', (file) => chmodSync(file, 0o666)],
    [
      'is a link',
      (file) => {
        renameSync(file, `${file}.moved`);
        symlinkSync(`${file}.moved`, file);
      },
    ],
  ])('is not signed for beside a checkpoint that %s (T194)', async (_what, spoil) => {
    const directory = await writtenSignedLog(keys, 2);
    rmSync(state(directory));
    spoil(noteIn(directory));
    const log = await signedLog(directory, { signer: signer() });
    await log.stop();
    expect([log.notes, log.checkpointFailures]).toEqual([[], ['unreadable']]);
  });

  it('waits for the key that says whether that checkpoint counts', async () => {
    const directory = await writtenSignedLog(keys, 2);
    rmSync(state(directory));
    const down = () => Promise.reject(new Error('down'));
    const log = await signedLog(directory, {
      signer: { publicKey: down, sign: down, stop: () => {} },
    });
    await log.stop();
    expect([log.notes, log.checkpointFailures]).toEqual([[], ['not_signed']]);
    expect(existsSync(state(directory))).toBe(false);
  });
});
