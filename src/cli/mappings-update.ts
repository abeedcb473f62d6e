/** `mappings export --update`: brings into the files of a folder what was changed outside of Git, and nothing else. */

import { chmodSync, lstatSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writingRules } from '../config/mapping-rules.ts';
import type { Config } from '../config/schema.ts';
import { isFreezeId } from '../core/policy/freeze.ts';
import { isManagedByGit } from '../core/policy/managed-by-git.ts';
import type { RoleMapping } from '../core/policy/role-mapping.ts';
import { roleMappingSchema } from '../core/policy/role-mapping.ts';
import { replaceFileSync } from '../kit/files/replace-file.ts';
import { documentChanges } from '../kit/json/document-changes.ts';
import { isJsonObject } from '../kit/json/json-object.ts';
import { dotted } from '../kit/json/json-pointer.ts';
import type { SourceFile } from '../kit/yaml/yaml-documents.ts';
import { readSource } from '../mapping-files/folder.ts';
import type { HandEdits } from '../mapping-files/hand-edits.ts';
import type { CurrentRow } from '../mapping-files/mapping-plan.ts';
import { mappingYaml } from '../mapping-files/mapping-yaml.ts';
import { type FileMapping, readMappings } from '../mapping-files/read-mappings.ts';
import { rewrittenYaml } from '../mapping-files/rewritten-yaml.ts';
import { takenOver } from '../mapping-files/taken-over-edits.ts';
import { type HandEditsById, handEditsIn } from './mapping-histories.ts';
import { faultReport } from './mapping-report.ts';
import { readMappingFolder } from './mapping-sources.ts';
import { contentsOf, loadWithProgress, withMappingTable } from './mapping-table.ts';
import { exitCodes, type Output } from './output.ts';
import { inLines, printable } from './printable.ts';
import type { Terminal } from './terminal.ts';
import { whoAndWhy } from './who-and-why.ts';

export interface MappingsUpdateOptions {
  readonly config: Config;
  readonly directory: string;
  /** Of these owners only; empty: of all. */
  readonly owners: readonly string[];
  readonly output: Output;
  readonly terminal: Terminal;
}

/**
 * Exit code: 0 the files have what was changed outside of Git; 1 not all of it, or nothing was written.
 *
 * @throws BrokerError `table_unavailable`
 */
export async function mappingsUpdate(options: MappingsUpdateOptions): Promise<number> {
  const { config, directory, owners, output, terminal } = options;
  const rules = writingRules(config);
  const { folder, mappings, faults } = readMappingFolder(directory, rules);
  if (faults.length > 0) {
    output.err(`${faultReport(faults)}Nothing was written.\n`);
    return exitCodes.failed;
  }
  const { files, rows, handEdits } = await withMappingTable(config, async (table) => {
    const loaded = await loadWithProgress(table, terminal);
    const concerned = concernedOf(owners, mappings, contentsOf(loaded).rows);
    const ids = idsToLookAt(concerned.files, concerned.rows);
    return { ...concerned, handEdits: await handEditsIn(table, { ids, loaded }, terminal) };
  });
  // With the files of all owners: what is written must be valid beside them.
  const draft = new Draft(directory, folder.mappingFiles);
  const byId = new Map(rows.map((row) => [row.id, row]));
  for (const file of files) bring(file, byId.get(file.mapping.id), { handEdits, draft });
  const inFiles = new Set(files.map(({ mapping }) => mapping.id));
  for (const row of rows.filter(({ id }) => !inFiles.has(id))) bringNew(row, { handEdits, draft });
  const wrong = readMappings(draft.files(), rules).faults;
  if (wrong.length > 0) {
    output.err(`${faultReport(wrong)}The files would not be valid: nothing was written.\n`);
    return exitCodes.failed;
  }
  return draft.write(output);
}

/** Whose a mapping is the table says; where it is in a file only, the file. */
function concernedOf(
  owners: readonly string[],
  mappings: readonly FileMapping[],
  rows: readonly CurrentRow[],
) {
  const documents = new Map(rows.map(({ id, document }) => [id, document]));
  return {
    files: mappings.filter(({ mapping }) => isOf(owners, documents.get(mapping.id) ?? mapping)),
    rows: rows.filter(({ document }) => isOf(owners, document)),
  };
}

/** Those that differ, and those of Git that are in no file. */
function idsToLookAt(
  mappings: readonly FileMapping[],
  rows: readonly CurrentRow[],
): readonly string[] {
  const documents = new Map(rows.map(({ id, document }) => [id, document]));
  const differing = mappings.filter(
    ({ mapping }) => documentChanges(documents.get(mapping.id) ?? {}, mapping).length > 0,
  );
  const inFiles = new Set(mappings.map(({ mapping }) => mapping.id));
  const others = rows.filter(
    ({ id, document }) => !inFiles.has(id) && !isFreezeId(id) && isManagedByGit(document),
  );
  return [...differing.map(({ mapping }) => mapping.id), ...others.map(({ id }) => id)];
}

function isOf(owners: readonly string[], document: unknown): boolean {
  if (owners.length === 0) return true;
  return isJsonObject(document) && owners.includes(String(document['owner']));
}

function bring(
  { mapping, document }: FileMapping,
  row: CurrentRow | undefined,
  { handEdits, draft }: { readonly handEdits: HandEditsById; readonly draft: Draft },
): void {
  const { id, managedBy } = mapping;
  const byHand = handEdits.get(id);
  if (row === undefined) {
    if (byHand !== undefined) draft.rewrite(document.file, id, undefined, byHand);
    return;
  }
  // What the API manages is in a file to be read: the file follows.
  const base = managedBy === 'api' ? mapping : byHand?.base;
  if (byHand === undefined && managedBy !== 'api') return;
  if (documentChanges(row.document, mapping).length === 0) return;
  if (!isJsonObject(row.document) || !isJsonObject(document.value)) {
    draft.refuse(id, 'its row cannot be read');
    return;
  }
  const sides = { file: mapping, base: base ?? {}, row: row.document };
  const { document: target, conflicts } = takenOver(document.value, sides);
  if (conflicts.length > 0) {
    const where = conflicts.map(dotted).join(', ');
    draft.refuse(id, `${where} was changed in the file as well as outside of Git: decide by hand`);
    return;
  }
  draft.rewrite(document.file, id, target, byHand);
}

/** A mapping of Git that somebody made outside of it. */
function bringNew(
  { id, document }: CurrentRow,
  { handEdits, draft }: { readonly handEdits: HandEditsById; readonly draft: Draft },
): void {
  const byHand = handEdits.get(id);
  if (byHand === undefined) return;
  const mapping = roleMappingSchema.safeParse(document);
  if (mapping.success) draft.add(mapping.data, byHand);
  else draft.refuse(id, 'its row cannot be read');
}

/** The files as they are to be; nothing is written before all of it is known. */
class Draft {
  readonly #directory: string;
  readonly #before: ReadonlyMap<string, string>;
  readonly #texts: Map<string, string>;
  readonly #notes: string[] = [];
  readonly #refusals: string[] = [];

  constructor(directory: string, files: readonly SourceFile[]) {
    this.#directory = directory;
    this.#before = new Map(files.map(({ path, text }) => [path, text]));
    this.#texts = new Map(this.#before);
  }

  rewrite(
    path: string,
    id: string,
    target: Parameters<typeof rewrittenYaml>[2],
    byHand: HandEdits | undefined,
  ): void {
    // What it leads to may be outside of the folder.
    if (lstatSync(path).isSymbolicLink()) {
      this.refuse(id, `${path} is a link: update the file itself`);
      return;
    }
    const text = rewrittenYaml(this.#texts.get(path) ?? '', id, target);
    if (text === undefined) {
      this.refuse(id, `${path} cannot be brought to say it: edit it by hand`);
      return;
    }
    this.#texts.set(path, text);
    this.#note(path, id, byHand);
  }

  /** A mapping that is in no file. */
  add(mapping: RoleMapping, byHand: HandEdits): void {
    const path = join(this.#directory, `${mapping.id}.yaml`);
    const taken = lstatSync(path, { throwIfNoEntry: false }) !== undefined;
    if (taken || !statSync(this.#directory).isDirectory()) {
      this.refuse(mapping.id, `${path} cannot be made: put the mapping into a file by hand`);
      return;
    }
    this.#texts.set(path, mappingYaml(mapping));
    this.#note(path, mapping.id, byHand);
  }

  refuse(id: string, why: string): void {
    this.#refusals.push(printable(`${id} is left as it is: ${why}`));
  }

  #note(path: string, id: string, byHand: HandEdits | undefined): void {
    const [newest] = byHand?.edits ?? [];
    const why = newest === undefined ? 'as the API has it' : whoAndWhy(newest);
    this.#notes.push(printable(`${path}: ${id}, ${why}`));
  }

  files(): readonly SourceFile[] {
    return [...this.#texts]
      .filter(([, text]) => text !== '')
      .map(([path, text]) => ({ path, text }));
  }

  write({ out, err }: Output): number {
    for (const [path, text] of this.#texts) {
      if (text !== this.#before.get(path)) replace(path, this.#before.get(path), text);
    }
    err(inLines(this.#refusals));
    out(
      this.#notes.length === 0
        ? 'Nothing to bring into the files.\n'
        : `${inLines(this.#notes)}Look at git diff, and commit.\n`,
    );
    return this.#refusals.length === 0 ? exitCodes.ok : exitCodes.failed;
  }
}

/** Only what is still as it was read. */
function replace(path: string, before: string | undefined, text: string): void {
  if (before === undefined) {
    writeFileSync(path, text, { flag: 'wx' });
    return;
  }
  const now = readSource(path);
  if (!('text' in now) || now.text !== before) {
    throw new Error(`${path} was changed meanwhile: look at git diff, and begin again.`);
  }
  if (text === '') {
    rmSync(path);
    return;
  }
  const { mode } = statSync(path);
  replaceFileSync(path, text);
  chmodSync(path, mode & 0o777);
}
