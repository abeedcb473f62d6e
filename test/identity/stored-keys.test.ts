import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { hostileFiles } from '../support/hostile-files.ts';
import {
  startValidation,
  testIssuer,
  type Validation,
  type ValidationOptions,
  verdict,
} from '../support/token-validation.ts';
import { accessClaims, createTestKey, mintToken, type TestKey } from '../support/tokens.ts';

const first = createTestKey('key-1');
const forger = createTestKey('forged');

const running: Validation[] = [];
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stored-keys-'));
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((validation) => validation.stop()));
  await rm(directory, { recursive: true, force: true });
});

async function start(options: Partial<ValidationOptions> = {}): Promise<Validation> {
  const validation = await startValidation({ publish: [first], ...options });
  running.push(validation);
  return validation;
}

function ask({ clock, validator }: Validation, key: TestKey) {
  return verdict(validator, mintToken(key, { claims: accessClaims(testIssuer, clock.now()) }));
}

describe('stored keys that somebody else may have written', () => {
  it.each(hostileFiles)(
    'T90: a forged key set that is %s lets nobody in while the issuer is away, and is reported',
    async (_what, swap) => {
      const before = await start({ publish: [forger], source: { directory } });
      await before.source.start();
      await before.source.stop();
      const [name = ''] = await readdir(directory);
      swap(join(directory, name));
      const after = await start({ source: { directory }, clock: before.clock });
      after.server.fault = { kind: 'reset' };
      await after.source.start();
      expect(await ask(after, forger)).toBe('keys_unavailable');
      expect(after.storeFailures).toMatchObject([
        { operation: 'read', error: { code: 'EREFUSED', message: expect.any(String) } },
      ]);
    },
  );

  it('T90: nor does one in a folder that everybody may write to, where none is kept either', async () => {
    const before = await start({ source: { directory } });
    await before.source.start();
    await before.source.stop();
    await chmod(directory, 0o777);
    const after = await start({ source: { directory }, clock: before.clock });
    after.server.fault = { kind: 'reset' };
    await after.source.start();
    expect(after.source.ready(testIssuer)).toBe(false);
    after.server.fault = undefined;
    const retried = after.nextFetch();
    await after.clock.advance(1_000);
    await retried;
    expect(await ask(after, first)).toBe('accepted');
    await after.source.stop();
    expect(after.storeFailures).toMatchObject([{ operation: 'read' }, { operation: 'write' }]);
  });
});
