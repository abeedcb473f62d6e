import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readStateFile, readStateFileSync } from '../../../src/kit/files/state-file.ts';
import { hostileFiles } from '../../support/hostile-files.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'state-file-'));
  file = join(folder, 'state');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Both readers, which must say the same. */
async function read(rules: { maxBytes: number; secret?: boolean }) {
  const [later, now] = await Promise.all([
    settled(async () => readStateFile(file, rules)),
    settled(async () => readStateFileSync(file, rules)),
  ]);
  expect(later).toEqual(now);
  return now;
}

async function settled(work: () => Promise<Buffer | undefined>): Promise<unknown> {
  try {
    return (await work())?.toString();
  } catch (error) {
    const { code, fault, message } = error as { code: string; fault?: string; message: string };
    return { code, fault, message };
  }
}

describe('a file of state', () => {
  it('is read if it is ours alone', async () => {
    writeFileSync(file, 'kept', { mode: 0o600 });
    expect(await read({ maxBytes: 4 })).toBe('kept');
  });

  it('is undefined where nothing has its name', async () => {
    expect(await read({ maxBytes: 4 })).toBeUndefined();
  });

  it('is empty if it is empty', async () => {
    writeFileSync(file, '', { mode: 0o600 });
    expect(await read({ maxBytes: 4 })).toBe('');
  });

  it.each(hostileFiles)('is refused, without waiting, if it is %s (T90)', async (_what, swap) => {
    writeFileSync(file, 'forged', { mode: 0o600 });
    swap(file);
    expect(await read({ maxBytes: 100 })).toEqual({
      code: 'EREFUSED',
      fault: expect.stringMatching(/^(?:link|not_regular|foreign_owner|open_to_others)$/),
      message: expect.stringContaining(file),
    });
  });

  it('is refused if it is a link to nowhere, which is not the same as absent (T90)', async () => {
    symlinkSync(join(folder, 'nowhere'), file);
    expect(await read({ maxBytes: 4 })).toMatchObject({ fault: 'link' });
  });

  it('is refused if it is larger than may be read, by a single byte', async () => {
    writeFileSync(file, 'x'.repeat(10_001), { mode: 0o600 });
    expect(await read({ maxBytes: 10_001 })).toHaveLength(10_001);
    expect(await read({ maxBytes: 10_000 })).toMatchObject({ fault: 'too_large' });
  });

  it('may be readable by others, unless it is a secret', async () => {
    writeFileSync(file, 'kept');
    chmodSync(file, 0o644);
    expect(await read({ maxBytes: 4 })).toBe('kept');
    expect(await read({ maxBytes: 4, secret: true })).toMatchObject({ fault: 'open_to_others' });
  });
});
