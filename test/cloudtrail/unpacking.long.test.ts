/** A trail that somebody has filled: what a small file unpacks to has an end. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, it } from '@jest/globals';
import { exchangeRecord, logOf, newDirectory, removeDirectories } from '../audit/audit-fixture.ts';
import { checkTrail, event, trailFile } from './trail-fixture.ts';

const trail = mkdtempSync(join(tmpdir(), 'trail-'));

afterAll(() => {
  removeDirectories();
  rmSync(trail, { recursive: true });
});

it('T271: cloudtrail check unpacks no file without end', async () => {
  const audit = newDirectory();
  const record = exchangeRecord('A');
  await logOf(audit, Date.parse(record.time), record);
  const part = gzipSync(Buffer.alloc(16 * 1024 * 1024));
  writeFileSync(join(trail, 'a.json.gz'), Buffer.concat(Array.from({ length: 17 }, () => part)));
  writeFileSync(join(trail, 'b.json'), JSON.stringify({ Records: [{}] }));
  const { code, err } = await checkTrail(audit, trail);
  expect({ code, bomb: err.includes('a.json.gz holds more than') }).toEqual({
    code: 1,
    bomb: true,
  });
});

const million = 1_000_000;

it.each([
  ['a list', 'a.json.gz', `{"Records":[${'{},'.repeat(million)}{}]}`],
  ['lines', 'a.jsonl.gz', '{}\n'.repeat(million + 1)],
  ['empty lines', 'a.jsonl.gz', `${'\n'.repeat(million)}{}`],
])(
  'T329: an end has %s, and what lies beside it is read',
  async (_, name, text) => {
    const audit = newDirectory();
    const trail = newDirectory();
    const record = exchangeRecord('A');
    const time = Date.parse(record.time);
    await logOf(audit, time, record);
    writeFileSync(join(trail, name), gzipSync(text));
    writeFileSync(join(trail, 'b.json.gz'), trailFile(event('X', time)));
    const until = ['--audit-until', new Date(time + 3_600_000).toISOString()];
    const { classes, err } = await checkTrail(audit, trail, ...until);
    expect({ classes, err }).toEqual({
      classes: ['bypass'],
      err: expect.stringContaining('more than 1000000 entries'),
    });
  },
  120_000,
);
