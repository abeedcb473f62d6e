/** The files of a trail as CloudTrail delivers them to a bucket, or as a folder of JSON lines. */

import { createHash } from 'node:crypto';
import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { readGivenFile } from '../kit/files/given-file.ts';
import type { JsonObject } from '../kit/json/json-object.ts';
import type { DeliveredObject } from './delivery-note.ts';
import { documentEntries, lineEntries, type TrailEntry } from './trail-entries.ts';

/** CloudTrail closes a file long before: what is larger is none of its own. */
export const maxFileBytes = 256 * 1024 * 1024;
/** Beside the events of an account: hashes of files, and what was derived from events. */
const otherFolders = new Set(['CloudTrail-Digest', 'CloudTrail-Insight', 'CloudTrail-Aggregated']);
/** In one file. */
const mostNamed = 100;
const fileForm = /\.(?:json|jsonl)(?:\.gz)?$/;

/** A part of the trail that cannot be read: what it holds is missing, and nobody may take that for nothing. */
export interface Unreadable {
  readonly file: string;
  /** Of a line, or of an entry in the list of records; from 1. */
  readonly line?: number;
  readonly why: string;
}

export type TrailPart = { readonly record: JsonObject } | Unreadable;

/** Taken once, and one at a time. */
export type TrailFile = Iterable<TrailPart>;

/** Where the files of a trail are: a folder, or a prefix of a bucket. */
export interface TrailPlace {
  /** In the order of their names, which is that of their times within an account and region. */
  names(): AsyncIterable<string>;
  /** As they are there, packed or not. */
  bytes(name: string): Promise<Buffer>;
  /** Differs once there is more in a file that grows; files of CloudTrail never do. */
  extent(name: string): Promise<string>;
  /** The name here of an object that a message names; undefined: it is not below this place. */
  nameOf(object: DeliveredObject): string | undefined;
}

/** Whether the rest of its name, from the place on, is that of a file with events. */
export function isTrailFile(name: string): boolean {
  return fileForm.test(name) && !name.split('/').some((part) => otherFolders.has(part));
}

export function trailFolder(location: string): TrailPlace {
  return {
    names: () => namesIn(location),
    bytes: (name) => readGivenFile(name, maxFileBytes),
    extent: async (name) => (name.endsWith('.jsonl') ? await sizeOf(name) : ''),
    nameOf: () => undefined,
  };
}

/** Of one that is gone meanwhile, reading says so. */
async function sizeOf(file: string): Promise<string> {
  return await stat(file).then(
    ({ size }) => String(size),
    () => '',
  );
}

/** Links are followed, once each: a part of the trail that was left out would hide what is in it. */
async function* namesIn(location: string): AsyncGenerator<string> {
  if ((await stat(location)).isDirectory()) yield* namesBelow(location, new Set());
  else yield location;
}

async function* namesBelow(folder: string, seen: Set<string>): AsyncGenerator<string> {
  const real = await realpath(folder);
  if (seen.has(real)) return;
  seen.add(real);
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const inside = path.join(folder, entry.name);
    if (otherFolders.has(entry.name)) continue;
    const kind = entry.isSymbolicLink() ? await stat(inside).catch(() => undefined) : entry;
    if (kind?.isDirectory() === true) yield* namesOrItself(inside, seen);
    else if (kind === undefined || fileForm.test(entry.name)) yield inside;
  }
}

/** A folder that cannot be looked into has the name of a file, so that reading it says why, and the others are read. */
async function* namesOrItself(folder: string, seen: Set<string>): AsyncGenerator<string> {
  try {
    yield* namesBelow(folder, seen);
  } catch {
    yield folder;
  }
}

/** One after the other; while one is judged, the next is being read and unpacked. */
export async function* readTrail(
  place: TrailPlace,
  names: AsyncIterable<string> | Iterable<string>,
): AsyncGenerator<{ readonly name: string; readonly parts: TrailFile }> {
  let last: { readonly name: string; readonly bytes: Promise<Buffer | Error> } | undefined;
  for await (const name of names) {
    const reading = { name, bytes: settled(plainBytes(place, name)) };
    if (last !== undefined) yield { name: last.name, parts: partsOf(last.name, await last.bytes) };
    last = reading;
  }
  if (last !== undefined) yield { name: last.name, parts: partsOf(last.name, await last.bytes) };
}

/** What bytes that were read hold, packed or not as the name says. */
export async function trailFile(name: string, bytes: Buffer): Promise<TrailFile> {
  return partsOf(name, await settled(unpackedAsNamed(name, bytes)));
}

/** Fifteen characters: what was seen is small beside the names. */
export function nameDigest(name: string): string {
  return createHash('sha256').update(name).digest('base64url').slice(0, 15);
}

/** An error is why it cannot be read. */
function settled(reading: Promise<Buffer>): Promise<Buffer | Error> {
  return reading.catch((error) => (error instanceof Error ? error : new Error(String(error))));
}

async function plainBytes(place: TrailPlace, name: string): Promise<Buffer> {
  return await unpackedAsNamed(name, await place.bytes(name));
}

async function unpackedAsNamed(name: string, bytes: Buffer): Promise<Buffer> {
  return name.endsWith('.gz') ? await unpacked(bytes) : bytes;
}

interface Unpacked {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

/** With how much of it was taken in; the types of Node do not know this option's answer. */
const gunzipped = promisify(gunzip) as unknown as (
  bytes: Buffer,
  options: { readonly info: true; readonly maxOutputLength: number },
) => Promise<Unpacked>;

async function unpacked(bytes: Buffer): Promise<Buffer> {
  const { buffer, engine } = await gunzipped(bytes, {
    info: true,
    maxOutputLength: maxFileBytes,
  }).catch((cause) => {
    const isBomb = (cause as { readonly code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE';
    const why = isBomb
      ? `holds more than ${maxFileBytes} bytes when it is unpacked, which no file of CloudTrail does`
      : 'cannot be unpacked: fetch it again';
    throw new Error(why, { cause });
  });
  // Node passes over what follows and does not begin as a packed part does.
  if (engine.bytesWritten === bytes.length) return buffer;
  throw new Error('cannot be unpacked to its end: fetch it again');
}

function* partsOf(file: string, bytes: Buffer | Error): Generator<TrailPart> {
  if (bytes instanceof Error) return yield { file, why: bytes.message };
  let named = 0;
  for (const entry of entriesOf(file, bytes)) {
    if ('record' in entry) yield entry;
    else if (named < mostNamed || entry.line === undefined) {
      named += 1;
      yield { file, ...entry };
    }
  }
}

function entriesOf(name: string, bytes: Buffer): Generator<TrailEntry> {
  return /\.jsonl(?:\.gz)?$/.test(name) ? lineEntries(bytes) : documentEntries(bytes);
}
