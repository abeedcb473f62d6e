/**
 * The last good policy on disk, so that the broker starts while DynamoDB is away. One JSON document per line:
 * a header, the rows, and the SHA-256 of all bytes before the last line. The digest finds damage, not forgery:
 * whoever can write this file as the broker's user can do what the broker can.
 */

import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { MappingRules } from '../core/policy/mapping-check.ts';
import type { StoredRoleMapping } from '../core/policy/role-mapping.ts';
import { removeDrafts, replaceFile } from '../kit/files/replace-file.ts';
import { readStateFile } from '../kit/files/state-file.ts';
import { requireStateFolder } from '../kit/files/state-folder.ts';
import type { Chain } from './entry-chain.ts';
import { type PolicyRow, type QuarantinedRow, toPolicyRow } from './quarantine.ts';
import { readMapping } from './role-mapping-item.ts';

export interface SavedPolicy {
  readonly revision: number;
  /** When the table last confirmed this policy, epoch milliseconds. */
  readonly contactAt: number;
  readonly rows: ReadonlyMap<string, PolicyRow>;
  /** Of the change log, where it was verified. */
  readonly chain?: Chain | undefined;
}

export type SnapshotFileContent =
  | { readonly kind: 'read'; readonly policy: SavedPolicy }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unusable'; readonly error: unknown };

const format = 1;
const maxFileBytes = 512 * 1024 * 1024;
const rowsPerTurn = 100;
const lineFeed = 0x0a;

/** `unusable`: damaged, not ours, or somebody else may have written it. Never throws. */
export async function readSnapshotFile(
  path: string,
  rules: MappingRules,
): Promise<SnapshotFileContent> {
  try {
    await requireStateFolder(dirname(path));
    await removeDrafts(path);
    const bytes = await readStateFile(path, { maxBytes: maxFileBytes });
    if (bytes === undefined) return { kind: 'absent' };
    return { kind: 'read', policy: await parsePolicy(checkedLines(bytes), rules) };
  } catch (error) {
    return { kind: 'unusable', error };
  }
}

/** Replaces the file as a whole or not at all. @throws the error of the file system, or FileRefusedError */
export async function writeSnapshotFile(path: string, policy: SavedPolicy): Promise<void> {
  await requireStateFolder(dirname(path));
  await replaceFile(path, sealed(policy));
}

async function* sealed(policy: SavedPolicy): AsyncGenerator<string> {
  const digest = createHash('sha256');
  for await (const text of printed(policy)) {
    digest.update(text);
    yield text;
  }
  yield `${JSON.stringify({ sha256: digest.digest('hex') })}\n`;
}

/** In slices, so that requests are served in between. */
async function* printed({ revision, contactAt, rows, chain }: SavedPolicy): AsyncGenerator<string> {
  let text = `${JSON.stringify({ format, revision, contactAt, rows: rows.size, chain })}\n`;
  let count = 0;
  // The rows of a state never change, so what is yielded between turns is still one picture.
  for (const row of rows.values()) {
    text += `${JSON.stringify(toLine(row))}\n`;
    count += 1;
    if (count % rowsPerTurn > 0) continue;
    yield text;
    text = '';
    await nextTurn();
  }
  if (text !== '') yield text;
}

interface RowLine {
  readonly id: string;
  readonly version: number;
  readonly mapping?: unknown;
  readonly quarantined?: {
    readonly digest?: string;
    readonly faults: QuarantinedRow['faults'];
    readonly lastGood: StoredRoleMapping | null;
    readonly inForce: readonly StoredRoleMapping[];
  };
}

function toLine(row: PolicyRow): RowLine {
  const { id, version } = row;
  if (row.kind === 'valid') return { id, version, mapping: row.stored.mapping };
  const { digest, faults, lastGood = null, inForce } = row;
  const known = digest === undefined ? {} : { digest };
  return { id, version, quarantined: { ...known, faults, lastGood, inForce } };
}

function checkedLines(bytes: Buffer): Buffer {
  const endOfContent = bytes.lastIndexOf(lineFeed, -2) + 1;
  const { sha256 } = JSON.parse(bytes.toString('utf8', endOfContent)) as { sha256?: unknown };
  const content = bytes.subarray(0, endOfContent);
  if (createHash('sha256').update(content).digest('hex') !== sha256) throw new Error('damaged');
  return content;
}

async function parsePolicy(content: Buffer, rules: MappingRules): Promise<SavedPolicy> {
  const lines = linesOf(content);
  const header = lines.next().value as Record<string, unknown> | undefined;
  const { revision, contactAt, rows: count } = header ?? {};
  const ours = header?.['format'] === format && typeof contactAt === 'number';
  if (!ours || !Number.isSafeInteger(revision)) throw new Error('not a snapshot of this format');
  const rows = new Map<string, PolicyRow>();
  for (const line of lines) {
    if (rows.size % rowsPerTurn === 0) await nextTurn();
    const row = fromLine(line as RowLine, rules);
    rows.set(row.id, row);
  }
  if (rows.size !== count) throw new Error('rows are missing');
  const chain = chainIn(header);
  return { revision: revision as number, contactAt, rows, chain };
}

/** One of another revision, or none, is as good as unknown: the whole change log is read again. */
function chainIn(header: Record<string, unknown> | undefined): Chain | undefined {
  const chain = header?.['chain'] as Partial<Chain> | undefined;
  const { name, revision, digest } = chain ?? {};
  if (typeof name !== 'string' || typeof digest !== 'string') return undefined;
  return revision !== undefined && revision === header?.['revision']
    ? { name, revision, digest }
    : undefined;
}

function* linesOf(content: Buffer): Generator<unknown> {
  let start = 0;
  while (start < content.length) {
    const end = content.indexOf(lineFeed, start);
    yield JSON.parse(content.toString('utf8', start, end));
    start = end + 1;
  }
}

/** Configuration may have changed since, so every mapping is checked again. */
function fromLine({ id, version, mapping, quarantined }: RowLine, rules: MappingRules): PolicyRow {
  const check = (document: unknown, at: number) =>
    readMapping({ id, version: at, text: JSON.stringify(document ?? null) }, rules);
  if (quarantined === undefined) {
    const row = toPolicyRow(check(mapping, version), undefined);
    // The text that was parsed here is not that of the table.
    return row.kind === 'valid' ? row : { ...row, digest: undefined };
  }
  const stillValid = (stored: StoredRoleMapping | null) => {
    const row = stored === null ? undefined : check(stored.mapping, Math.max(1, stored.version));
    return row?.kind === 'valid' ? [row.stored] : [];
  };
  return {
    kind: 'quarantined',
    id,
    version,
    digest: quarantined.digest,
    faults: quarantined.faults,
    lastGood: stillValid(quarantined.lastGood)[0],
    inForce: quarantined.inForce.flatMap(stillValid),
  };
}
