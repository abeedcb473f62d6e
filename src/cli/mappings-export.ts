/** `mappings export`: what the table holds, as files that `validate` and `plan` find nothing to say about. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import type { RoleMapping } from '../core/policy/role-mapping.ts';
import type { UnreadableRow } from '../dynamodb/role-mapping-item.ts';
import { makeFolderSync } from '../kit/files/make-folder.ts';
import { whyRefused, writeNamedFileSync } from '../kit/files/named-output.ts';
import { readFolder } from '../mapping-files/folder.ts';
import { jsonSchemaFile, jsonSchemaNames, jsonSchemaText } from '../mapping-files/json-schemas.ts';
import { mappingYaml } from '../mapping-files/mapping-yaml.ts';
import { loadWithProgress, withMappingTable } from './mapping-table.ts';
import { exitCodes, type Output, refuse } from './output.ts';
import { printable, printableLines } from './printable.ts';
import type { Terminal } from './terminal.ts';

export interface MappingsExportOptions {
  readonly config: Config;
  /** Undefined: one stream to standard output. */
  readonly directory: string | undefined;
  /** Of these owners only; empty: of all. */
  readonly owners: readonly string[];
  readonly output: Output;
  readonly terminal: Terminal;
}

/**
 * Exit code: 0 everything was written; 1 a row cannot be read and is left out, or nothing was written.
 *
 * @throws BrokerError `table_unavailable`
 */
export async function mappingsExport(options: MappingsExportOptions): Promise<number> {
  const { config, directory, owners, output, terminal } = options;
  if (directory !== undefined && holdsYaml(directory)) {
    return refuse(output, `${directory} holds YAML files already: export into an empty folder.`);
  }
  const loaded = await withMappingTable(config, (table) => loadWithProgress(table, terminal));
  const mappings = [...loaded.rows.values()]
    .map(({ stored }) => stored.mapping)
    .filter(({ owner }) => owners.length === 0 || owners.includes(owner))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  if (directory === undefined) output.out(stream(mappings));
  else {
    const obstacle = whyRefused(() => writeFolder(directory, mappings, options));
    if (obstacle !== undefined) return refuse(output, obstacle);
  }
  output.err(printableLines(loaded.quarantined.map(unreadable)));
  return loaded.quarantined.length === 0 ? exitCodes.ok : exitCodes.failed;
}

const schemaFolder = 'schemas';

function holdsYaml(directory: string): boolean {
  const { mappingFiles, testFiles, faults } = readFolder(directory);
  const missing = faults.some(
    ({ file, detail }) => file === directory && detail.includes('ENOENT'),
  );
  return !missing && mappingFiles.length + testFiles.length + faults.length > 0;
}

function stream(mappings: readonly RoleMapping[]): string {
  return mappings.map((mapping) => `---\n${mappingYaml(mapping)}`).join('');
}

function writeFolder(
  directory: string,
  mappings: readonly RoleMapping[],
  { output, terminal }: MappingsExportOptions,
): void {
  makeFolderSync(join(directory, schemaFolder), 0o777);
  for (const name of jsonSchemaNames) {
    writeNamedFileSync(join(directory, schemaFolder, jsonSchemaFile(name)), jsonSchemaText(name));
  }
  const schema = `${schemaFolder}/${jsonSchemaFile('role-mapping')}`;
  for (const [index, mapping] of mappings.entries()) {
    terminal.showProgress(`${index + 1} of ${mappings.length}: ${mapping.id}`);
    const text = `# yaml-language-server: $schema=${schema}\n${mappingYaml(mapping)}`;
    // Never over what somebody put there meanwhile.
    writeFileSync(join(directory, `${mapping.id}.yaml`), text, { flag: 'wx' });
  }
  terminal.showProgress('');
  output.err(`Wrote ${mappings.length} role mappings to ${printable(directory)}\n`);
}

function unreadable({ id, faults }: UnreadableRow): string {
  const [first] = faults;
  const why = first === undefined ? '' : `: ${first.pointer} ${first.detail}`;
  return `${id} is left out: its row cannot be read${why}`;
}
