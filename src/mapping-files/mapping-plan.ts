/** What makes the table say what the files say: the changes of rows that the files own, in a safe order. */

import type { Fault } from '../core/fault.ts';
import { isFreezeId } from '../core/policy/freeze.ts';
import { isManagedByGit } from '../core/policy/managed-by-git.ts';
import type { RoleMapping } from '../core/policy/role-mapping.ts';
import { type DocumentChange, documentChanges } from '../kit/json/document-changes.ts';
import { memberOf } from '../kit/json/json-object.ts';
import type { SourceFault } from '../kit/yaml/source-fault.ts';
import { type FileMapping, faultIn } from './read-mappings.ts';

/** A current row of the table. */
export interface CurrentRow {
  readonly id: string;
  /** 0 if it cannot be read. */
  readonly version: number;
  /** As stored, perhaps no sound mapping; undefined if it is no JSON at all. */
  readonly document: unknown;
}

export interface TableContents {
  readonly revision: number;
  readonly rows: readonly CurrentRow[];
}

export interface PlanScope {
  /** Rows of these owners only; empty: of all. */
  readonly owners: readonly string[];
  /** Take over rows that the files do not own yet. */
  readonly adopt: boolean;
  /** Delete rows that the files own and no longer have. */
  readonly prune: boolean;
}

export interface PlannedChange {
  readonly action: 'create' | 'replace' | 'delete';
  readonly id: string;
  /** Which the change is based on; null creates. */
  readonly version: number | null;
  /** `file:line`; null for a deletion. */
  readonly source: string | null;
  /** Null: there is none. */
  readonly before: unknown;
  /** Null deletes. */
  readonly after: RoleMapping | null;
  readonly differences: readonly DocumentChange[];
}

export interface KeptRow {
  readonly id: string;
  readonly version: number;
}

export interface MappingPlan {
  /** Of the table that it was made against. */
  readonly revision: number;
  readonly owners: readonly string[];
  readonly changes: readonly PlannedChange[];
  readonly unchanged: number;
  /** Owned, in no file, and kept because nothing is pruned. */
  readonly notInFiles: readonly KeptRow[];
}

export interface Planning {
  readonly plan: MappingPlan;
  /** Why the plan must not be used. */
  readonly conflicts: readonly SourceFault[];
  readonly warnings: readonly SourceFault[];
}

export function planMappings(
  files: readonly FileMapping[],
  { revision, rows }: TableContents,
  scope: PlanScope,
): Planning {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const changes: PlannedChange[] = [];
  const conflicts: SourceFault[] = [];
  const warnings: SourceFault[] = [];
  let unchanged = 0;
  for (const file of files) {
    const step = compare(file, byId.get(file.mapping.id), scope);
    if (step.kind === 'change') changes.push(step.change);
    else if (step.kind === 'conflict') conflicts.push(step.fault);
    else if (step.kind === 'ignored') warnings.push(step.fault);
    else unchanged += 1;
  }
  const inFiles = new Set(files.map(({ mapping }) => mapping.id));
  const extra = rows.filter((row) => !inFiles.has(row.id) && isOwned(row.document, scope));
  // A freeze is lifted through the API, and never because a file is gone (T95).
  const isDeleted = ({ id, version }: CurrentRow) => scope.prune && version > 0 && !isFreezeId(id);
  for (const row of extra) if (isDeleted(row)) changes.push(deletion(row));
  const notInFiles = extra
    .filter((row) => !isDeleted(row))
    .map(({ id, version }) => ({ id, version }))
    .sort(byIdOrder);
  changes.sort((a, b) => rankOf(a) - rankOf(b) || byIdOrder(a, b));
  return {
    plan: { revision, owners: scope.owners, changes, unchanged, notInFiles },
    conflicts,
    warnings,
  };
}

type Step =
  | { readonly kind: 'change'; readonly change: PlannedChange }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'conflict' | 'ignored'; readonly fault: SourceFault };

function compare(file: FileMapping, row: CurrentRow | undefined, scope: PlanScope): Step {
  const { mapping, document } = file;
  const owned = row !== undefined && isOwned(row.document, scope);
  const differences = documentChanges(row?.document ?? {}, mapping);
  if (mapping.managedBy === 'api' && !owned) {
    return differences.length === 0 ? { kind: 'unchanged' } : ignored(file, row);
  }
  const obstacle = obstacleTo(file, row, { ...scope, adopt: scope.adopt || owned });
  if (obstacle !== undefined) return { kind: 'conflict', fault: faultIn(document, obstacle) };
  if (differences.length === 0) return { kind: 'unchanged' };
  const { file: path } = document;
  return {
    kind: 'change',
    change: {
      action: row === undefined ? 'create' : 'replace',
      id: mapping.id,
      version: row?.version ?? null,
      source: `${path}:${document.positionOf('/id').line}`,
      before: row?.document ?? null,
      after: mapping,
      differences,
    },
  };
}

/** A file that says `managedBy: api` is a copy, such as export writes: to read, and never applied. */
function ignored({ document }: FileMapping, row: CurrentRow | undefined): Step {
  const state = row === undefined ? 'is not in the table' : 'says something else in the table';
  const detail = `api: the file has no effect, and the mapping ${state}. Delete the file, or remove managedBy to manage the mapping from Git`;
  return { kind: 'ignored', fault: faultIn(document, { pointer: '/managedBy', detail }) };
}

function obstacleTo(
  { mapping }: FileMapping,
  row: CurrentRow | undefined,
  scope: PlanScope,
): Fault | undefined {
  if (scope.owners.length > 0 && !scope.owners.includes(mapping.owner)) {
    return {
      pointer: '/owner',
      detail: `must be one of those given by --owner: ${scope.owners.join(', ')}`,
    };
  }
  if (row === undefined) return undefined;
  if (row.version === 0) {
    const detail = 'is the id of a row that has no version: docs/table.md tells how to repair it';
    return { pointer: '/id', detail };
  }
  if (scope.adopt) return undefined;
  const detail = isManagedByGit(row.document)
    ? 'is the id of a role mapping that belongs to another owner: choose another id, or take it over with --adopt'
    : 'is the id of a role mapping that is managed through the API: choose another id, or take it over with --adopt. If it was of Git before: mappings history says who changed that and when, and mappings export --update brings the change into the file; take managedBy out of it again, and then --adopt';
  return { pointer: '/id', detail };
}

function deletion({ id, version, document }: CurrentRow): PlannedChange {
  return {
    action: 'delete',
    id,
    version,
    source: null,
    before: document ?? null,
    after: null,
    differences: documentChanges(document ?? {}, {}),
  };
}

function isOwned(document: unknown, { owners }: PlanScope): boolean {
  if (!isManagedByGit(document)) return false;
  return owners.length === 0 || owners.includes(String(memberOf(document, 'owner')));
}

/**
 * Brokers may see the table between two changes. New denies come first and known ones go last, so that no allow
 * is ever in force without the deny that belongs to it; a mapping that gets a new id is made before it is deleted.
 */
function rankOf({ action, before, after }: PlannedChange): number {
  const denied = memberOf(before, 'effect') === 'deny';
  if (after?.effect === 'deny' && !denied) return 0;
  if (denied) return action === 'delete' ? 5 : 4;
  return { create: 1, replace: 2, delete: 3 }[action];
}

function byIdOrder(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : Number(a.id > b.id);
}
