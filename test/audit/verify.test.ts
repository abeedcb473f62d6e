import {
  appendFileSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type ChainHead, sealRecords, startChain } from '../../src/audit/hash-chain.ts';
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

function sealed(head: ChainHead, length: number): string[] {
  const records = Array.from({ length }, (_, n) => recordFields(exchangeRecord(`s${n}`)));
  return sealRecords(head, records).text.trim().split('\n');
}

/** The inner text of a record, as it was before it was sealed. */
function fieldsOf(line: string): string {
  return line
    .replace(/^\{"seq":\d+,"chain":"\w+",/, '')
    .replace(/,"prev":"\w+","hash":"\w+"\}$/, '');
}

function brokenRecord({ chain, seq }: { readonly chain: string; readonly seq: number }): string {
  return recordFields({
    type: 'audit_chain_broken',
    time: '2026-01-15T12:00:00.000Z',
    reason: 'tail_unexpected',
    brokenFile: 'audit.jsonl',
    brokenChain: chain,
    brokenSeq: seq,
  });
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

  it('names the place of any run of records that was removed', async () => {
    await fc.assert(
      fc.asyncProperty(index(0, count - 2), index(1, count), async (at, length) => {
        const end = Math.min(at + length, count - 1);
        const result = await verifyLines(lines.toSpliced(at, end - at));
        expect(result).toMatchObject({ intact: false, problemCount: 1 });
        expect(result.problems[0]).toMatchObject({ kind: 'missing', line: at + 1, seq: end + 1 });
        expect(result.problems[0]?.detail).toContain(`${at + 1} `);
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

  it('names a log that ends within a line, at every length, and says no more than is known (T100)', async () => {
    const start = original.length - (lines.at(-1) ?? '').length - 1;
    await fc.assert(
      fc.asyncProperty(index(start + 1, original.length - 1), async (length) => {
        const result = await verifyBytes(original.subarray(0, length));
        expect(result).toMatchObject({ intact: false, lines: count, records: count - 1 });
        expect(result.problems).toMatchObject([{ kind: 'incomplete', line: count }]);
        expect(result.problems[0]?.detail).toContain('cannot be told from the log');
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

  it('follows chains that a collector kept one after the other, and finds a record put into the wrong one', async () => {
    const second = sealed(startChain(), 3);
    const kept = async (changed: readonly string[]) => {
      await verifyLines(changed);
      return await verifyAuditLog({ location: file, separateChains: true });
    };
    const result = await kept([...lines, ...second]);
    expect(result).toMatchObject({ intact: true, records: count + 3 });
    expect(result.chains).toMatchObject([
      { lastSeq: count },
      { line: count + 1, firstSeq: 1, lastSeq: 3 },
    ]);

    const mixed = await kept([...lines, ...second.toSpliced(1, 0, lines[3] ?? '')]);
    expect(mixed.problems).toMatchObject([{ kind: 'reordered', line: count + 2, seq: 4 }]);
    const headless = await kept([...lines, ...second.slice(1)]);
    expect(headless.problems).toMatchObject([{ kind: 'missing', line: count + 1, seq: 2 }]);
  });

  it('T100: finds a part of another log put into this one, once where it comes and once where it ends', async () => {
    await fc.assert(
      fc.asyncProperty(index(1, count - 1), index(1, 4), async (at, length) => {
        const result = await verifyLines(lines.toSpliced(at, 0, ...sealed(startChain(), length)));
        expect(result).toMatchObject({ intact: false, lines: count + length });
        expect(result.problems).toMatchObject([
          { kind: 'new_chain', line: at + 1, seq: 1 },
          { kind: 'reordered', line: at + length + 1, seq: at + 1 },
        ]);
      }),
    );
  });

  it('T100: names the place where the rest was sealed anew as a chain of its own, whatever its first record says', async () => {
    await fc.assert(
      fc.asyncProperty(
        index(1, count - 2),
        index(0, 5),
        fc.constantFrom<'as before' | 'from 1' | 'naming'>('as before', 'from 1', 'naming'),
        async (at, removed, how) => {
          const from = Math.min(at + removed, count - 1);
          const naming = how === 'naming' ? [brokenRecord(JSON.parse(lines[at - 1] ?? ''))] : [];
          const rest = lines.slice(from).map(fieldsOf);
          const head = startChain(how === 'from 1' ? 0 : from);
          const resealed = sealRecords(head, [...naming, ...rest])
            .text.trim()
            .split('\n');
          const result = await verifyLines([...lines.slice(0, at), ...resealed]);
          expect(result).toMatchObject({ intact: false, problemCount: 1 });
          expect(result.problems[0]).toMatchObject({
            kind: how === 'naming' ? 'broken_off' : 'new_chain',
            line: at + 1,
          });
        },
      ),
    );
  });

  it.each([
    ['from its number on', (from: number) => startChain(from), 'missing'],
    ['in the name of a broken chain that nobody has', () => startChain(), 'broken_off'],
  ] as const)(
    'T100: a log whose beginning was removed, and the rest sealed anew %s, does not begin there',
    async (_how, headOf, kind) => {
      const naming = kind === 'broken_off' ? [brokenRecord({ chain: 'a'.repeat(32), seq: 9 })] : [];
      const rest = [...naming, ...lines.slice(9).map(fieldsOf)];
      const result = await verifyLines(sealRecords(headOf(9), rest).text.trim().split('\n'));
      expect(result.problems).toMatchObject([{ kind, line: 1 }]);
    },
  );

  it('T100: a record that names another end than the one before it as broken shows what is missing', async () => {
    const last = JSON.parse(lines.at(-1) ?? '');
    const [begin = ''] = sealRecords(startChain(count), [brokenRecord(last)]).text.split('\n');
    const result = await verifyLines([...lines.slice(0, -3), begin]);
    expect(result.problems).toMatchObject([{ kind: 'missing', line: count - 2, seq: count + 1 }]);
    expect(result.problems[0]?.detail).toContain(`names record ${count} of chain ${last.chain}`);
  });

  it('counts all lines, and those of them that are records in their place', async () => {
    const damaged = lines.with(3, (lines[3] ?? '').replace('issued', 'denied'));
    const result = await verifyLines([...damaged, lines[5] ?? '']);
    expect(result).toMatchObject({ lines: count + 1, records: count - 1, problemCount: 2 });
  });

  it('sees behind an altered line that more are missing than it can have been', async () => {
    const damaged = lines.with(3, 'junk').toSpliced(4, 5);
    expect((await verifyLines(damaged)).problems).toMatchObject([
      { kind: 'altered', line: 4 },
      { kind: 'missing', line: 5, seq: 10, detail: 'records 5 to 9 are missing before this one' },
    ]);
  });
});

/** Nothing in the log tells these from an honest one. */
describe('changes that say nothing by themselves (T100)', () => {
  it.each([
    ['whole records cut off at its end', () => lines.slice(0, -3)],
    [
      'everything from some record on sealed anew in the same chain',
      () => {
        const kept = lines.slice(0, 7);
        const rest = lines.slice(9).map(fieldsOf);
        const head = JSON.parse(kept.at(-1) ?? '');
        return [...kept, ...sealRecords(head, rest).text.trim().split('\n')];
      },
    ],
    [
      'everything sealed anew from the start',
      () => sealRecords(startChain(), lines.slice(2).map(fieldsOf)).text.trim().split('\n'),
    ],
  ])('show against a head that was noted elsewhere: %s', async (_what, change) => {
    const expectHead = JSON.parse(lines.at(-1) ?? '').hash as string;
    expect((await verifyLines(change())).intact).toBe(true);
    const result = await verifyAuditLog({ location: file, expectHead });
    expect(result).toMatchObject({ intact: false, problems: [{ kind: 'truncated' }] });
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

  it('T100: names every single change of its files, unless all records are still there in order, or whole ones at the end are gone', async () => {
    const directory = await writtenLog(24, { rotateBytes: 4_000 });
    const names = readdirSync(directory).sort();
    const contents = new Map(names.map((name) => [name, readFileSync(path.join(directory, name))]));
    const all = Buffer.concat(names.map((name) => contents.get(name) ?? Buffer.alloc(0)));
    const restore = () => {
      for (const name of readdirSync(directory)) rmSync(path.join(directory, name));
      for (const [name, bytes] of contents) writeFileSync(path.join(directory, name), bytes);
    };
    const at = (name: string) => path.join(directory, name);
    const anyName = fc.constantFrom(...names);
    const seqName = index(1, 30).map((seq) => `audit-${String(seq).padStart(12, '0')}.jsonl`);
    const change = fc.oneof(
      anyName.map((name) => () => rmSync(at(name))),
      anyName.map((name) => () => writeFileSync(at(name), '')),
      fc.tuple(anyName, fc.nat(4_500)).map(([name, length]) => () => {
        writeFileSync(at(name), contents.get(name)?.subarray(0, length) ?? '');
      }),
      fc.tuple(anyName, fc.nat(4_500)).map(([name, length]) => () => {
        writeFileSync(at(name), contents.get(name)?.subarray(length) ?? '');
      }),
      fc.tuple(anyName, fc.oneof(anyName, seqName)).map(([from, to]) => () => {
        renameSync(at(from), at(to));
      }),
      fc.tuple(anyName, fc.oneof(anyName, seqName)).map(([from, to]) => () => {
        writeFileSync(at(to), contents.get(from) ?? '');
      }),
      fc.tuple(anyName, anyName).map(([a, b]) => () => {
        writeFileSync(at(a), contents.get(b) ?? '');
        writeFileSync(at(b), contents.get(a) ?? '');
      }),
    );
    await fc.assert(
      fc.asyncProperty(change, async (apply) => {
        restore();
        apply();
        const { intact, problems } = await verify(directory);
        const rest = Buffer.concat(
          readdirSync(directory)
            .sort()
            .map((name) => readFileSync(at(name))),
        );
        const wholeRecordsLeft =
          all.subarray(0, rest.length).equals(rest) && (rest.length === 0 || rest.at(-1) === 0x0a);
        if (!wholeRecordsLeft) expect(problems).not.toEqual([]);
        expect(intact).toBe(problems.length === 0);
      }),
      runs(400),
    );
  });

  it('T100: names a closed file that is empty, or does not begin with the record of its name', async () => {
    const directory = await writtenLog(24, { rotateBytes: 4_000 });
    const [first = ''] = readdirSync(directory).sort();
    renameSync(path.join(directory, first), path.join(directory, 'audit-000000000002.jsonl'));
    expect((await verify(directory)).problems).toMatchObject([
      { kind: 'renamed', file: 'audit-000000000002.jsonl', line: 1, seq: 1 },
    ]);
    renameSync(path.join(directory, 'audit-000000000002.jsonl'), path.join(directory, first));
    writeFileSync(path.join(directory, 'audit-000000000099.jsonl'), '');
    expect((await verify(directory)).problems).toMatchObject([
      { kind: 'missing', file: 'audit-000000000099.jsonl', seq: 99 },
    ]);
  });

  it('reads a file once that is rotated between being opened and being listed', async () => {
    const directory = await writtenLog(5);
    linkSync(path.join(directory, 'audit.jsonl'), path.join(directory, 'audit-000000000001.jsonl'));
    expect(await verify(directory)).toMatchObject({ intact: true, records: 6 });
  });
});
