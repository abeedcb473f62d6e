/** Role mappings for a command, of a folder or of the table: read whole, or refused with every fault. */

import { writingRules } from '../config/mapping-rules.ts';
import type { Config } from '../config/schema.ts';
import type { WritingRules } from '../core/policy/mapping-check.ts';
import type { RoleMapping } from '../core/policy/role-mapping.ts';
import { fileFault, type SourceFault } from '../kit/yaml/source-fault.ts';
import { type FolderContents, readFolder } from '../mapping-files/folder.ts';
import { type FileMapping, readMappings } from '../mapping-files/read-mappings.ts';
import { loadWithProgress, withMappingTable } from './mapping-table.ts';
import type { Output } from './output.ts';
import { printable } from './printable.ts';
import type { Terminal } from './terminal.ts';

export interface MappingFolder {
  readonly folder: FolderContents;
  readonly mappings: readonly FileMapping[];
  readonly faults: readonly SourceFault[];
}

export function readMappingFolder(directory: string, rules: WritingRules): MappingFolder {
  const folder = readFolder(directory);
  const { mappings, faults } = readMappings(folder.mappingFiles, rules);
  const all = [...folder.faults, ...faults];
  if (folder.mappingFiles.length === 0 && all.length === 0) {
    // More likely the wrong folder than a wish to have no mapping at all.
    const detail = 'holds no role mapping: no file but *.test.yaml ends in .yaml or .yml';
    all.push(fileFault(directory, detail));
  }
  return { folder, mappings, faults: all };
}

export interface MappingSource {
  readonly config: Config;
  /** Folder with mappings; undefined reads the table. */
  readonly mappings: string | undefined;
  readonly output: Output;
  readonly terminal: Terminal;
}

/**
 * Of a folder, or of the table. Undefined after the faults were printed.
 *
 * @throws BrokerError `table_unavailable`
 */
export async function mappingsFrom({
  config,
  mappings: folder,
  output,
  terminal,
}: MappingSource): Promise<readonly RoleMapping[] | undefined> {
  if (folder === undefined) {
    const { rows } = await withMappingTable(config, (table) => loadWithProgress(table, terminal));
    return [...rows.values()].map(({ stored }) => stored.mapping);
  }
  const { mappings, faults } = readMappingFolder(folder, writingRules(config));
  for (const { file, line, col, pointer, detail } of faults) {
    output.err(`${printable(`${file}:${line}:${col}: ${pointer} ${detail}`)}\n`);
  }
  return faults.length === 0 ? mappings.map(({ mapping }) => mapping) : undefined;
}
