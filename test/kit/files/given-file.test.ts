import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readGivenFile, readGivenFileSync } from '../../../src/kit/files/given-file.ts';
import { foreignOwner, makePipe } from '../../support/hostile-files.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'given-file-'));
  file = join(folder, 'given');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function read(path: string, maxBytes: number) {
  const [later, now] = await Promise.all([
    settled(async () => readGivenFile(path, maxBytes)),
    settled(async () => readGivenFileSync(path, maxBytes)),
  ]);
  expect(later).toEqual(now);
  return now;
}

async function settled(work: () => Promise<Buffer>): Promise<unknown> {
  try {
    return (await work()).toString();
  } catch (error) {
    return (error as { fault?: string; code: string }).fault ?? (error as { code: string }).code;
  }
}

describe('a file that was given', () => {
  it.each<readonly [string, (file: string) => void]>([
    ['readable by everybody', () => undefined],
    ...foreignOwner,
  ])('may be %s', async (_what, change) => {
    writeFileSync(file, 'token', { mode: 0o644 });
    change(file);
    expect(await read(file, 5)).toBe('token');
  });

  it('may be behind links, as in the volumes of Kubernetes', async () => {
    mkdirSync(join(folder, '..2026_11_30'));
    writeFileSync(join(folder, '..2026_11_30', 'token'), 'token');
    symlinkSync('..2026_11_30', join(folder, '..data'));
    symlinkSync('..data/token', join(folder, 'token'));
    expect(await read(join(folder, 'token'), 5)).toBe('token');
  });

  it('is never waited for: a pipe, a folder and a device are refused', async () => {
    makePipe(file);
    expect(await read(file, 5)).toBe('not_regular');
    expect(await read(folder, 5)).toBe('not_regular');
    expect(await read('/dev/zero', 5)).toBe('not_regular');
  });

  it('has a limit, whatever size it claims to have', async () => {
    writeFileSync(file, 'x'.repeat(6));
    expect(await read(file, 5)).toBe('too_large');
    // Claims to have no byte.
    expect(await read('/proc/self/limits', 100)).toBe('too_large');
    expect(await read('/proc/self/limits', 1_000_000)).toMatch(/^Limit/);
  });

  it('that is not there is an error of the file system', async () => {
    expect(await read(file, 5)).toBe('ENOENT');
  });
});
