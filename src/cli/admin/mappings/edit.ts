import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { roleMappingSchema } from '../../../core/policy/role-mapping.ts';
import { readGivenFileSync } from '../../../kit/files/given-file.ts';
import { FileRefusedError } from '../../../kit/files/regular-file.ts';
import { replaceFileSync } from '../../../kit/files/replace-file.ts';
import { faultLine } from '../../../kit/yaml/source-fault.ts';
import { parseYaml } from '../../../kit/yaml/yaml-documents.ts';
import { mappingYaml } from '../../../mapping-files/mapping-yaml.ts';
import { exitCodes } from '../../output.ts';
import { mappingVersion } from '../admin-answers.ts';
import { AdminApiError } from '../admin-api.ts';
import {
  type AdminQuestion,
  type AdminResult,
  adminCommand,
  mappingIdArgument,
  UsageError,
} from '../admin-command.ts';
import { addEditOptions, carryOut, type EditOptions, editExitCodes } from '../edit.ts';
import { documentOf } from './versions.ts';

interface EditMappingOptions extends EditOptions {
  readonly file?: string;
  readonly override?: boolean;
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
        .option('--override', 'although the mapping is managed from Git, which will say otherwise'),
    );
  },
  examples: [
    "token-broker mappings edit orders-writer --reason 'ORD-12: longer sessions'",
    "token-broker mappings edit orders-writer --file orders-writer.yaml --reason 'ORD-12' --dry-run",
  ],
  exitCodes: editExitCodes,
  async run(question) {
    const { args, options } = question;
    const [id = ''] = args;
    const current = await currentOf(question, id);
    if (options.file !== undefined) return await write(question, current, options.file);
    const draft = await inEditor(question, id, current?.text);
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
  file: string,
): Promise<AdminResult> {
  const [id = ''] = question.args;
  const text = readText(file);
  if (text === current?.text) {
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
    query: question.options.override === true ? { override: 'true' } : {},
    body: parseDocument(file, text),
  } as const;
  try {
    return await carryOut(edit, question);
  } catch (error) {
    throw error instanceof AdminApiError && error.status === 412 ? overtaken(error, id) : error;
  }
}

interface Current {
  readonly etag: string;
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
    return { etag, text };
  } catch (error) {
    if (error instanceof AdminApiError && error.status === 404) return undefined;
    throw error;
  }
}

async function inEditor(
  { env, terminal }: AdminQuestion<EditMappingOptions>,
  id: string,
  text: string | undefined,
): Promise<string> {
  if (text === undefined) {
    throw new UsageError(
      `There is no role mapping ${id}: write it into a file, and name that with --file.`,
    );
  }
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
    const why =
      error instanceof FileRefusedError ? error.fault : (error as NodeJS.ErrnoException).code;
    throw new UsageError(`${path} cannot be read (${why}).`);
  }
}

/** The broker says what is wrong with a mapping; whether it is one document of YAML is said here, with line and column. */
function parseDocument(path: string, text: string): unknown {
  const { documents, faults } = parseYaml({ path, text });
  const [document, another] = documents;
  if (faults.length > 0) throw new UsageError(faults.map(faultLine).join('\n'));
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
