import { type FileHandle, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  type FileLinesOptions,
  fileChunkBytes,
  fileLines,
} from '../../../src/kit/files/file-lines.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'file-lines-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function withFile<Result>(
  content: string,
  use: (file: FileHandle) => Promise<Result>,
): Promise<Result> {
  const path = join(folder, 'lines');
  await writeFile(path, content);
  const file = await open(path);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

async function read(content: string, options: Partial<FileLinesOptions> = {}) {
  const bytes = Buffer.byteLength(content);
  return await withFile(content, async (file) => {
    const lines: string[] = [];
    const all = { bytes, maxLineBytes: 5 * fileChunkBytes, ...options };
    for await (const part of fileLines(file, all)) lines.push(...part);
    return lines;
  });
}

describe('the lines of a file', () => {
  it('are what they would be if it was read whole, wherever the parts of it end', async () => {
    /** Characters of two to four bytes, which a part may cut, around the ends of the parts. */
    const line = fc.tuple(
      fc.constantFrom('', 'a', 'é', '語', '🔑'),
      fc.constantFrom(0, 1, 7, 40_000, fileChunkBytes - 1, fileChunkBytes, fileChunkBytes + 1),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 5 }), async (parts) => {
        const lines = parts.map(([text, times]) => text.repeat(times));
        const seen: Buffer[] = [];
        const content = lines.map((one) => `${one}\n`).join('');
        const found = await read(content, { onBytes: (bytes) => seen.push(bytes) });
        expect(found).toEqual(lines);
        expect(Buffer.concat(seen).toString()).toBe(content);
      }),
      { numRuns: 60 },
    );
  });

  it('end where they are said to, and with the last line feed', async () => {
    expect(await read('one\ntwo\nthree\n', { bytes: 8 })).toEqual(['one', 'two']);
    expect(await read('one\ntwo')).toEqual(['one']);
    expect(await read('')).toEqual([]);
  });

  it('are refused where one is too long, or the file too short', async () => {
    const long = 'x'.repeat(2 * fileChunkBytes);
    await expect(read(long, { maxLineBytes: fileChunkBytes })).rejects.toThrow('too long');
    await expect(read('one\n', { bytes: 5 })).rejects.toThrow('too early');
  });
});
