import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { configRereader } from '../../src/config/reread.ts';
import { blockDisk } from '../audit/blocked-disk.ts';
import { eachTurn } from '../support/each-turn.ts';
import { createTestClock } from '../support/test-clock.ts';

const directory = mkdtempSync(join(tmpdir(), 'token-broker-reread-'));
afterAll(() => rmSync(directory, { recursive: true }));

const config = {
  profile: 'production',
  listeners: { api: { host: '127.0.0.1' } },
  identity: {
    userPools: [
      {
        pool: 'us-east-1_AbCdEf123',
        issuer: 'https://cognito-idp.us-east-1.amazonaws.com/us-east-1_AbCdEf123',
        clients: ['one'],
      },
    ],
  },
  policy: { table: 'role-mappings', region: 'us-east-1' },
  sts: { endpoints: [{ region: 'us-east-1' }] },
  audit: { directory: '/var/log/token-broker' },
};

const waiting = () =>
  process.getActiveResourcesInfo().filter((name) => name.startsWith('FSReq')).length;

it('T342: holds one thread of a disk that gives no answer, however often it is asked', async () => {
  const clock = createTestClock();
  const file = join(directory, 'config.yaml');
  writeFileSync(file, JSON.stringify(config));
  const reread = configRereader(file, { env: {}, rules: [] }, clock);
  const unblock = blockDisk();
  try {
    const before = waiting();
    for (let asked = 0; asked < 5; asked += 1) {
      const refused = expect(reread()).rejects.toMatchObject({
        faults: [{ file, detail: 'gives no answer: its disk hangs' }],
      });
      await clock.outlast(refused);
    }
    expect(waiting()).toBe(before + 1);
  } finally {
    await unblock();
  }
  const again = reread();
  await eachTurn(again, () => void clock.advance(250));
  expect((await again).config.policy.table).toBe('role-mappings');
});
