/** Service roles from a YAML file with one document per rule (docs/client-library.md). */

import { faultLine, inReadingOrder, type SourceFault } from '../kit/yaml/source-fault.ts';
import { parseYaml, type SourceFile } from '../kit/yaml/yaml-documents.ts';
import { readSource } from '../mapping-files/folder.ts';
import { faultIn } from '../mapping-files/read-mappings.ts';
import { checkServiceRole, type ServiceRoleDocument, ServiceRoles } from './service-roles.ts';

/**
 * Reads the file once, at start: its rules hold as long as the process lives.
 *
 * @throws TypeError that lists every fault of the file, as `file:line:column: what is wrong`.
 */
export function serviceRolesFromFile(path: string): ServiceRoles {
  const source = readSource(path);
  if ('detail' in source) throw new TypeError(`${path} ${source.detail}`);
  const { documents, faults } = readRules(source);
  if (faults.length > 0) throw new TypeError(inReadingOrder(faults).map(faultLine).join('\n'));
  return new ServiceRoles(documents);
}

function readRules(source: SourceFile) {
  const parsed = parseYaml(source);
  const byId = new Map<string, ServiceRoleDocument>();
  const faults: SourceFault[] = [...parsed.faults];
  for (const document of parsed.documents) {
    const check = checkServiceRole(document.value);
    if (check.kind === 'invalid') {
      faults.push(...check.faults.map((fault) => faultIn(document, fault)));
    } else if (byId.has(check.document.id)) {
      faults.push(faultIn(document, { pointer: '/id', detail: 'is the id of another rule' }));
    } else {
      byId.set(check.document.id, check.document);
    }
  }
  return { documents: [...byId.values()], faults };
}
