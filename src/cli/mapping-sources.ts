/** Role mappings of a folder for a command: read whole, or refused with every fault. */

import type { WritingRules } from '../core/policy/mapping-check.ts';
import type { SourceFault } from '../kit/yaml/source-fault.ts';
import { type FolderContents, readFolder } from '../mapping-files/folder.ts';
import { type FileMapping, readMappings } from '../mapping-files/read-mappings.ts';

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
    all.push({ file: directory, line: 1, col: 1, pointer: '', detail });
  }
  return { folder, mappings, faults: all };
}
