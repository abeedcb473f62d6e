import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { removeDrafts, replaceFile, replaceFileSync } from '../../../src/kit/files/replace-file.ts';
import { hostileFiles } from '../../support/hostile-files.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'replace-file-'));
  file = join(folder, 'state');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const writers: readonly (readonly [string, (path: string, text: string) => Promise<void>])[] = [
  ['at once', async (path, text) => replaceFileSync(path, text)],
  ['later', (path, text) => replaceFile(path, text)],
  ['in parts', (path, text) => replaceFile(path, partsOf(text))],
];

async function* partsOf(text: string): AsyncGenerator<string> {
  for (const part of text) yield part;
}

describe.each(writers)('replacing a file %s', (_name, write) => {
  it('leaves the new content, for its owner only, and nothing else', async () => {
    writeFileSync(file, 'old and longer', { mode: 0o644 });
    await write(file, 'new');
    expect(readFileSync(file, 'utf8')).toBe('new');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['state']);
  });

  it.each(hostileFiles.filter(([what]) => what !== 'a folder'))(
    'replaces the name itself if it is %s (T91)',
    async (_what, swap) => {
      writeFileSync(file, 'old', { mode: 0o600 });
      swap(file);
      await write(file, 'new');
      expect(statSync(file).isFile()).toBe(true);
      expect(readFileSync(file, 'utf8')).toBe('new');
      expect(statSync(file)).toMatchObject({ uid: process.getuid?.(), nlink: 1 });
      expect(statSync(file).mode & 0o777).toBe(0o600);
    },
  );

  it('never writes through a link, whether at the name or at one that could be foreseen (T91)', async () => {
    const victim = join(folder, 'victim');
    writeFileSync(victim, 'precious');
    for (const name of [file, `${file}.tmp`, `${file}~`]) symlinkSync(victim, name);
    await write(file, 'new');
    expect(readFileSync(victim, 'utf8')).toBe('precious');
    expect(readFileSync(file, 'utf8')).toBe('new');
  });

  it('that fails leaves the old content and no draft', async () => {
    mkdirSync(file);
    writeFileSync(join(file, 'precious'), '');
    await expect(write(file, 'new')).rejects.toMatchObject({ syscall: 'rename' });
    expect(readdirSync(folder)).toEqual(['state']);
    expect(existsSync(join(file, 'precious'))).toBe(true);
  });
});

describe('drafts', () => {
  it('of a process that died are removed, and nothing else', async () => {
    const draft = `${file}.0123456789abcdef.tmp`;
    const others = ['other.0123456789abcdef.tmp', 'state.tmp', 'state'];
    for (const name of others) writeFileSync(join(folder, name), '');
    writeFileSync(draft, 'half');
    chmodSync(draft, 0o600);
    await removeDrafts(file);
    expect(new Set(readdirSync(folder))).toEqual(new Set(others));
  });
});
