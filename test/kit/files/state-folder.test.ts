import {
  chmodSync,
  chownSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  requireSecretFolderSync,
  requireStateFolder,
} from '../../../src/kit/files/state-folder.ts';
import { isSuperuser } from '../../support/hostile-files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'state-folder-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const refused = { code: 'EREFUSED' };

describe('a folder of state', () => {
  it('is made, for its owner only, with all that leads to it', async () => {
    const path = join(folder, 'a', 'b');
    await requireStateFolder(path);
    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  it.each([0o700, 0o755, 0o2775, 0o1777])('may have the mode %o', async (mode) => {
    chmodSync(folder, mode);
    await requireStateFolder(folder);
  });

  it.each([0o777, 0o2777, 0o702])('may not have the mode %o (T90)', async (mode) => {
    chmodSync(folder, mode);
    await expect(requireStateFolder(folder)).rejects.toMatchObject(refused);
  });

  it('may be behind a link, and is judged by where that leads (T90)', async () => {
    const link = join(folder, 'link');
    symlinkSync(folder, link);
    await requireStateFolder(link);
    chmodSync(folder, 0o777);
    await expect(requireStateFolder(link)).rejects.toMatchObject(refused);
  });

  it('is a folder', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    await expect(requireStateFolder(file)).rejects.toThrow();
    expect(() => requireSecretFolderSync(file)).toThrow();
  });

  if (isSuperuser) {
    it('may not be that of another user (T90)', async () => {
      chownSync(folder, 65_534, 65_534);
      await expect(requireStateFolder(folder)).rejects.toMatchObject(refused);
      expect(() => requireSecretFolderSync(folder)).toThrow('belongs to user 65534');
    });
  }
});

describe('a folder of secrets', () => {
  it('is open to nobody else, and no link', () => {
    requireSecretFolderSync(join(folder, 'a'));
    const link = join(folder, 'link');
    symlinkSync(join(folder, 'a'), link);
    expect(() => requireSecretFolderSync(link)).toThrow('is not a folder');
    chmodSync(folder, 0o750);
    expect(() => requireSecretFolderSync(folder)).toThrow('make it 0700');
  });
});
