import {
  appendFileSync,
  linkSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { sealRecords, startChain } from '../../src/audit/hash-chain.ts';
import { recordFields } from '../../src/audit/record-fields.ts';
import { verifyAuditLog } from '../../src/audit/verify.ts';
import { runs } from '../support/fuzz-budget.ts';
import { exchangeRecord, removeDirectories, verify, writtenLog } from './audit-fixture.ts';

afterAll(removeDirectories);

const count = 20;
let original: Buffer;
let lines: readonly string[];
let file: string;

beforeAll(async () => {
  const directory = await writtenLog(count - 1);
  file = path.join(directory, 'audit.jsonl');
  original = readFileSync(file);
  lines = original.toString('latin1').split('\n').slice(0, -1);
});

async function verifyBytes(bytes: Buffer | string) {
  writeFileSync(file, bytes);
  return await verify(file);
}

async function verifyLines(changed: readonly string[]) {
  return await verifyBytes(changed.map((line) => `${line}\n`).join(''));
}

const index = (min: number, max: number) => fc.integer({ min, max });

describe('verification of a hash chain (T54)', () => {
  it('finds an untouched log intact, and names its head', async () => {
    const result = await verifyBytes(original);
    expect(result).toMatchObject({
      intact: true,
      records: count,
      problems: [],
      files: ['audit.jsonl'],
    });
    expect(result.head?.hash).toBe(JSON.parse(lines.at(-1) ?? '').hash);
    expect(result.chains).toMatchObject([{ firstSeq: 1, lastSeq: count, records: count }]);
  });

  it('names the record of any single byte that was changed', async () => {
    await fc.assert(
      fc.asyncProperty(index(0, original.length - 1), index(1, 255), async (at, change) => {
        const bytes = Buffer.from(original);
        bytes[at] = (bytes[at] ?? 0) ^ change;
        const result = await verifyBytes(bytes);
        const line = original.subarray(0, at).toString('latin1').split('\n').length;
        expect(result.intact).toBe(false);
        expect(result.problems[0]).toMatchObject({ kind: 'altered', file: 'audit.jsonl', line });
      }),
      // The last line feed turned into a zero or a letter could pass for a line that a crash left.
      {
        ...runs(300),
        examples: [
          [original.length - 1, 0x0a],
          [original.length - 1, 0x4b],
        ],
      },
    );
  });

  it('names the place of any record that was removed', async () => {
    await fc.assert(
      fc.asyncProperty(index(0, count - 2), async (at) => {
        const result = await verifyLines(lines.toSpliced(at, 1));
        expect(result).toMatchObject({ intact: false, problemCount: 1 });
        expect(result.problems[0]).toMatchObject({ kind: 'missing', line: at + 1, seq: at + 2 });
        expect(result.problems[0]?.detail).toContain(`record ${at + 1} `);
      }),
    );
  });

  it('names the place of any record that was moved', async () => {
    await fc.assert(
      fc.asyncProperty(index(0, count - 1), index(0, count - 1), async (from, to) => {
        fc.pre(from !== to);
        const moved = lines.toSpliced(from, 1).toSpliced(to, 0, lines[from] ?? '');
        const result = await verifyLines(moved);
        expect(result.intact).toBe(false);
        expect(result.problems[0]).toMatchObject({
          kind: 'reordered',
          line: Math.min(from, to) + 1,
        });
      }),
    );
  });

  it('names any two records that were swapped', async () => {
    await fc.assert(
      fc.asyncProperty(index(0, count - 2), index(1, count - 1), async (a, distance) => {
        const b = Math.min(count - 1, a + distance);
        const result = await verifyLines(lines.with(a, lines[b] ?? '').with(b, lines[a] ?? ''));
        expect(result.intact).toBe(false);
        expect(result.problems[0]).toMatchObject({ kind: 'reordered', line: a + 1 });
      }),
    );
  });

  it('names any record that is there twice', async () => {
    await fc.assert(
      fc.asyncProperty(index(0, count - 1), index(0, count), async (which, to) => {
        const result = await verifyLines(lines.toSpliced(to, 0, lines[which] ?? ''));
        expect(result.intact).toBe(false);
        // Before its own place it is out of order; behind it, and right before it, one of two equals.
        const early = to < which;
        const kind = early ? 'reordered' : 'duplicated';
        const line = early || to > which ? to + 1 : to + 2;
        expect(result.problems[0]).toMatchObject({ kind, line });
      }),
    );
  });

  it('finds a record that was replaced by one with a hash of its own', async () => {
    const head = JSON.parse(lines[4] ?? '');
    const forged = sealRecords(head, [recordFields(exchangeRecord('forged'))]).text.trim();
    const result = await verifyLines(lines.with(5, forged));
    expect(result.problems).toMatchObject([{ kind: 'altered', line: 7, seq: 7 }]);
    expect(result.problems[0]?.detail).toContain('one of the two was replaced');
  });

  it('reports one problem per fault, and goes on behind it', async () => {
    const damaged = lines.with(3, (lines[3] ?? '').replace('issued', 'denied')).toSpliced(10, 1);
    const result = await verifyLines(damaged);
    expect(result.problems).toMatchObject([
      { kind: 'altered', line: 4, seq: 4 },
      { kind: 'missing', line: 11, seq: 12 },
    ]);
  });

  it('tells a last line that a crash left incomplete from damage, at every length', async () => {
    const start = original.length - (lines.at(-1) ?? '').length - 1;
    await fc.assert(
      fc.asyncProperty(index(start + 1, original.length - 1), async (length) => {
        const result = await verifyBytes(original.subarray(0, length));
        expect(result).toMatchObject({
          intact: true,
          records: count - 1,
          incomplete: { file: 'audit.jsonl', line: count, bytes: length - start },
        });
      }),
    );
  });

  it('finds records cut off at the end only by the head that is expected', async () => {
    const expectHead = JSON.parse(lines.at(-1) ?? '').hash as string;
    const whole = await verifyBytes(original);
    expect(whole.intact).toBe(true);
    expect((await verifyAuditLog({ location: file, expectHead })).intact).toBe(true);
    const cut = await verifyLines(lines.slice(0, -3));
    expect(cut.intact).toBe(true);
    const result = await verifyAuditLog({ location: file, expectHead });
    expect(result).toMatchObject({
      intact: false,
      problems: [{ kind: 'truncated', seq: count - 3 }],
    });
  });

  it('accepts an expected head that later records have followed', async () => {
    await verifyBytes(original);
    const expectHead = JSON.parse(lines[7] ?? '').hash as string;
    expect((await verifyAuditLog({ location: file, expectHead })).intact).toBe(true);
  });

  it('is not confused by megabytes without a line feed', async () => {
    const junk = 'x'.repeat(2 * 1024 * 1024);
    const result = await verifyLines([...lines.slice(0, 5), junk, ...lines.slice(5)]);
    expect(result.problems).toMatchObject([{ kind: 'altered', line: 6 }]);
    expect(result.records).toBe(count);
  });

  it('follows chains one after the other, and finds a record put into the wrong one', async () => {
    const second = sealRecords(
      startChain(),
      [1, 2, 3].map((n) => recordFields(exchangeRecord(`s${n}`))),
    )
      .text.trim()
      .split('\n');
    const result = await verifyLines([...lines, ...second]);
    expect(result).toMatchObject({ intact: true, records: count + 3 });
    expect(result.chains).toMatchObject([
      { lastSeq: count },
      { line: count + 1, firstSeq: 1, lastSeq: 3 },
    ]);

    const mixed = await verifyLines([...lines, ...second.toSpliced(1, 0, lines[3] ?? '')]);
    expect(mixed.problems).toMatchObject([{ kind: 'reordered', line: count + 2, seq: 4 }]);
    const headless = await verifyLines([...lines, ...second.slice(1)]);
    expect(headless.problems).toMatchObject([{ kind: 'missing', line: count + 1, seq: 2 }]);
  });
});

describe('verification of a directory', () => {
  it('reads rotated files first, and finds one that is gone', async () => {
    const directory = await writtenLog(40, { rotateBytes: 8_000 });
    const names = readdirSync(directory).sort();
    expect(names.length).toBeGreaterThan(3);
    expect(await verify(directory)).toMatchObject({ intact: true, records: 41, files: names });
    rmSync(path.join(directory, names[1] ?? ''));
    expect((await verify(directory)).problems).toMatchObject([
      { kind: 'missing', file: names[2], line: 1 },
    ]);
  });

  it('finds a file that breaks off although others follow', async () => {
    const directory = await writtenLog(40, { rotateBytes: 8_000 });
    const [first = ''] = readdirSync(directory).sort();
    appendFileSync(path.join(directory, first), '{"seq":');
    expect((await verify(directory)).problems).toMatchObject([{ kind: 'altered', file: first }]);
  });

  it('demands the first record, unless told with which one the log begins', async () => {
    const directory = await writtenLog(40, { rotateBytes: 8_000 });
    const [first = '', second = ''] = readdirSync(directory).sort();
    rmSync(path.join(directory, first));
    const firstSeq = Number(second.slice('audit-'.length, -'.jsonl'.length));
    expect((await verify(directory)).problems).toMatchObject([
      { kind: 'missing', file: second, line: 1, seq: firstSeq },
    ]);
    expect((await verifyAuditLog({ location: directory, firstSeq })).intact).toBe(true);
    expect((await verifyAuditLog({ location: directory, firstSeq: firstSeq - 1 })).intact).toBe(
      false,
    );
  });

  it('reads a file once that is rotated between being opened and being listed', async () => {
    const directory = await writtenLog(5);
    linkSync(path.join(directory, 'audit.jsonl'), path.join(directory, 'audit-000000000001.jsonl'));
    expect(await verify(directory)).toMatchObject({ intact: true, records: 6 });
  });
});
