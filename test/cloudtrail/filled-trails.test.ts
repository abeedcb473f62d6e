/** Trails that somebody fills who wants one session not to be found, or no session. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sealRecords, startChain } from '../../src/audit/hash-chain.ts';
import { recordFields } from '../../src/audit/record-fields.ts';
import { exchangeRecord, logOf, newDirectory, removeDirectories } from '../audit/audit-fixture.ts';
import { checkTrail, event, trailFile } from './trail-fixture.ts';

afterAll(removeDirectories);

const ten = Date.parse('2026-01-15T10:00:00Z');
const hour = 3_600_000;
const honest = event('A', ten);
const bypass = event('X', ten + hour);

let audit = '';
beforeAll(async () => {
  audit = newDirectory();
  const at = (time: number) => ({ time: new Date(time).toISOString() });
  await logOf(audit, ten, exchangeRecord('A', at(ten)), exchangeRecord('Z', at(ten + 10 * hour)));
});

function folder(files: Readonly<Record<string, string | Buffer>>): string {
  const directory = newDirectory();
  for (const [name, content] of Object.entries(files))
    writeFileSync(path.join(directory, name), content);
  return directory;
}

/** Classes of findings, of a trail of files with these events. */
async function classesOf(...files: readonly (readonly object[])[]): Promise<readonly string[]> {
  const named = files.map((events, index) => [`${index}.json.gz`, trailFile(...events)]);
  return (await checkTrail(audit, folder(Object.fromEntries(named)))).classes;
}

describe('what stands in a folder and cannot be read', () => {
  it.each<readonly [what: string, put: (place: string) => void]>([
    ['a link to nothing', (place) => symlinkSync('/nowhere/at/all', `${place}.json`)],
    ['a link to itself', (place) => symlinkSync(path.basename(place), place)],
    ['a pipe', (place) => void execFileSync('mkfifo', [`${place}.json.gz`])],
    ['a link to a device', (place) => symlinkSync('/dev/zero', `${place}.jsonl`)],
    [
      'a folder whose name is no text',
      (place) => mkdirSync(Buffer.concat([Buffer.from(place), Buffer.from([0xff])])),
    ],
  ])('T328: %s is named, and the rest is read', async (_, put) => {
    const trail = folder({ '1.json.gz': trailFile(honest, bypass) });
    put(path.join(trail, '0'));
    const { code, classes, summary } = await checkTrail(audit, trail);
    expect({ code, classes, unreadable: summary?.unreadable }).toEqual({
      code: 2,
      classes: ['bypass'],
      unreadable: 1,
    });
  });
});

describe('a file with more than there is memory for', () => {
  it.each([
    ['nested', JSON.stringify({ a: '@' }).replace('"@"', '['.repeat(9999) + ']'.repeat(9999))],
    ['long', JSON.stringify({ a: 'x'.repeat(5 * 1024 * 1024) })],
  ])('T329: an entry that is too %s is named, and those after it are read', async (_, entry) => {
    for (const [name, text] of [
      ['a.json', `{"Records":[${entry},${JSON.stringify(bypass)}]}`],
      ['a.jsonl', `${entry}\n${JSON.stringify(bypass)}\n`],
    ] as const) {
      const { classes, err } = await checkTrail(audit, folder({ [name]: text }));
      expect({ classes, err }).toEqual({
        classes: ['bypass'],
        err: expect.stringContaining('line 1 is no event'),
      });
    }
  });

  it('T329: what stands before a broken end is judged, and the end is named', async () => {
    const text = JSON.stringify({ before: ['\\"', { Records: [] }], Records: [honest, bypass] });
    for (const end of ['', ',', ',{"eventName":"\\"', ']', ']}x']) {
      const { classes, summary } = await checkTrail(
        audit,
        folder({ 'a.json': text.slice(0, -2) + end }),
      );
      expect({ end, classes, unreadable: summary.unreadable }).toEqual({
        end,
        classes: ['bypass'],
        unreadable: 1,
      });
    }
  });
});

describe('a session that nobody is to see', () => {
  const stsOf = (source: string) => event('X', ten + hour, { eventSource: source });

  it.each<readonly [what: string, record: object]>([
    ['whose parameters CloudTrail has left out', withoutParameters()],
    ['with an empty error', { ...bypass, errorCode: '' }],
    ['of the partition of China', stsOf('sts.amazonaws.com.cn')],
    ['of the sovereign cloud', stsOf('sts.amazonaws.eu')],
  ])('T330: one %s is found', async (_, record) => {
    expect(await classesOf([honest, record])).toEqual(['bypass']);
  });

  it.each<readonly [what: string, record: object]>([
    ['of no role', { ...bypass, requestParameters: { omitted: true } }],
    ['of no time', { ...bypass, eventTime: 'yesterday' }],
  ])('T330: where there is one %s, nothing is called clean', async (_, record) => {
    const trail = folder({ 'a.json.gz': trailFile(honest, record) });
    const { code, err } = await checkTrail(audit, trail);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('line 2 is a session') });
  });

  it('T330: nothing is called clean where there is more behind the end of a packed file', async () => {
    const [first, second] = [honest, bypass].map((one) => gzipSync(`${JSON.stringify(one)}\n`));
    for (const between of [Buffer.alloc(8), Buffer.from([0, 0x8b])]) {
      const bytes = Buffer.concat([first ?? between, between, second ?? between]);
      const trail = folder({ 'a.jsonl.gz': bytes, 'b.json.gz': trailFile(honest) });
      expect(await checkTrail(audit, trail)).toMatchObject({ code: 1, summary: { unreadable: 1 } });
    }
  });

  it('T330: a file of hashes that has events is read', async () => {
    const text = JSON.stringify({ digestS3Object: 'x', Records: [honest, bypass] });
    expect((await checkTrail(audit, folder({ 'a.json': text }))).classes).toEqual(['bypass']);
  });

  it('T331: no other event takes its place, whose id it has', async () => {
    const other = (changes: object) => ({ ...event('other', ten, changes), eventID: 'X' });
    const [early, late] = ['2020-01-01T00:00:00Z', '9000-01-01T00:00:00Z'];
    expect(await classesOf([honest, bypass], [other({ eventTime: early })])).toEqual(['bypass']);
    expect(await classesOf([honest, bypass], [other({ eventTime: late })])).toEqual([
      'bypass',
      'bypass',
    ]);
    const added = event('X', ten + 11 * hour, {
      eventID: 'another',
      addendum: { reason: 'UPDATED_DATA', originalEventID: 'X' },
    });
    expect(await classesOf([honest, bypass], [added])).toEqual(['bypass']);
    // Delivered twice, it is one.
    expect(await classesOf([honest, bypass], [bypass])).toEqual(['bypass']);
  });

  it('T331: a clean event beside one that differs from the record hides nothing, wherever it stands', async () => {
    const altered = event('A', ten, { requestID: 'another' });
    expect(await classesOf([honest], [altered])).toEqual(['altered']);
    expect(await classesOf([altered], [honest])).toEqual(['altered']);
    expect(await classesOf([altered, honest], [altered])).toEqual(['altered']);
    const thumbprint = event('A', ten, {
      additionalEventData: { identityProviderConnectionVerificationMethod: 'Thumbprint' },
    });
    expect(await classesOf([honest, thumbprint], [thumbprint])).toEqual(['thumbprint']);
    // What CloudTrail adds later has only what is new.
    const added = { ...altered, addendum: { reason: 'UPDATED_DATA', originalEventID: 'A' } };
    expect(await classesOf([honest, added])).toEqual([]);
  });
});

function withoutParameters() {
  return {
    ...bypass,
    requestParameters: { omitted: true },
    resources: [
      { type: 'AWS::S3::Object', ARN: 'arn:aws:s3:::a/role/b' },
      { type: 'AWS::IAM::Role', ARN: bypass.requestParameters.roleArn },
    ],
  };
}

describe('times that are made up', () => {
  it('T332: an event of the future makes no session missing, and a record of it reaches no further than now', async () => {
    const future = event('other', ten, {
      eventName: 'GetCallerIdentity',
      eventTime: '9000-01-01T00:00:00Z',
    });
    const place = '123456789012/us-east-1';
    const trail = folder({ 'a.json.gz': trailFile(honest, future) });
    const { classes, summary } = await checkTrail(audit, trail);
    expect({ classes, newest: Date.parse(summary.watermarks[place]) }).toEqual({
      classes: [],
      newest: ten,
    });

    const ahead = newDirectory();
    await logOf(ahead, ten, exchangeRecord('A', { time: '2999-01-01T00:00:00.000Z' }));
    const reached = (await checkTrail(ahead, trail)).summary.recordedUntil;
    expect(Date.parse(reached)).toBeLessThanOrEqual(Date.now());
  });
});

describe('logs that say little', () => {
  it('T334: a record of a session that does not say when it was written bears out nothing', async () => {
    const log = newDirectory();
    const { text } = sealRecords(startChain(), [
      recordFields(exchangeRecord('Z', { time: new Date(ten + 10 * hour).toISOString() })),
      recordFields(exchangeRecord('A', { time: 'once' })),
    ]);
    writeFileSync(path.join(log, 'audit.jsonl'), text);
    const differs = event('A', ten + 10 * hour, { requestID: 'another' });
    const trail = folder({ 'a.json.gz': trailFile(differs) });
    const until = ['--audit-until', '2026-01-15T22:00:00Z'];
    expect((await checkTrail(log, trail, ...until)).classes).toEqual(['bypass']);

    writeFileSync(path.join(log, 'audit.jsonl'), sealRecords(startChain(), ['"type":"x"']).text);
    expect(await checkTrail(log, trail)).toMatchObject({
      code: 1,
      err: expect.stringContaining('says when it was written'),
    });
  });

  it('T335: a session of a time that the logs do not reach is said to whoever reads no summary', async () => {
    const trail = folder({ 'a.json.gz': trailFile(honest, event('X', ten + 10 * hour)) });
    const { code, err } = await checkTrail(audit, trail);
    expect({ code, err }).toEqual({
      code: 0,
      err: expect.stringContaining('1 session is on record nowhere'),
    });
    expect((await checkTrail(audit, folder({ 'a.json.gz': trailFile(honest) }))).err).toBe('');
  });
});

describe('a role that nobody has used yet', () => {
  const role = 'arn:aws:iam::123456789012:role/broker/never-used';
  const taken = event('X', ten + hour, { requestParameters: { roleArn: role } });

  it('T338: is the brokers’ where role mappings in files say so, and a session of it is found', async () => {
    const trail = folder({ 'a.json.gz': trailFile(honest, taken) });
    expect((await checkTrail(audit, trail)).classes).toEqual([]);
    const mappings = folder({
      'a.yaml': `id: never-used\nrole: ${role}\n`,
      'b.yaml': 'role: "*"\n',
    });
    const { classes, summary } = await checkTrail(audit, trail, '--mappings', mappings);
    expect({ classes, managed: summary.managedRoles }).toEqual({ classes: ['bypass'], managed: 2 });
  });

  it.each([
    ['names no role', 'id: never-used\n'],
    ['cannot be read', 'role: [\n'],
    ['is not there', undefined],
  ])('T338: nothing is checked where a file %s', async (_, text) => {
    const mappings = text === undefined ? '/nowhere/at/all' : folder({ 'a.yaml': text });
    const trail = folder({ 'a.json.gz': trailFile(honest) });
    expect(await checkTrail(audit, trail, '--mappings', mappings)).toMatchObject({
      code: 1,
      err: expect.stringContaining('role mappings cannot be read'),
    });
  });
});
