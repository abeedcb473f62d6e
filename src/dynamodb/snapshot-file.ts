/**
 * The last good policy on disk, so that the broker starts while DynamoDB is away. One JSON document per line:
 * a header, the rows, and the SHA-256 of all bytes before the last line. The digest finds damage, not forgery:
 * whoever can write this file as the broker's user can do what the broker can. Written and read as a stream, it may be
 * as large as the table.
 */

import { createHash, hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { MappingRules } from '../core/policy/mapping-check.ts';
import { ShardedMap } from '../core/policy/sharded-map.ts';
import { fileLines } from '../kit/files/file-lines.ts';
import { removeDrafts, replaceFile } from '../kit/files/replace-file.ts';
import { openStateFile } from '../kit/files/state-file.ts';
import { requireStateFolder } from '../kit/files/state-folder.ts';
import type { Chain } from './entry-chain.ts';
import type { PolicyRow } from './quarantine.ts';
import { checkedRow, lateCheck, printRow, trustedRow } from './snapshot-line.ts';
import { isSamePlace, type TablePlace } from './table-place.ts';

export interface SavedPolicy {
  readonly revision: number;
  /** When the table last confirmed this policy, epoch milliseconds. */
  readonly contactAt: number;
  readonly rows: ShardedMap<PolicyRow>;
  /** Of the change log, where it was verified. */
  readonly chain?: Chain | undefined;
  /** Of the edit that made the revision, where that is known. */
  readonly writeId?: string | undefined;
}

export interface ReadPolicy extends SavedPolicy {
  /** False: an earlier release wrote it, and it may be of any table. Then it has no chain. */
  readonly tableNamed: boolean;
}

export type SnapshotFileContent =
  | { readonly kind: 'read'; readonly policy: ReadPolicy }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unusable'; readonly error: unknown };

const format = 1;
/** Far more than a quarantined row takes, with the last good mapping and what stands in for it. */
const maxLineBytes = 1024 * 1024;
const maxLastLineBytes = 256;
const rowsPerTurn = 100;
const lineFeed = 0x0a;

export interface SnapshotReading {
  readonly rules: MappingRules;
  /** Name of this very program: what it has checked by the same rules need not be checked again at once. */
  readonly program: string | undefined;
  /** Of the table that the file must be of. */
  readonly place: () => Promise<TablePlace>;
  /** A mapping failed the check that its file claims it had passed: it denies. Called once for each. */
  readonly onForged: (id: string) => void;
}

/** `unusable`: damaged, of another table, not ours, or somebody else may have written it. Never throws. */
export async function readSnapshotFile(
  path: string,
  reading: SnapshotReading,
): Promise<SnapshotFileContent> {
  try {
    await requireStateFolder(dirname(path));
    await removeDrafts(path);
    const file = await openStateFile(path);
    if (file === undefined) return { kind: 'absent' };
    try {
      return { kind: 'read', policy: await readPolicy(file, reading) };
    } finally {
      await file.close();
    }
  } catch (error) {
    return { kind: 'unusable', error };
  }
}

/** Replaces the file as a whole or not at all. @throws the error of the file system, or FileRefusedError */
export async function writeSnapshotFile(
  path: string,
  policy: SavedPolicy,
  { rules, program, place }: Omit<SnapshotReading, 'onForged'>,
): Promise<void> {
  await requireStateFolder(dirname(path));
  const by = checkedBy(rules, program);
  await replaceFile(path, sealed(policy, { table: await place(), by }));
}

interface Origin {
  readonly table: TablePlace;
  readonly by: string | undefined;
}

async function* sealed(policy: SavedPolicy, origin: Origin): AsyncGenerator<string> {
  const digest = createHash('sha256');
  for await (const text of printed(policy, origin)) {
    digest.update(text);
    yield text;
  }
  yield `${JSON.stringify({ sha256: digest.digest('hex') })}\n`;
}

/** In slices, so that requests are served in between. */
async function* printed(
  { revision, contactAt, rows, chain, writeId }: SavedPolicy,
  { table, by }: Origin,
): AsyncGenerator<string> {
  const facts = { format, revision, contactAt, rows: rows.size, writeId };
  let text = `${JSON.stringify({ ...facts, table, chain, checkedBy: by })}\n`;
  let count = 0;
  // The rows of a state never change, so what is yielded between turns is still one picture.
  for (const row of rows.values()) {
    text += `${printRow(row)}\n`;
    count += 1;
    if (count % rowsPerTurn > 0) continue;
    yield text;
    text = '';
    await nextTurn();
  }
  if (text !== '') yield text;
}

/** Content ends before the last line, which states the digest of all before it. */
async function contentOf(file: FileHandle): Promise<{ bytes: number; sha256: unknown }> {
  const { size } = await file.stat();
  const tail = Buffer.alloc(Math.min(size, maxLastLineBytes));
  const { bytesRead } = await file.read(tail, 0, tail.length, size - tail.length);
  const start = tail.subarray(0, bytesRead).lastIndexOf(lineFeed, -2) + 1;
  const { sha256 } = JSON.parse(tail.toString('utf8', start, bytesRead)) as { sha256?: unknown };
  return { bytes: size - bytesRead + start, sha256 };
}

/** Nothing counts before the digest at the end is found to be right. */
async function readPolicy(file: FileHandle, reading: SnapshotReading): Promise<ReadPolicy> {
  const place = await reading.place();
  const { bytes, sha256 } = await contentOf(file);
  const digest = createHash('sha256');
  const onBytes = (part: Buffer) => digest.update(part);
  let header: Header | undefined;
  const rows = ShardedMap.of<PolicyRow>().draft();
  let read: (line: string) => PolicyRow = never;
  for await (const lines of fileLines(file, { bytes, maxLineBytes, onBytes })) {
    for (const [index, line] of lines.entries()) {
      if (index % rowsPerTurn === 0) await nextTurn();
      if (header === undefined) {
        header = parseHeader(line, place);
        read = rowReader(header, reading);
        continue;
      }
      const row = read(line);
      rows.set(row.id, row);
    }
  }
  if (header === undefined || digest.digest('hex') !== sha256) throw new Error('damaged');
  if (rows.size !== header.rows) throw new Error('rows are missing');
  return { ...factsIn(header), rows: rows.finished() };
}

function factsIn(header: Header): Omit<ReadPolicy, 'rows'> {
  const { revision, contactAt, table } = header;
  const writeId = typeof header.writeId === 'string' ? header.writeId : undefined;
  if (table === undefined) return { revision, contactAt, tableNamed: false };
  return { revision, contactAt, writeId, tableNamed: true, chain: chainIn(header) };
}

function never(): never {
  throw new Error('a row before the header');
}

interface Header {
  readonly revision: number;
  readonly contactAt: number;
  readonly rows: number;
  /** Absent in files of earlier releases. */
  readonly table?: unknown;
  readonly chain?: Partial<Chain> | undefined;
  readonly writeId?: unknown;
  /** Which program found the mappings good, and by which rules; absent in files of earlier releases. */
  readonly checkedBy?: unknown;
}

function parseHeader(line: string, place: TablePlace): Header {
  const header = JSON.parse(line) as Record<string, unknown>;
  const { revision, contactAt, table } = header;
  const ours = header['format'] === format && typeof contactAt === 'number';
  if (!ours || !Number.isSafeInteger(revision)) throw new Error('not a snapshot of this format');
  if (table !== undefined && !isSamePlace(place, table)) {
    throw new Error(`it is of another table than ${JSON.stringify(place)}`);
  }
  return header as unknown as Header;
}

function rowReader(
  header: Header,
  { rules, program, onForged }: SnapshotReading,
): (line: string) => PolicyRow {
  const by = checkedBy(rules, program);
  if (by === undefined || header.checkedBy !== by) return (line) => checkedRow(line, rules);
  const late = lateCheck(rules, onForged);
  return (line) => trustedRow(line, rules, late);
}

/** Undefined where the program has no name: then everything is always checked. */
function checkedBy(rules: MappingRules, program: string | undefined): string | undefined {
  if (program === undefined) return undefined;
  const text = JSON.stringify([program, rules], (_name, value: unknown) =>
    value instanceof Set ? [...value].sort((a, b) => (a < b ? -1 : 1)) : value,
  );
  return hash('sha256', text, 'base64');
}

/** One of another revision, or none, is as good as unknown: the whole change log is read again. */
function chainIn(header: Header): Chain | undefined {
  const { name, revision, digest } = header.chain ?? {};
  if (typeof name !== 'string' || typeof digest !== 'string') return undefined;
  return revision !== undefined && revision === header.revision
    ? { name, revision, digest }
    : undefined;
}
