/** The roles of the mappings in a folder, whatever else is right or wrong in them. */

import { existsSync } from 'node:fs';
import { roleArnPattern } from '../core/aws-names.ts';
import { isJsonObject } from '../kit/json/json-object.ts';
import { fileFault, type SourceFault } from '../kit/yaml/source-fault.ts';
import { parseYaml, type SourceDocument } from '../kit/yaml/yaml-documents.ts';
import { readFolder } from './folder.ts';
import { faultIn } from './read-mappings.ts';

const nothing = 'holds no role mapping';

export interface FolderRoles {
  readonly roles: readonly string[];
  /** Of what names no role, or cannot be read: its role is missing here. */
  readonly faults: readonly SourceFault[];
}

export function folderRoles(directory: string): FolderRoles {
  if (!existsSync(directory)) return { roles: [], faults: [fileFault(directory, nothing)] };
  const { mappingFiles, faults: ofFolder } = readFolder(directory);
  const parsed = mappingFiles.map(parseYaml);
  const found = parsed.flatMap(({ documents }) => documents.map(roleIn));
  const roles = new Set(found.flatMap((role) => (typeof role === 'string' ? [role] : [])));
  const ofDocuments = found.flatMap((role) => (typeof role === 'object' ? [role] : []));
  const faults = [...ofFolder, ...parsed.flatMap((file) => file.faults), ...ofDocuments];
  if (found.length === 0 && faults.length === 0) faults.push(fileFault(directory, nothing));
  return { roles: [...roles], faults };
}

/** Undefined for a deny of all roles. */
function roleIn(document: SourceDocument): string | SourceFault | undefined {
  const role = isJsonObject(document.value) ? document.value['role'] : undefined;
  if (role === '*') return undefined;
  if (typeof role === 'string' && roleArnPattern.test(role)) return role;
  return faultIn(document, { pointer: '/role', detail: 'is no ARN of a role' });
}
