import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { makeFolder, makeFolderSync } from '../../../src/kit/files/make-folder.ts';
import { temporaryFolders } from '../../support/mapping-folder.ts';

const folders = temporaryFolders();
afterAll(() => {
  folders.remove();
});

const ways = {
  makeFolder,
  makeFolderSync: async (path: string, mode: number) => makeFolderSync(path, mode),
};

describe.each(Object.entries(ways))('%s', (_, make) => {
  it('makes what is missing on the way, with its mode, and leaves what is there', async () => {
    const above = folders.folder();
    const modeBefore = statSync(above).mode;
    const path = join(above, 'a', 'b', 'c');
    await make(path, 0o700);
    await make(path, 0o755);
    for (const made of [path, join(above, 'a')]) expect(statSync(made).mode & 0o777).toBe(0o700);
    expect(statSync(above).mode).toBe(modeBefore);
  });

  it('makes one for all who want it at once', async () => {
    const path = join(folders.folder(), 'a', 'b');
    await Promise.all(Array.from({ length: 20 }, () => make(path, 0o700)));
    expect(statSync(path).isDirectory()).toBe(true);
  });

  it.each(['', 'below'])('says so where a file is in its place, or above it: %p', async (below) => {
    const file = join(folders.folder(), 'file');
    writeFileSync(file, '');
    await expect(make(join(file, below), 0o700)).rejects.toMatchObject({
      code: expect.stringMatching(/^(?:EEXIST|ENOTDIR)$/),
    });
  });

  const namesNothing = '/proc/token-broker';
  (existsSync('/proc/self') ? it : it.skip)('ends where a file system takes no names', async () => {
    const making = make(`${namesNothing}/state/keys`, 0o700);
    await expect(making).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
