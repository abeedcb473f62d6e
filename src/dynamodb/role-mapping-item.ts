/**
 * Items of the table ⇄ domain: docs/table.md shows each of them. A mapping is kept as its JSON text, so that
 * what is read is byte for byte what was written, and equal texts need not be parsed again.
 */

import { hash } from 'node:crypto';
import { type ChangeFacts, changeActions } from '../core/editing/change-facts.ts';
import type { MappingChange, MappingVersion } from '../core/editing/mapping-history.ts';
import type { Fault } from '../core/fault.ts';
import { HeldMapping } from '../core/policy/compiled-mapping.ts';
import { checkRoleMapping, type MappingRules } from '../core/policy/mapping-check.ts';
import {
  isMappingId,
  type RoleMapping,
  type StoredRoleMapping,
} from '../core/policy/role-mapping.ts';
import { withSharedParts } from '../core/policy/shared-parts.ts';
import { type ChainLink, linkOf } from './entry-chain.ts';
import { parseJson, readInteger, readJson, readText } from './item-attributes.ts';
import type { Item, ItemKey } from './table-calls.ts';

/** One current row as read: either a mapping that can work, or what is wrong with it. */
export type TableRow = ValidRow | UnreadableRow;

export interface ValidRow {
  readonly kind: 'valid';
  readonly id: string;
  readonly version: number;
  /** Of the text in the table: equal digest and version mean an equal row. */
  readonly digest: string;
  readonly stored: HeldMapping;
}

export interface UnreadableRow {
  readonly kind: 'unreadable';
  /** As in the key, or a made-up one if the key does not hold a legal id. */
  readonly id: string;
  /** 0 if that cannot be read either. */
  readonly version: number;
  /** Of the text in the table. */
  readonly digest: string;
  readonly faults: readonly Fault[];
  /** Whatever JSON the row holds; undefined if none. */
  readonly document: unknown;
}

/** An entry of the change log, with what it left as a row. */
export interface LoggedChange extends MappingChange {
  /** `after` as a row; undefined for a deletion. */
  readonly row: TableRow | undefined;
  /** What it adds to the chain that seals the log. */
  readonly link: ChainLink;
  readonly writeId: string | undefined;
}

export interface Head {
  /** Grows by one with each change; 0 for a table that was never changed. */
  readonly revision: number;
  /** How many current mappings there are: tells a complete read from an incomplete one. */
  readonly mappings: number;
  /** Of the edit that made the revision; undefined where whoever wrote the item left it out. */
  readonly writeId: string | undefined;
}

/** More than any sensible mapping needs, and far below DynamoDB's 400 KB for the entry with before and after. */
export const mappingTextMaxLength = 64 * 1024;
const maxFaults = 20;

const currentPrefix = 'MAPPING#';
export const currentSk = 'CURRENT';
export const headKey: ItemKey = { pk: 'HEAD', sk: 'HEAD' };
const changesPerBucket = 1000;
const versionDigits = 10;
const revisionDigits = 15;

export function currentKey(id: string): ItemKey {
  return { pk: `${currentPrefix}${id}`, sk: currentSk };
}

export function versionKey(id: string, version: number): ItemKey {
  return { pk: `${currentPrefix}${id}`, sk: `V#${padded(version, versionDigits)}` };
}

/** Of a mapping, newest first: those below `before`. */
export function versionsBefore(id: string, before: number) {
  const { pk, sk: toSk } = versionKey(id, before - 1);
  return { pk, fromSk: versionKey(id, 0).sk, toSk, descending: true } as const;
}

/** A bucket holds 1,000 changes, so no partition grows without bound. */
export function changeKey(revision: number): ItemKey {
  return {
    pk: `CHANGES#${padded(changeBucket(revision), revisionDigits)}`,
    sk: padded(revision, revisionDigits),
  };
}

function changeBucket(revision: number): number {
  return Math.floor((revision - 1) / changesPerBucket);
}

/** Last revision of the bucket that holds this one. */
export function endOfBucket(revision: number): number {
  return (changeBucket(revision) + 1) * changesPerBucket;
}

export function toItem(
  key: ItemKey,
  attributes: Readonly<Record<string, string | number | boolean | undefined>>,
): Item {
  const item: Item = { pk: { S: key.pk }, sk: { S: key.sk } };
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'number') item[name] = { N: String(value) };
    else if (typeof value === 'boolean') item[name] = { BOOL: value };
    else if (value !== undefined) item[name] = { S: value };
  }
  return item;
}

export function readHead(item: Item | undefined): Head {
  return {
    revision: readInteger(item, 'revision') ?? 0,
    mappings: readInteger(item, 'mappings') ?? 0,
    writeId: readText(item, 'writeId'),
  };
}

/** What is known of rows before they are read, and spares work where it is still true. */
export interface KnownRows {
  /** What an earlier read made of a row: an equal row gives the same object again. */
  readonly known?: ((id: string) => TableRow | undefined) | undefined;
  /** A mapping that was checked by the same rules: a row whose text is its is as good. */
  readonly checked?: ((id: string) => RoleMapping | undefined) | undefined;
}

/** A current row. */
export function readCurrent(item: Item, rules: MappingRules, before: KnownRows): TableRow {
  const key = readText(item, 'pk') ?? '';
  const id = key.slice(currentPrefix.length);
  if (!key.startsWith(currentPrefix) || !isMappingId(id)) {
    const faults: Fault[] = [
      { pointer: '', detail: 'The key of the row does not hold a legal mapping id.' },
    ];
    const text = readText(item, 'mapping') ?? '';
    const document = parseJson(text);
    const digest = textDigest(text);
    return { kind: 'unreadable', id: madeUpId(key), version: 0, digest, faults, document };
  }
  const version = readInteger(item, 'version') ?? 0;
  const text = readText(item, 'mapping') ?? '';
  const checked = before.checked?.(id);
  if (checked !== undefined && version > 0 && JSON.stringify(checked) === text) {
    return validRow({ id, version, digest: textDigest(text), mapping: checked });
  }
  const current = { id, version, text };
  return knownRow(current, before.known?.(id)) ?? readMapping(current, rules);
}

export function isOverride(item: Item): boolean {
  return item['override']?.BOOL === true;
}

export interface MappingText {
  readonly id: string;
  readonly version: number;
  readonly text: string;
}

/** What an earlier read made of the same text; undefined where it is another one. */
export function knownRow(
  { version, text }: MappingText,
  known: TableRow | undefined,
): ValidRow | undefined {
  if (known?.kind !== 'valid' || known.version !== version) return undefined;
  return known.digest === textDigest(text) ? known : undefined;
}

export function readMapping({ id, version, text }: MappingText, rules: MappingRules): TableRow {
  const digest = textDigest(text);
  const document = parseJson(text);
  const unreadable = (faults: readonly Fault[]): UnreadableRow => ({
    kind: 'unreadable',
    id,
    version,
    digest,
    faults: faults.slice(0, maxFaults),
    document,
  });
  if (version === 0) return unreadable([{ pointer: '', detail: 'The row has no version.' }]);
  // Before the real check: what is beyond this may be made to cost time.
  if (text.length > mappingTextMaxLength) {
    return unreadable([{ pointer: '', detail: tooLong }]);
  }
  const check = checkRoleMapping(document, rules);
  if (check.kind === 'invalid') return unreadable(check.faults);
  if (check.mapping.id !== id) {
    return unreadable([{ pointer: '/id', detail: 'must equal the id in the key of the row' }]);
  }
  const mapping = withSharedParts(check.mapping);
  return validRow({ id: mapping.id, version, digest, mapping });
}

function validRow({ mapping, ...row }: Omit<ValidRow, 'kind' | 'stored'> & StoredRoleMapping) {
  const stored = new HeldMapping({ mapping, version: row.version });
  return { kind: 'valid', ...row, stored } as const;
}

export const tooLong = `may have at most ${mappingTextMaxLength} characters as JSON`;

/** A `CURRENT` or `V#` item of this mapping. Items written by hand may lack who, when and why. */
export function readVersionItem(id: string, item: Item, rules: MappingRules): MappingVersion {
  const facts = readFacts(item);
  const text = readText(item, 'mapping');
  if (text === undefined) {
    return { id, ...facts, mapping: undefined, faults: [], document: undefined };
  }
  const row = readMapping({ id, version: facts.version, text }, rules);
  return row.kind === 'valid'
    ? { id, ...facts, mapping: row.stored.mapping, faults: [], document: row.stored.mapping }
    : { id, ...facts, mapping: undefined, faults: row.faults, document: row.document };
}

/** Undefined if the item is not a whole entry of the change log. */
export function readChange(item: Item, rules: MappingRules): LoggedChange | undefined {
  const facts = readFacts(item);
  const id = readText(item, 'id');
  const after = readText(item, 'after');
  if (facts.revision === 0 || id === undefined || !isMappingId(id)) return undefined;
  if ((after === undefined) !== (facts.action === 'delete')) return undefined;
  return {
    id,
    ...facts,
    before: readJson(item, 'before'),
    after: readJson(item, 'after'),
    link: linkOf(item),
    writeId: readText(item, 'writeId'),
    row:
      after === undefined
        ? undefined
        : readMapping({ id, version: facts.version, text: after }, rules),
  };
}

export function textDigest(text: string): string {
  return hash('sha256', text, 'base64');
}

function readFacts(item: Item): ChangeFacts {
  return {
    version: readInteger(item, 'version') ?? 0,
    revision: readInteger(item, 'revision') ?? 0,
    action: changeActions.find((name) => name === readText(item, 'action')) ?? 'create',
    updatedAt: readText(item, 'updatedAt') ?? '',
    updatedBy: readText(item, 'updatedBy') ?? '',
    actorProven: item['actorProven']?.BOOL === true,
    reason: readText(item, 'reason') ?? '',
    override: isOverride(item) ? true : undefined,
    approvedBy: readText(item, 'approvedBy'),
    proposal: readText(item, 'proposal'),
  };
}

/** Names a row whose key cannot be shown: a legal id, and the same one each time. */
function madeUpId(key: string): string {
  return `unreadable-${hash('sha256', key, 'hex').slice(0, 16)}`;
}

function padded(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}
