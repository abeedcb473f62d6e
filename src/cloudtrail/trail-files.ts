/** The files of a trail as CloudTrail delivers them to a bucket, or as a folder of JSON lines. */

import { createHash } from 'node:crypto';
import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { readGivenFile } from '../kit/files/given-file.ts';
import { isJsonObject, type JsonObject, parseJsonObject } from '../kit/json/json-object.ts';
import type { DeliveredObject } from './delivery-note.ts';

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

export interface TrailFile {
  readonly records: readonly JsonObject[];
  readonly unreadable: readonly Unreadable[];
}

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
    extent: async (name) => (name.endsWith('.jsonl') ? String((await stat(name)).size) : ''),
    nameOf: () => undefined,
  };
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
    const kind = entry.isSymbolicLink() ? await stat(inside) : entry;
    if (kind.isDirectory() && !otherFolders.has(entry.name)) yield* namesBelow(inside, seen);
    else if (kind.isFile() && fileForm.test(entry.name)) yield inside;
  }
}

/** One after the other; while one is judged, the next is being read and unpacked. */
export async function* readTrail(
  place: TrailPlace,
  names: AsyncIterable<string> | Iterable<string>,
): AsyncGenerator<TrailFile & { readonly name: string }> {
  let last: { readonly name: string; readonly text: Promise<string | Error> } | undefined;
  for await (const name of names) {
    const reading = { name, text: textOf(place, name) };
    if (last !== undefined) yield fileOf(last.name, await last.text);
    last = reading;
  }
  if (last !== undefined) yield fileOf(last.name, await last.text);
}

function fileOf(name: string, text: string | Error) {
  return { name, ...(typeof text === 'string' ? parsed(name, text) : unreadableFile(name, text)) };
}

/** What bytes that were read hold, packed or not as the name says. */
export async function trailFile(name: string, bytes: Buffer): Promise<TrailFile> {
  return fileOf(name, await settled(textIn(name, bytes)));
}

/** Fifteen characters: what was seen is small beside the names. */
export function nameDigest(name: string): string {
  return createHash('sha256').update(name).digest('base64url').slice(0, 15);
}

/** An error is why it cannot be read. */
async function textOf(place: TrailPlace, name: string): Promise<string | Error> {
  return await settled(place.bytes(name).then((bytes) => textIn(name, bytes)));
}

function settled(reading: Promise<string>): Promise<string | Error> {
  return reading.catch((error) => (error instanceof Error ? error : new Error(String(error))));
}

async function textIn(name: string, bytes: Buffer): Promise<string> {
  const plain = name.endsWith('.gz') ? await unpacked(bytes) : bytes;
  return plain.toString('utf8');
}

const gunzipped = promisify(gunzip);

async function unpacked(bytes: Buffer): Promise<Buffer> {
  try {
    return await gunzipped(bytes, { maxOutputLength: maxFileBytes });
  } catch (cause) {
    const isBomb = (cause as { readonly code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE';
    const why = isBomb
      ? `holds more than ${maxFileBytes} bytes when it is unpacked, which no file of CloudTrail does`
      : 'cannot be unpacked: fetch it again';
    throw new Error(why, { cause });
  }
}

function unreadableFile(file: string, { message }: Error): TrailFile {
  return { records: [], unreadable: [{ file, why: message }] };
}

function parsed(name: string, text: string): TrailFile {
  if (/\.jsonl(?:\.gz)?$/.test(name)) return eventsOf(name, text.split('\n'), parseJsonObject);
  const document = parseJsonObject(text);
  // A file of hashes that lies among those with events.
  if (typeof document?.['digestS3Object'] === 'string') return { records: [], unreadable: [] };
  const list: unknown = document?.['Records'];
  if (Array.isArray(list)) return eventsOf(name, list, objectIn);
  return unreadableFile(name, new Error('is no file of a trail: it has no list of Records'));
}

function objectIn(value: unknown): JsonObject | undefined {
  return isJsonObject(value) ? value : undefined;
}

function eventsOf<Item>(
  file: string,
  items: readonly Item[],
  read: (item: Item) => JsonObject | undefined,
): TrailFile {
  const records: JsonObject[] = [];
  const unreadable: Unreadable[] = [];
  items.forEach((item, index) => {
    if (item === '') return;
    const record = read(item);
    if (record !== undefined) records.push(eventIn(record));
    else if (unreadable.length < mostNamed)
      unreadable.push({ file, line: index + 1, why: 'is no event: it is no JSON object' });
  });
  return { records, unreadable };
}

/** What EventBridge delivers has the event inside. */
function eventIn(record: JsonObject): JsonObject {
  const { detail } = record;
  return typeof record['detail-type'] === 'string' && isJsonObject(detail) ? detail : record;
}
