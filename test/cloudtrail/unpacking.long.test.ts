/** A trail that somebody has filled: what a small file unpacks to has an end. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, it } from '@jest/globals';
import { exchangeRecord, logOf, newDirectory, removeDirectories } from '../audit/audit-fixture.ts';
import { checkTrail } from './trail-fixture.ts';

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
