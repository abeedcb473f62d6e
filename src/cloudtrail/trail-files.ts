/** The files of a trail as CloudTrail delivers them to a bucket, or as a folder of JSON lines. */

import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { readGivenFile } from '../kit/files/given-file.ts';
import { isJsonObject, type JsonObject, parseJsonObject } from '../kit/json/json-object.ts';

/** CloudTrail closes a file long before: what is larger is none of its own. */
const maxFileBytes = 256 * 1024 * 1024;
/** Beside the events of an account: hashes of files, and what was derived from events. */
const otherFolders = new Set(['CloudTrail-Digest', 'CloudTrail-Insight', 'CloudTrail-Aggregated']);
const fileForm = /\.(?:json|jsonl)(?:\.gz)?$/;

export interface TrailFile {
  readonly name: string;
  readonly records: readonly JsonObject[];
}

/** It cannot be read as a part of a trail: what it holds would be missing without anybody seeing it. */
export class TrailFileError extends Error {
  override readonly name = 'TrailFileError';
}

/** In the order of their names, which is that of their times within an account and region. */
export async function trailFileNames(location: string): Promise<readonly string[]> {
  if (!(await stat(location)).isDirectory()) return [location];
  const names: string[] = [];
  const entries = await readdir(location, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const inside = path.join(location, entry.name);
    if (entry.isDirectory() && !otherFolders.has(entry.name)) {
      names.push(...(await trailFileNames(inside)));
    } else if (entry.isFile() && fileForm.test(entry.name)) names.push(inside);
  }
  return names;
}

/** One file is in memory at a time. @throws TrailFileError, or the error of the file system */
export async function readTrailFile(name: string): Promise<TrailFile> {
  const bytes = await readGivenFile(name, maxFileBytes);
  const text = name.endsWith('.gz') ? await unpacked(name, bytes) : bytes.toString('utf8');
  return {
    name,
    records: /\.jsonl(?:\.gz)?$/.test(name) ? linesOf(name, text) : recordsOf(name, text),
  };
}

const gunzipped = promisify(gunzip);

async function unpacked(name: string, bytes: Buffer): Promise<string> {
  try {
    const plain = await gunzipped(bytes, { maxOutputLength: maxFileBytes });
    return plain.toString('utf8');
  } catch (error) {
    throw new TrailFileError(`${name} cannot be unpacked: fetch it again.`, { cause: error });
  }
}

function recordsOf(name: string, text: string): readonly JsonObject[] {
  const records = parseJsonObject(text)?.['Records'];
  if (Array.isArray(records) && records.every(isJsonObject)) return records;
  throw new TrailFileError(`${name} is no file of a trail: it has no list of Records.`);
}

function linesOf(name: string, text: string): readonly JsonObject[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line, index) => {
      const record = parseJsonObject(line);
      if (record !== undefined) return record;
      throw new TrailFileError(`${name} line ${index + 1} is no JSON object.`);
    });
}
