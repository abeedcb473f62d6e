import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type AuditFindOptions, auditFind } from '../../src/cli/audit-find.ts';
import { type AuditVerifyOptions, auditVerify } from '../../src/cli/audit-verify.ts';
import { createTestClock } from '../support/test-clock.ts';
import {
  exchangeRecord,
  fileLog,
  linesOf,
  mappingChange,
  newDirectory,
  removeDirectories,
  verify,
  writtenLog,
} from './audit-fixture.ts';

afterEach(removeDirectories);

type Out = (text: string) => void;
interface Place {
  readonly directory: string | readonly string[];
  readonly json?: boolean;
}

async function captured(command: (out: Out) => Promise<number>) {
  let text = '';
  const code = await command((part) => {
    text += part;
  });
  return { code, text };
}

type Verify = Omit<AuditVerifyOptions, 'directory' | 'json' | 'out'> & Place;
const runVerify = ({ directory, json = false, ...options }: Verify) =>
  captured((out) => auditVerify({ ...options, directory: [directory].flat(), json, out }));

const now = Date.parse('2026-01-16T12:00:00Z');
type Find = Omit<AuditFindOptions, 'directory' | 'now' | 'json' | 'out'> & Place;
const runFind = ({ directory, json = false, ...options }: Find) =>
  captured((out) => auditFind({ ...options, directory: [directory].flat(), now, json, out }));

describe('audit verify', () => {
  it('says that a log is intact, and what its head is', async () => {
    const directory = await writtenLog(3);
    const head = String(linesOf(directory).at(-1)?.['hash']);
    const people = await runVerify({ directory });
    expect(people).toMatchObject({
      code: 0,
      text: expect.stringContaining('Intact: 4 records in 1 file'),
    });
    expect(people.text).toContain(head);
    const program = await runVerify({ directory, json: true, expectHead: head });
    expect(program.code).toBe(0);
    expect(JSON.parse(program.text)).toMatchObject({
      intact: true,
      records: 4,
      head: { seq: 4, hash: head },
    });
  });

  it('names the first record that was altered, by file, line and number', async () => {
    const directory = await writtenLog(5);
    const file = path.join(directory, 'audit.jsonl');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"r3"', '"r8"'));
    const people = await runVerify({ directory });
    expect(people.code).toBe(1);
    expect(people.text).toContain('BROKEN');
    expect(people.text).toContain(
      'altered: audit.jsonl line 4: record 4 does not match its own hash',
    );
    const program = await runVerify({ directory, json: true });
    expect(JSON.parse(program.text)).toMatchObject({
      problems: [{ kind: 'altered', line: 4, seq: 4 }],
    });
  });

  it('names a line that is cut in half, and the records behind it when told the head (T100)', async () => {
    const directory = await writtenLog(5);
    const file = path.join(directory, 'audit.jsonl');
    const expectHead = String(linesOf(directory).at(-1)?.['hash']);
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.subarray(0, bytes.length - 20));
    const without = await runVerify({ directory });
    expect(without.code).toBe(1);
    expect(without.text).toContain(
      'BROKEN: 1 problem; 6 lines in 1 file, 5 of them records in their place',
    );
    expect(without.text).toContain('incomplete: audit.jsonl line 6: the line breaks off after');
    expect(without.text).toContain('cannot be told from the log');
    expect(without.text).not.toContain('not acknowledged');
    const informed = await runVerify({ directory, expectHead });
    expect(informed.code).toBe(1);
    expect(informed.text).toContain('truncated: audit.jsonl line 6');
  });

  it('T100: says of bytes that a start has cut off where they are, and no more than is known', async () => {
    const directory = await writtenLog(2);
    appendFileSync(path.join(directory, 'audit.jsonl'), '{"seq":4,"chain":"0123');
    const { log } = fileLog(directory);
    await log.start();
    await log.stop();
    const { code, text } = await runVerify({ directory });
    expect(code).toBe(0);
    expect(text).toMatch(/^note: audit\.jsonl line 4: .*22 bytes, kept in torn-.*\.bin/m);
    expect(text).toContain('or somebody who shortened the file');
  });

  it.each([false, true])(
    'T116: does not call a log intact that was emptied (json: %s)',
    async (json) => {
      const directory = await writtenLog(3);
      const [last] = linesOf(directory).slice(-1);
      writeFileSync(path.join(directory, 'audit.jsonl'), '');
      const { code, text } = await runVerify({ directory, json });
      expect(code).toBe(2);
      expect(text).toContain('not a single record');
      expect(text).not.toMatch(/intact/i);
      const told = await runVerify({ directory, json, expectHead: String(last?.['hash']) });
      expect(told.code).toBe(1);
    },
  );

  it('asks for --collected before it takes several chains for a log', async () => {
    const [one, two] = [await writtenLog(1), await writtenLog(1)];
    const file = path.join(newDirectory(), 'collected.log');
    for (const part of [one, two]) {
      appendFileSync(file, readFileSync(path.join(part, 'audit.jsonl')));
    }
    const strict = await runVerify({ directory: file });
    expect(strict.code).toBe(1);
    expect(strict.text).toContain('new_chain: collected.log line 3: record 1 begins a chain');
    expect(strict.text).toContain('--collected');
    expect((await runVerify({ directory: file, collected: true })).code).toBe(0);
  });

  it.each([false, true])(
    'exits with 2 when there is nothing it could check: json %s',
    async (json) => {
      const empty = newDirectory();
      const absent = path.join(empty, 'absent');
      expect((await runVerify({ directory: empty, json })).code).toBe(2);
      expect((await runVerify({ directory: absent, json })).text).toContain('ENOENT');
      const wrong = await runVerify({
        directory: await writtenLog(1),
        json,
        expectHead: 'xyz',
      });
      expect(wrong).toMatchObject({ code: 2, text: expect.stringContaining('64') });
    },
  );
});

describe('audit find', () => {
  it('says who a given access key id was', async () => {
    const directory = await writtenLog(20, { rotateBytes: 5_000 });
    const { code, text } = await runFind({ directory, accessKeyId: 'ASIAr7' });
    expect(code).toBe(0);
    expect(text).toContain('2026-01-15T12:00:00.000Z  issued  record 8');
    expect(text).toContain('client 4abc0exampleclientid, subject 4abc0exampleclientid');
    expect(text).toContain('role arn:aws:iam::123456789012:role/broker/orders-writer');
    expect(text).toContain('request r7');
    expect(text).not.toContain('ASIAr1');
  });

  it('prints lines of the log for programs', async () => {
    const directory = await writtenLog(3);
    const { code, text } = await runFind({ directory, requestId: 'r2', json: true });
    expect(code).toBe(0);
    expect(JSON.parse(text)).toEqual(linesOf(directory)[2]);
  });

  it('holds every filter against the records, exactly, and all of them together', async () => {
    const directory = newDirectory();
    const { log } = fileLog(directory, {
      clock: createTestClock(Date.parse('2026-01-01T00:00:00Z')),
    });
    await log.start();
    const token = { sha256: 'a', clientId: 'client-1', subject: 'user "1"\u202e' };
    await log.record(exchangeRecord('one', { token, time: '2026-01-01T00:00:00.000Z' }));
    await log.record(exchangeRecord('two', { token, time: '2026-02-01T00:00:00.000Z' }));
    await log.record(mappingChange(10));
    await log.stop();
    const ids = async (filter: Omit<Find, 'directory' | 'json'>) => {
      const { text } = await runFind({ directory, json: true, ...filter });
      return text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line).requestId);
    };
    expect(await ids({ subject: token.subject })).toEqual(['one', 'two']);
    expect(await ids({ subject: 'user' })).toEqual([]);
    expect(await ids({ clientId: 'client-1', requestId: 'two' })).toEqual(['two']);
    expect(await ids({ clientId: 'one' })).toEqual([]);
    const role = 'arn:aws:iam::123456789012:role/broker/orders-writer';
    expect(await ids({ role })).toEqual(['one', 'two', 'change-1']);
    expect(await ids({ role, since: '2026-01-02T00:00:00Z' })).toEqual(['two', 'change-1']);
    expect(await ids({ role, until: '2026-01-02T00:00:00+01:00' })).toEqual(['one']);
  });

  it('finds a denial by the id of a request that repeated it, and says how often', async () => {
    const directory = newDirectory();
    const { log } = fileLog(directory, {
      clock: createTestClock(Date.parse('2026-01-01T00:00:00Z')),
    });
    await log.start();
    const denied = exchangeRecord('first', { outcome: 'denied', time: '2026-01-15T12:00:00.000Z' });
    await log.record(denied);
    const [from, to] = ['2026-01-15T12:00:01.000Z', '2026-01-15T12:00:03.000Z'];
    await log.record({
      ...denied,
      time: '2026-01-15T12:00:10.000Z',
      repeats: { count: 42, from, to, requestIds: ['second', 'third'] },
    });
    await log.stop();

    const { code, text } = await runFind({ directory, requestId: 'third' });
    expect(code).toBe(0);
    expect(text).toContain(`again times 42, from ${from}, to ${to}`);
    expect(text).toContain('request first');
    const found = async (filter: Omit<Find, 'directory'>) =>
      (await runFind({ directory, json: true, ...filter })).text.split('\n').length - 1;
    expect(await found({ requestId: 'first' })).toBe(2);
    expect(await found({ requestId: 'seco' })).toBe(0);
    // The time that counts is that of the repeats, not that of the writing.
    const [second, last] = ['2026-01-15T12:00:02Z', '2026-01-15T12:00:04Z'];
    expect(await found({ requestId: 'first', since: second, until: second })).toBe(1);
    expect(await found({ requestId: 'first', since: last })).toBe(0);
    expect(await found({ requestId: 'first', until: '2026-01-15T12:00:00Z' })).toBe(1);
    expect((await verify(directory)).intact).toBe(true);
  });

  it('never sends to the terminal what could act on it', async () => {
    const directory = newDirectory();
    const { log } = fileLog(directory);
    await log.start();
    const userAgent = '\u001b[2J\u202eevil\nissued  record 99';
    await log.record(exchangeRecord('r1', { userAgent }));
    await log.stop();
    const { text } = await runFind({ directory, requestId: 'r1' });
    expect(text).toMatch(/^[\x20-\x7e\n]*$/);
    expect(text.split('\n').filter((line) => line.includes('record 99'))).toEqual([
      expect.stringContaining('\\n'),
    ]);
  });

  it('shows what the log says about itself', async () => {
    const directory = await writtenLog(1);
    const { text } = await runFind({ directory });
    expect(text).toContain('audit_opened');
    expect(text).toContain('version 1.2.3');
  });

  it('exits with 1 when nothing matches and with 2 when it cannot search', async () => {
    const directory = await writtenLog(1);
    expect(await runFind({ directory, requestId: 'none' })).toEqual({
      code: 1,
      text: expect.stringMatching(/^No record matches \(1 log, from 2026/),
    });
    expect((await runFind({ directory, since: 'yesterday' })).code).toBe(2);
    const absent = await runFind({ directory: path.join(directory, 'absent'), json: true });
    expect(absent.code).toBe(2);
    expect(JSON.parse(absent.text).error).toContain('ENOENT');
  });
});
