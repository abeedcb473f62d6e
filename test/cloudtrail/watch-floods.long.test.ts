/** More sessions than a watcher can keep: it goes on, and loses none of them. */

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, it } from '@jest/globals';
import { event } from './trail-fixture.ts';
import {
  findings,
  minute,
  noon,
  place,
  record,
  stopWatchers,
  warnings,
  watch,
} from './watcher-fixture.ts';

afterEach(stopWatchers);

it('T336: counts findings that are more than it can keep until it tells of them, and says that there are more', async () => {
  const where = place();
  await record(where.audit, 'A', noon - 60 * minute);
  const line = (id: number) => JSON.stringify(event(`${id}`, noon - 30 * minute));
  const lines = Array.from({ length: 100_010 }, (_, id) => line(id)).join('\n');
  writeFileSync(path.join(where.trail, 'flood.jsonl'), lines);
  const { said, logger } = warnings();
  const watcher = await watch(where, { logger });
  expect(await watcher.series(findings('bypass'))).toBe(100_010);
  expect(watcher.out().split('\n')).toHaveLength(100_001);
  expect(said.filter((text) => text.includes('more findings than are told'))).toHaveLength(1);
}, 300_000);

it('T336: gives no verdict where more waits than it can keep, and judges all of it when it can', async () => {
  const where = place();
  await record(where.audit, 'A', noon - 60 * minute);
  const userAgent = 'x'.repeat(100_000);
  const { requestParameters } = event('', noon);
  const principalTags = Object.fromEntries(
    Array.from({ length: 100 }, (_, tag) => [`${tag}`, 'y'.repeat(2048)]),
  );
  const changes = { userAgent, requestParameters: { ...requestParameters, principalTags } };
  const lines = Array.from({ length: 400 }, (_, id) =>
    JSON.stringify(event(`${id}`, noon, changes)),
  );
  writeFileSync(path.join(where.trail, 'flood.jsonl'), lines.join('\n'));
  const watcher = await watch(where);
  const failed = 'tokenbroker_cloudtrail_failed_looks_total{reason="state"}';
  expect(await watcher.series(failed)).toBe(1);
  await watcher.look(10 * minute);
  expect(await watcher.series(findings('bypass'))).toBe(400);
}, 300_000);
