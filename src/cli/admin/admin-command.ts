/**
 * A command by the admin API, as a value: its command line, its examples, and what it asks. What all of them share is
 * here: where the API is, whose token, how the result is printed, and what the exit codes mean.
 */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { TokenBrokerError } from '../../client/broker-client.ts';
import { readTokenFile } from '../../client/token-file.ts';
import { callerVariables } from '../../config/caller-variables.ts';
import { roleMappingSchema } from '../../core/policy/role-mapping.ts';
import { FileRefusedError } from '../../kit/files/regular-file.ts';
import { type Clock, systemClock } from '../../kit/timing/clock.ts';
import type { ProcessEdge } from '../commands/edge.ts';
import { exitCodes } from '../output.ts';
import { type Paint, paintFor } from '../paint.ts';
import { printable } from '../printable.ts';
import type { Terminal } from '../terminal.ts';
import { AdminApi, AdminApiError, adminUrl } from './admin-api.ts';
import { type OutputFormat, outputFormats, printDocument } from './output-format.ts';
import { readSession, sessionFile } from './session.ts';

export interface AdminCommand<Options extends object = object> {
  readonly name: string;
  readonly description: string;
  /** Adds options and checks of arguments. */
  configure?(command: Command): void;
  readonly examples: readonly string[];
  /** Before `1 refused or no answer`, where the default does not say it all. */
  readonly exitCodes?: string;
  /** @throws AdminApiError, TokenBrokerError, UsageError */
  run(question: AdminQuestion<Options>): Promise<AdminResult>;
}

export interface AdminQuestion<Options> {
  readonly api: AdminApi;
  readonly args: readonly string[];
  readonly options: Options;
  readonly terminal: Terminal;
  readonly env: ProcessEdge['env'];
  /** For what belongs to no result: warnings, and what is asked about. */
  readonly note: (text: string) => void;
}

export interface AdminResult {
  /** What -o json and -o yaml print. */
  readonly document: unknown;
  /** What people read: lines that hold nothing that could act on a terminal. */
  readonly text: (paint: Paint) => string;
  /** Default: 0. */
  readonly code?: number;
}

/** The command line cannot be used; the message says what to write. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

interface CommonOptions {
  readonly adminUrl?: string;
  readonly adminTokenFile?: string;
  readonly output: OutputFormat;
}

/** For tables of commands, whose options differ. */
export function adminCommand<Options extends object>(command: AdminCommand<Options>): AdminCommand {
  return command;
}

export function addAdminCommand(
  parent: Command,
  command: AdminCommand,
  edge: ProcessEdge,
  clock: Clock = systemClock,
): void {
  const added = parent.command(command.name).description(command.description);
  command.configure?.(added);
  added
    .addOption(
      new Option('--admin-url <url>', 'admin listener of the broker').env(callerVariables.adminUrl),
    )
    .addOption(
      new Option('--admin-token-file <file>', 'token of an administrator').env(
        callerVariables.adminTokenFile,
      ),
    )
    .addOption(
      new Option('-o, --output <format>', 'how the result is printed')
        .choices(outputFormats)
        .default('table'),
    )
    .addHelpText('after', helpOf(command))
    .action(async () => {
      edge.finish(await runAdminCommand(command, added, edge, clock));
    });
}

async function runAdminCommand(
  command: AdminCommand,
  added: Command,
  { output, terminal, env }: ProcessEdge,
  clock: Clock,
): Promise<number> {
  const options = added.opts<CommonOptions>();
  const note = (text: string) => output.err(`${printable(text)}\n`);
  try {
    const args = added.processedArgs.map(String);
    const api = connect(options, env, clock);
    const result = await command.run({ api, args, options, terminal, env, note });
    output.out(
      options.output === 'table'
        ? result.text(paintFor(terminal))
        : printDocument(result.document, options.output),
    );
    return result.code ?? exitCodes.ok;
  } catch (error) {
    // The last two: a file that holds no token, or one that somebody else may have written or read.
    const unusable = [UsageError, TokenBrokerError, FileRefusedError];
    if (unusable.some((kind) => error instanceof kind)) {
      note((error as Error).message);
      return exitCodes.usage;
    }
    if (!(error instanceof AdminApiError)) throw error;
    for (const line of wordsOf(error)) note(line);
    return exitCodes.failed;
  }
}

/** @throws UsageError, FileRefusedError */
function connect(
  { adminUrl: text = '', adminTokenFile = '' }: CommonOptions,
  env: ProcessEdge['env'],
  clock: Clock,
) {
  const session = adminTokenFile === '' ? readSession(sessionFile(env)) : undefined;
  const address = text === '' ? session?.adminUrl : text;
  if (address === undefined) {
    throw new UsageError(
      `Name the admin listener of the broker with --admin-url, or in ${callerVariables.adminUrl}; or sign in with token-broker login.`,
    );
  }
  const url = adminUrl(address);
  if (typeof url === 'string') throw new UsageError(url);
  if (adminTokenFile !== '') {
    return new AdminApi({ url, token: () => readTokenFile(adminTokenFile), clock });
  }
  if (session?.adminUrl !== url.href) {
    throw new UsageError(
      `You are not signed in at ${url.href}: token-broker login --admin-url ${url.href}, or name a file with the token of an administrator with --admin-token-file.`,
    );
  }
  return new AdminApi({ url, token: () => Promise.resolve(session.token), clock });
}

function wordsOf({ message, status }: AdminApiError): readonly string[] {
  const lines = message.split('\n');
  return status === 401
    ? [...lines, 'Sign in again with token-broker login, or get a fresh token, and try again.']
    : lines;
}

/** The id of a mapping goes into a path: it is one, or it is no id. */
export function mappingIdArgument(text: string): string {
  if (roleMappingSchema.shape.id.safeParse(text).success) return text;
  throw new InvalidArgumentError('Ids are lower case letters, digits and hyphens.');
}

export function versionNumber(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Use the number of a version, from 1.');
}

function helpOf({ examples, exitCodes: codes = '0 done;' }: AdminCommand): string {
  const lines = examples.map((example) => `  ${example}\n`).join('');
  return `\nExamples:\n${lines}\nExit codes: ${codes} 1 refused or no answer, 2 wrong usage.`;
}
