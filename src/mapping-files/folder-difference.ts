/** What is different between the role mappings of two folders, as a plan has it. */

import type { RoleMapping } from '../core/policy/role-mapping.ts';
import { documentChanges } from '../kit/json/document-changes.ts';
import type { CurrentRow, PlannedChange } from './mapping-plan.ts';
import type { FileMapping } from './read-mappings.ts';

export interface FolderDifference {
  readonly changes: readonly PlannedChange[];
  readonly unchanged: number;
  /** The first folder as if it were a table. */
  readonly rows: readonly CurrentRow[];
}

export function folderDifference(
  before: readonly FileMapping[],
  after: readonly FileMapping[],
): FolderDifference {
  const old = new Map(before.map((file) => [file.mapping.id, file]));
  const fresh = new Map(after.map((file) => [file.mapping.id, file]));
  const changes = [...new Set([...old.keys(), ...fresh.keys()])]
    .sort((a, b) => (a < b ? -1 : 1))
    .flatMap((id) => differenceOf(old.get(id), fresh.get(id)) ?? []);
  const rows = before.map(({ mapping }) => ({ id: mapping.id, version: 0, document: mapping }));
  const replaced = changes.filter(({ action }) => action === 'replace').length;
  const kept = before.filter(({ mapping }) => fresh.has(mapping.id)).length;
  return { changes, unchanged: kept - replaced, rows };
}

function differenceOf(
  from: FileMapping | undefined,
  to: FileMapping | undefined,
): PlannedChange | undefined {
  const differences = documentChanges(from?.mapping ?? {}, to?.mapping ?? {});
  const shown = to ?? from;
  if (differences.length === 0 || shown === undefined) return undefined;
  const action = from === undefined ? 'create' : to === undefined ? 'delete' : 'replace';
  const { document, mapping } = shown;
  const source = `${document.file}:${document.positionOf('/id').line}`;
  const after: RoleMapping | null = to?.mapping ?? null;
  const facts = { action, id: mapping.id, version: null, source, differences } as const;
  return { ...facts, before: from?.mapping ?? null, after };
}
