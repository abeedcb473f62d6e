import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { stringify } from 'yaml';
import { isManagedByGit } from '../../../core/policy/managed-by-git.ts';
import { roleMappingSchema } from '../../../core/policy/role-mapping.ts';
import { errorCodeOf } from '../../../kit/files/error-code.ts';
import { readGivenFileSync } from '../../../kit/files/given-file.ts';
import { FileRefusedError } from '../../../kit/files/regular-file.ts';
import { replaceFileSync } from '../../../kit/files/replace-file.ts';
import { isJsonObject } from '../../../kit/json/json-object.ts';
import { systemClock, toRfc3339 } from '../../../kit/timing/clock.ts';
import { faultLine } from '../../../kit/yaml/source-fault.ts';
import { parseYaml } from '../../../kit/yaml/yaml-documents.ts';
import { mappingYaml } from '../../../mapping-files/mapping-yaml.ts';
import { duration } from '../../audit-search.ts';
import { exitCodes } from '../../output.ts';
import { printable } from '../../printable.ts';
import { mappingVersion } from '../admin-answers.ts';
import { AdminApiError } from '../admin-api.ts';
import {
  type AdminQuestion,
  type AdminResult,
  adminCommand,
  mappingIdArgument,
  UsageError,
} from '../admin-command.ts';
import { addEditOptions, carryOut, type EditOptions, editExitCodes, flag } from '../edit.ts';
import { documentOf } from './versions.ts';

interface EditMappingOptions extends EditOptions {
  readonly file?: string;
  /** Milliseconds. */
  readonly for?: number;
  readonly override?: boolean;
  readonly propose?: boolean;
}

const maxBytes = 256 * 1024;

export const editMapping = adminCommand<EditMappingOptions>({
  name: 'edit',
  description: 'edit a role mapping in an editor, look at what changes, and write it',
  configure(command) {
    addEditOptions(
      command
        .argument(
          '<id>',
          'id of the role mapping; a new one is created from --file',
          mappingIdArgument,
        )
        .option('--file <file>', 'what it is to say (YAML), instead of an editor')
        .option(
          '--for <duration>',
          'it ends so long from now: 8h, 1d; without an editor',
          grantTime,
        )
        .option('--override', 'although the mapping is managed from Git, which will say otherwise')
        .option('--propose', 'let a second administrator decide, also where none is needed'),
    );
  },
  examples: [
    "token-broker mappings edit orders-writer --reason 'ORD-12: longer sessions'",
    "token-broker mappings edit orders-writer --file orders-writer.yaml --reason 'ORD-12' --dry-run",
    "token-broker mappings edit orders-writer --for 1d --reason 'ORD-13: for the migration' --dry-run",
  ],
  exitCodes: editExitCodes,
  async run(question) {
    const { args, options } = question;
    const [id = ''] = args;
    const current = await currentOf(question, id);
    if (options.file !== undefined || options.for !== undefined) {
      return await write(question, current, options.file);
    }
    const draft = await inEditor(question, id, existing(current, id).text);
    let result: AdminResult | undefined;
    try {
      result = await write(question, current, draft);
      return result;
    } finally {
      // What waits for a second administrator is kept by the broker.
      const isTaken = result?.code === exitCodes.ok || result?.code === exitCodes.waiting;
      if (isTaken && options.dryRun !== true)
        rmSync(dirname(draft), { recursive: true, force: true });
      else question.note(`Your text is kept: go on with --file ${draft}`);
    }
  },
});

async function write(
  question: AdminQuestion<EditMappingOptions>,
  current: Current | undefined,
  file: string | undefined,
): Promise<AdminResult> {
  const [id = ''] = question.args;
  const { override, propose } = question.options;
  const text = file === undefined ? undefined : readText(file);
  if (text !== undefined && text === current?.text && question.options.for === undefined) {
    question.note('Nothing was changed.');
    return { document: null, text: () => '', code: exitCodes.ok };
  }
  const precondition: Readonly<Record<string, string>> =
    current === undefined ? { 'if-none-match': '*' } : { 'if-match': current.etag };
  const edit = {
    what: `${current === undefined ? 'Create' : 'Replace'} ${id}`,
    method: 'PUT',
    path: `/v1/role-mappings/${id}`,
    headers: precondition,
    query: { override: flag(override), propose: flag(propose) },
    body: ending(
      text === undefined
        ? existing(current, id).document
        : onItsSide(parseDocument(file ?? '', text), current),
      question.options.for,
    ),
  } as const;
  try {
    return await carryOut(edit, question);
  } catch (error) {
    throw error instanceof AdminApiError && error.status === 412 ? overtaken(error, id) : error;
  }
}

interface Current {
  readonly etag: string;
  readonly document: unknown;
  readonly text: string;
}

/** Undefined if there is no such mapping. */
async function currentOf(
  { api }: AdminQuestion<EditMappingOptions>,
  id: string,
): Promise<Current | undefined> {
  try {
    const path = `/v1/role-mappings/${id}` as const;
    const { answer, etag = '' } = await api.ask({ path, answer: mappingVersion });
    const document = documentOf(answer);
    const known = roleMappingSchema.safeParse(document);
    // What this version does not know must not be lost by editing.
    const text = known.success
      ? mappingYaml(known.data, 'api')
      : stringify(document, { lineWidth: 0 });
    return { etag, document, text };
  } catch (error) {
    if (error instanceof AdminApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** @throws UsageError */
function existing(current: Current | undefined, id: string): Current {
  if (current !== undefined) return current;
  throw new UsageError(
    `There is no role mapping ${id}: write it into a file, and name that with --file.`,
  );
}

/** Files for Git do not say that it manages them; to the API that would say that Git does so no longer. */
function onItsSide(document: unknown, current: Current | undefined): unknown {
  const isOfGit = isManagedByGit(current?.document);
  if (!isOfGit || !isJsonObject(document) || Object.hasOwn(document, 'managedBy')) return document;
  return { ...document, managedBy: 'git' };
}

/** The grant ends by itself, so long from now. */
function ending(document: unknown, ms: number | undefined): unknown {
  if (ms === undefined || !isJsonObject(document)) return document;
  const { conditions } = document;
  const expiresAt = toRfc3339(systemClock.now() + ms);
  return {
    ...document,
    conditions: { ...(isJsonObject(conditions) ? conditions : {}), expiresAt },
  };
}

const maxGrantMs = 366 * 24 * 3_600_000;

function grantTime(text: string): number {
  const ms = duration(text);
  if (ms > 0 && ms <= maxGrantMs) return ms;
  throw new InvalidArgumentError('Use a time of at most a year, such as 8h or 1d.');
}

async function inEditor(
  { env, terminal }: AdminQuestion<EditMappingOptions>,
  id: string,
  text: string,
): Promise<string> {
  const { VISUAL: visual = '', EDITOR: other = '' } = env;
  const editor = visual === '' ? other : visual;
  if (terminal.ask === undefined || editor === '') {
    throw new UsageError(
      'An editor needs a terminal, and its name in VISUAL or EDITOR. Or name a file with --file.',
    );
  }
  // Of this user alone, under a name that nobody can foresee.
  const folder = mkdtempSync(join(tmpdir(), 'token-broker-edit-'));
  const path = join(folder, `${id}.yaml`);
  replaceFileSync(path, text);
  const code = await edited(editor, path);
  if (code !== exitCodes.ok) {
    rmSync(folder, { recursive: true, force: true });
    throw new UsageError(`The editor ended with ${code}: nothing was done.`);
  }
  return path;
}

/** By a shell, because people write arguments into these variables; the path is never part of what it reads. */
function edited(editor: string, path: string): Promise<number | string> {
  const child = spawn('sh', ['-c', `${editor} "$1"`, 'sh', path], { stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'nothing'));
  });
}

function readText(path: string): string {
  try {
    return readGivenFileSync(path, maxBytes).toString('utf8');
  } catch (error) {
    const why = error instanceof FileRefusedError ? error.fault : errorCodeOf(error);
    throw new UsageError(`${path} cannot be read (${why}).`);
  }
}

/** The broker says what is wrong with a mapping; whether it is one document of YAML is said here, with line and column. */
function parseDocument(path: string, text: string): unknown {
  const { documents, faults } = parseYaml({ path, text });
  const [document, another] = documents;
  if (faults.length > 0)
    throw new UsageError(faults.map((fault) => printable(faultLine(fault))).join('\n'));
  if (document === undefined || another !== undefined) {
    throw new UsageError(`${path} must hold one role mapping.`);
  }
  return document.value;
}

function overtaken({ message, status }: AdminApiError, id: string): AdminApiError {
  return new AdminApiError(
    `Somebody else changed ${id} meanwhile: token-broker mappings diff ${id} shows what.\n${message}`,
    status,
  );
}
