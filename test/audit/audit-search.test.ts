import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { sealRecords, startChain } from '../../src/audit/hash-chain.ts';
import { addAuditCommands } from '../../src/cli/commands/audit.ts';
import type { AuditRecord } from '../../src/core/records/audit-record.ts';
import { runCommandLine } from '../support/command-line.ts';
import { createTestClock } from '../support/test-clock.ts';
import {
  exchangeRecord,
  fileLog,
  logOf,
  mappingChange,
  newDirectory,
  removeDirectories,
  writtenLog,
} from './audit-fixture.ts';

afterEach(removeDirectories);

const clock = createTestClock(Date.parse('2026-01-15T00:00:00Z'));

/** A volume as docs/deployment.md has it: a folder for each pod. */
async function volume(logs: Readonly<Record<string, readonly AuditRecord[]>>): Promise<string> {
  const root = newDirectory();
  for (const [pod, records] of Object.entries(logs)) {
    mkdirSync(path.join(root, pod));
    await logOf(path.join(root, pod), clock.now(), ...records);
  }
  return root;
}

/** As an archive does it: closed, renamed by its first record, packed. */
function pack(directory: string): void {
  const current = path.join(directory, 'audit.jsonl');
  const packed = path.join(directory, 'audit-000000000001.jsonl.gz');
  writeFileSync(packed, gzipSync(readFileSync(current)));
  rmSync(current);
}

const blanks = gzipSync(Buffer.alloc(33 * 1024 * 1024, ' '));

/** Beside the log, a packed file that holds a thousand times its size: a line, and blanks without an end. */
function bomb(directory: string): void {
  const line = readFileSync(path.join(directory, 'audit.jsonl')).toString().split('\n')[0];
  const packed = Buffer.concat([gzipSync(`${line}\n`), blanks]);
  writeFileSync(path.join(directory, 'audit-000000000001.jsonl.gz'), packed);
}

const at = (time: string) => `2026-01-15T${time}.000Z`;
const audit = (command: string, directory: string, ...more: string[]) =>
  runCommandLine(addAuditCommands, ['audit', command, '--directory', directory, ...more]);

const idsIn = (out: string) =>
  out
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line).requestId);

describe('audit find in the logs of several brokers', () => {
  it('reads each of them, packed ones too, and tells what happened in its order', async () => {
    const root = await volume({
      'pod-a': [
        exchangeRecord('one', { time: at('10:00:00') }),
        exchangeRecord('four', { time: at('13:00:00') }),
      ],
      'pod-b': [
        exchangeRecord('two', { time: at('11:00:00') }),
        exchangeRecord('three', { time: at('12:00:00') }),
      ],
    });
    pack(path.join(root, 'pod-b'));
    const { code, out } = await audit('find', root, '--json', '--mapping', 'orders-writer');
    expect({ code, ids: idsIn(out) }).toEqual({ code: 0, ids: ['one', 'two', 'three', 'four'] });
    const limited = await audit('find', root, '--json', '--type', 'exchange', '--limit', '2');
    expect(idsIn(limited.out)).toEqual(['one', 'two']);
  });

  it('T224: says that there was no log, and exits with 2: nothing found would be an answer', async () => {
    const root = newDirectory();
    mkdirSync(path.join(root, 'pod-a'));
    const none = await audit('find', root, '--access-key-id', 'ASIAEXAMPLE');
    expect(none.code).toBe(2);
    expect(none.out).toContain(`There is no audit log in ${root}`);
    writeFileSync(path.join(root, 'pod-a', 'audit.jsonl'), '');
    const empty = await audit('find', root, '--access-key-id', 'ASIAEXAMPLE');
    expect(empty).toMatchObject({ code: 2, out: expect.stringContaining('not a single record') });
    const directory = await writtenLog(3);
    pack(directory);
    const packed = path.join(directory, 'audit-000000000001.jsonl.gz');
    writeFileSync(packed, readFileSync(packed).subarray(0, 200));
    const cut = await audit('find', directory, '--request-id', 'r3');
    expect(cut).toMatchObject({ code: 2, out: expect.stringContaining('cannot be read') });
  });

  it('T334: searches a log whose records do not say when they were written, beside others', async () => {
    const root = await volume({ 'pod-a': [exchangeRecord('one', { time: at('10:00:00') })] });
    mkdirSync(path.join(root, 'pod-b'));
    const fields = ['"type":"exchange","time":"once","requestId":"two"'];
    const { text } = sealRecords(startChain(), fields);
    writeFileSync(path.join(root, 'pod-b', 'audit.jsonl'), text);
    const { code, out } = await audit('find', root, '--json', '--type', 'exchange');
    expect({ code, ids: idsIn(out) }).toEqual({ code: 0, ids: ['two', 'one'] });
  });

  it.each(['find', 'export'])(
    'T337: %s names the file that it cannot read to its end, and exits with 2',
    async (command) => {
      const deep = `${'{"a":'.repeat(9000)}1${'}'.repeat(9000)}`;
      const { text } = sealRecords(startChain(), [`"time":"${at('10:00:00')}","actor":${deep}`]);
      for (const put of [
        (file: string) => writeFileSync(file, text),
        (file: string) => void execFileSync('mkfifo', [file]),
      ]) {
        const root = await volume({ 'pod-a': [exchangeRecord('one', { time: at('10:00:00') })] });
        mkdirSync(path.join(root, 'pod-b'));
        const file = path.join(root, 'pod-b', 'audit.jsonl');
        put(file);
        const form = command === 'find' ? [] : ['--format', 'ocsf'];
        const { code, out, err } = await audit(command, root, ...form);
        expect({ code, said: out + err }).toEqual({ code: 2, said: expect.stringContaining(file) });
      }
    },
  );

  it('holds each filter against the records', async () => {
    const records = [
      exchangeRecord('issued', { time: at('10:00:00'), sourceIp: '10.1.2.3' }),
      exchangeRecord('denied', {
        time: at('11:00:00'),
        outcome: 'denied',
        code: 'access_denied',
        reason: 'no_mapping',
      }),
      { ...mappingChange(10), time: at('12:00:00'), actor: 'us-east-1_AbCdEf123/alice' },
    ];
    const root = await volume({ 'pod-a': records });
    const ids = async (...filter: string[]) =>
      idsIn((await audit('find', root, '--json', ...filter)).out);
    expect(await ids('--outcome', 'denied')).toEqual(['denied']);
    expect(await ids('--reason', 'no_mapping')).toEqual(['denied']);
    expect(await ids('--reason', 'access_denied')).toEqual(['denied']);
    expect(await ids('--type', 'mapping_change')).toEqual(['change-1']);
    expect(await ids('--user', 'alice')).toEqual(['change-1']);
    expect(await ids('--source-ip', '10.0.0.0/8')).toEqual(['issued']);
    expect(await ids('--role', 'orders-writer', '--since', at('10:30:00'))).toEqual([
      'denied',
      'change-1',
    ]);
    expect(await ids('--mapping', 'orders-writer', '--until', '2026-01-14')).toEqual([]);
    expect(
      (await ids('--since', '2026-01-15', '--until', '2026-01-15', '--type', 'exchange')).length,
    ).toBe(2);
    for (const wrong of [
      ['--type', 'exchanges'],
      ['--since', '2026-02-30'],
      ['--last', '7 days'],
      ['--source-ip', '10.0.0.0/33'],
      ['--limit', '0'],
    ]) {
      expect((await audit('find', root, ...wrong)).code).toBe(2);
    }
  });

  it('finds the same by its time, whether it passes over the rest or reads it', async () => {
    const directory = newDirectory();
    const { log } = fileLog(directory, { clock, rotateBytes: 65_536 });
    await log.start();
    const begin = Date.parse('2026-01-15T00:00:00Z');
    const records = Array.from({ length: 600 }, (_, minute) =>
      exchangeRecord(`r${minute}`, { time: new Date(begin + minute * 60_000).toISOString() }),
    );
    await Promise.all(records.map((record) => log.record(record)));
    await log.stop();
    const { out } = await audit(
      'find',
      directory,
      '--json',
      '--since',
      at('05:00:00'),
      '--until',
      at('05:59:59'),
    );
    expect(idsIn(out)).toEqual(records.slice(300, 360).map(({ requestId }) => requestId));
  });

  it('shows an edit as what it changes', async () => {
    const root = await volume({ 'pod-a': [mappingChange(4000)] });
    const { out } = await audit('find', root, '--type', 'mapping_change');
    expect(out).toContain('  ~ description: "before" -> "after"\n');
    expect(out).not.toContain('xxxx');
  });

  it('says of a request that is not there when a refusal that was counted will be', async () => {
    const root = await volume({ 'pod-a': [exchangeRecord('one')] });
    const { code, out } = await audit('find', root, '--request-id', 'two');
    expect(code).toBe(1);
    expect(out).toMatch(/within 10 seconds: .*\nafter .*Z, search again at .*Z\./);
  });
});

describe('audit verify of a folder of folders', () => {
  it('judges each log, packed ones too, and counts them together', async () => {
    const root = await volume({
      'pod-a': [exchangeRecord('one')],
      'pod-b': [exchangeRecord('two')],
    });
    pack(path.join(root, 'pod-b'));
    const whole = await audit('verify', root);
    expect(whole).toMatchObject({
      code: 0,
      out: expect.stringContaining('All intact: 4 records in 2 files of 2 logs'),
    });
    const file = path.join(root, 'pod-a', 'audit.jsonl');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"one"', '"own"'));
    const broken = await audit('verify', root);
    expect(broken.code).toBe(1);
    expect(broken.out).toContain(`${root}/pod-a:\nBROKEN: 1 problem; 2 lines in 1 file, 1 of them`);
    expect(broken.out).toContain(
      'BROKEN: 1 of 2 logs; 3 records in 2 files of 2 logs are in their place',
    );
  });

  it('finds each record of a long log once, wherever it lies in what is read at a time, and the last one without its end', async () => {
    const directory = newDirectory();
    const lines = Array.from({ length: 3000 }, (_, index) =>
      // Of lengths that do not fit into one another.
      JSON.stringify(exchangeRecord(`r${index}`, { userAgent: 'x'.repeat((index * 37) % 1500) })),
    );
    writeFileSync(path.join(directory, 'audit.jsonl'), lines.join('\n'));
    const all = await audit('find', directory, '--json', '--outcome', 'issued');
    expect(idsIn(all.out)).toEqual(lines.map((_, index) => `r${index}`));
    const every = await audit('export', directory, '--format', 'csv');
    expect(every.out.split('\n')).toHaveLength(3002);
    const last = await audit('find', directory, '--json', '--access-key-id', 'ASIAr2999');
    expect(idsIn(last.out)).toEqual(['r2999']);
  });

  it.each([
    ['find', ['--outcome', 'issued']],
    ['find', ['--access-key-id', 'ASIAone', '--json']],
    ['export', ['--format', 'csv']],
    ['verify', []],
  ])(
    'T297: ends audit %s %j with the name of a packed file that holds far more than a log',
    async (command, more) => {
      const root = await volume({ 'pod-a': [exchangeRecord('one', { time: at('10:00:00') })] });
      bomb(path.join(root, 'pod-a'));
      const { code, out, err } = await audit(command, root, ...more);
      expect({ code, said: out + err }).toEqual({
        code: 2,
        said: expect.stringMatching(/audit-000000000001\.jsonl\.gz unpacks to more than \d+ bytes/),
      });
    },
  );

  const elsewhere: Readonly<Record<string, (root: string) => void>> = {
    'a link to another folder': (root) => symlinkSync(newDirectory(), path.join(root, 'pod-b')),
    'a link to nothing': (root) => symlinkSync('away', path.join(root, 'pod-b')),
    'a folder below seventeen others': (root) =>
      mkdirSync(path.join(root, 'pod-b', 'x/'.repeat(16)), { recursive: true }),
  };
  it.each(
    Object.entries(elsewhere).flatMap(([what, put]) =>
      (['find', 'verify'] as const).map((command) => [what, command, put] as const),
    ),
  )('T339: is not passed over in silence: %s, by audit %s', async (_what, command, put) => {
    const root = await volume({ 'pod-a': [exchangeRecord('one', { time: at('10:00:00') })] });
    put(root);
    const more = command === 'find' ? ['--request-id', 'one'] : [];
    const { code, out, err } = await audit(command, root, ...more);
    expect({ code, said: out + err }).toEqual({
      code: 2,
      said: expect.stringContaining(path.join(root, 'pod-b')),
    });
  });

  it('T339: has nothing against a link to what is looked into', async () => {
    const root = await volume({ 'pod-a': [exchangeRecord('one')] });
    symlinkSync('pod-a', path.join(root, 'latest'));
    symlinkSync('audit.jsonl', path.join(root, 'pod-a', 'today'));
    const { code, out } = await audit('verify', root);
    expect([code, out]).toEqual([0, expect.stringContaining('2 records')]);
  });

  it('takes the original where gzip left one beside the packed file, and each record once', async () => {
    const directory = await writtenLog(5, { rotateBytes: 1_000 });
    const name = 'audit-000000000001.jsonl';
    writeFileSync(
      path.join(directory, `${name}.gz`),
      gzipSync(readFileSync(path.join(directory, name))),
    );
    expect(await audit('verify', directory)).toMatchObject({
      code: 0,
      out: expect.stringContaining('Intact: 6 records'),
    });
  });
});

describe('audit export', () => {
  const hostile = {
    ...exchangeRecord('=cmd|calc'),
    userAgent: '=HYPERLINK("http://x.test","\u202eyes")\nsecond line',
  };
  const everything: readonly AuditRecord[] = [
    hostile,
    {
      ...exchangeRecord('two'),
      token: undefined,
      sourceIp: '*',
      outcome: 'denied',
      code: 'token_missing',
    },
    mappingChange(100),
    {
      type: 'emergency_file',
      time: at('12:00:00'),
      outcome: 'absent',
      denies: [],
      tokens: [],
      count: 0,
    },
  ] as readonly AuditRecord[];

  it('T223: gives a spreadsheet no formula, and each record one line', async () => {
    const root = await volume({ 'pod-a': everything });
    const { code, out } = await audit('export', root, '--format', 'csv', '--type', 'exchange');
    const [header = '', first = '', ...others] = out.split('\n');
    expect({ code, others: others.length }).toEqual({ code: 0, others: 2 });
    expect(header).toContain('time,type,outcome');
    expect(first).toContain(`"'=cmd|calc"`);
    expect(first).toContain(`"'=HYPERLINK(""http://x.test"",""\\u{202e}yes"")\\u{a}second line"`);
  });

  it('gives OCSF that its published schema accepts, whoever is described in whatever words', async () => {
    const described = [
      'alice@example.com',
      '"a b"@x.test',
      'alice@münchen.example',
      '\u202e@',
      '',
    ].map((email) =>
      exchangeRecord('three', {
        token: {
          sha256: 'a',
          issuer: 'i',
          pool: 'p',
          subject: 's',
          description: { username: '\u001b', email },
        },
      }),
    );
    const root = await volume({ 'pod-a': [...everything, ...described] });
    const { out } = await audit('export', root, '--format', 'ocsf');
    const events = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const classes = [0, 6003, 6003, 6003, 0, 6003, 6003, 6003, 6003, 6003];
    expect(events.map(({ class_uid }) => class_uid)).toEqual(classes);
    const addresses = events.flatMap(({ actor }) => actor?.user?.email_addr ?? []);
    expect(addresses).toEqual(['alice@example.com']);
    const ajv = new Ajv2020({ strict: false, allErrors: true });
    const schemas = Object.fromEntries(
      (['api_activity', 'base_event'] as const).map((name) => [
        name,
        ajv.compile(
          JSON.parse(readFileSync(new URL(`ocsf/${name}.json`, import.meta.url), 'utf8')),
        ),
      ]),
    );
    for (const event of events) {
      const check = schemas[event.class_uid === 6003 ? 'api_activity' : 'base_event'];
      expect({ valid: check?.(event), errors: check?.errors }).toEqual({
        valid: true,
        errors: null,
      });
    }
  });

  it('gives ECS with its fields in their place', async () => {
    const root = await volume({ 'pod-a': everything });
    const { out } = await audit('export', root, '--format', 'ecs', '--type', 'exchange');
    expect(JSON.parse(out.split('\n')[0] ?? '')).toMatchObject({
      ecs: { version: '8.17.0' },
      event: { kind: 'event', category: ['authentication'], type: ['start'], outcome: 'success' },
      source: { ip: '192.0.2.10' },
      user: { id: '4abc0exampleclientid' },
    });
  });

  it('exits with 2 where there is no log', async () => {
    const { code, err } = await audit('export', newDirectory(), '--format', 'csv');
    expect({ code, err }).toEqual({
      code: 2,
      err: expect.stringContaining('There is no audit log'),
    });
  });
});
