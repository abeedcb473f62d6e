/** From files to role mappings that can work, or every fault in them at once. */

import type { Fault } from '../core/fault.ts';
import { checkNewMapping, type WritingRules } from '../core/policy/mapping-check.ts';
import type { KnownPools } from '../core/policy/mapping-reach.ts';
import { mappingWarnings } from '../core/policy/mapping-warnings.ts';
import { compileSnapshot, type PolicySnapshot } from '../core/policy/policy-snapshot.ts';
import type { RoleMapping } from '../core/policy/role-mapping.ts';
import { isJsonObject } from '../kit/json/json-object.ts';
import { atOnce } from '../kit/timing/in-turns.ts';
import type { SourceFault } from '../kit/yaml/source-fault.ts';
import { parseYaml, type SourceDocument, type SourceFile } from '../kit/yaml/yaml-documents.ts';

export interface FileMapping {
  readonly mapping: RoleMapping;
  readonly document: SourceDocument;
}

export interface ReadMappings {
  readonly mappings: readonly FileMapping[];
  readonly faults: readonly SourceFault[];
}

/** What one row of the table takes, as JSON (docs/table.md). */
export const maxMappingCharacters = 65_536;

export function readMappings(files: readonly SourceFile[], rules: WritingRules): ReadMappings {
  const byId = new Map<string, FileMapping>();
  const faults: SourceFault[] = [];
  for (const file of files) {
    const parsed = parseYaml(file);
    faults.push(...parsed.faults);
    for (const document of parsed.documents) {
      const check = checkNewMapping(managedFromGit(document.value), rules);
      const own = check.kind === 'valid' ? checkInFile(check.mapping, byId) : check.faults;
      faults.push(...own.map((fault) => faultIn(document, fault)));
      if (check.kind === 'valid' && own.length === 0) {
        byId.set(check.mapping.id, { mapping: check.mapping, document });
      }
    }
  }
  return { mappings: [...byId.values()], faults };
}

export function faultIn(document: SourceDocument, { pointer, detail }: Fault): SourceFault {
  return { file: document.file, ...document.positionOf(pointer), pointer, detail };
}

/** The policy as the files have it. */
export function snapshotOfFiles(mappings: readonly FileMapping[]): PolicySnapshot {
  return compileSnapshot(
    0,
    mappings.map(({ mapping }) => ({ mapping, version: 0 })),
  );
}

/** What is legal, but perhaps not meant, given all the files; of those with these ids, if there are any. */
export function warningsFor(
  mappings: readonly FileMapping[],
  pools: KnownPools | undefined,
  now: number,
  ids?: ReadonlySet<string>,
): readonly SourceFault[] {
  const known = { snapshot: snapshotOfFiles(mappings), pools, now };
  const asked = mappings.filter(({ mapping }) => ids?.has(mapping.id) ?? true);
  const warnings = atOnce(
    mappingWarnings(
      asked.map(({ mapping }) => mapping),
      known,
    ),
  );
  return asked.flatMap(({ document }, index) =>
    (warnings[index] ?? []).map((warning) => faultIn(document, warning)),
  );
}

/** A file is the place where its mapping is edited, unless it says otherwise. */
function managedFromGit(value: unknown): unknown {
  return isJsonObject(value) && !Object.hasOwn(value, 'managedBy')
    ? { ...value, managedBy: 'git' }
    : value;
}

function checkInFile(mapping: RoleMapping, byId: ReadonlyMap<string, FileMapping>): Fault[] {
  const faults: Fault[] = [];
  const twin = byId.get(mapping.id)?.document;
  if (twin !== undefined) {
    const { line } = twin.positionOf('/id');
    faults.push({ pointer: '/id', detail: `is the id of another mapping: ${twin.file}:${line}` });
  }
  if (JSON.stringify(mapping).length > maxMappingCharacters) {
    faults.push({
      pointer: '',
      detail: `has more than ${maxMappingCharacters} characters as JSON`,
    });
  }
  return faults;
}
