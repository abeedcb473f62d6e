/**
 * A command by the admin API, as a value: its command line, its examples, and what it asks. What all of them share is
 * here: where the API is, whose token, how the result is printed, and what the exit codes mean.
 */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { TokenBrokerError } from '../../client/broker-client.ts';
import { readTokenFile } from '../../client/token-file.ts';
import { callerVariables } from '../../config/caller-variables.ts';
import { isMappingId } from '../../core/policy/role-mapping.ts';
import { FileRefusedError } from '../../kit/files/regular-file.ts';
import { type Clock, systemClock } from '../../kit/timing/clock.ts';
import { helpText, type ProcessEdge, usageFails } from '../edge.ts';
import { exitCodes } from '../output.ts';
import { type OutputFormat, outputFormats, printDocument } from '../output-format.ts';
import { type Paint, paintFor } from '../paint.ts';
import { printable } from '../printable.ts';
import type { Terminal } from '../terminal.ts';
import { AdminApi, AdminApiError, adminUrl } from './admin-api.ts';
import { readSession, sessionFile } from './session.ts';
import { Withheld } from './withheld.ts';

export interface AdminCommand<Options extends object = object> {
  readonly name: string;
  readonly description: string;
  /** Adds options and checks of arguments. */
  configure?(command: Command): void;
  readonly examples: readonly string[];
  /** What this command line asks no broker for; undefined: it does. @throws UsageError */
  offline?(
    question: Omit<AdminQuestion<Options>, 'api'>,
    edge: ProcessEdge,
  ): Promise<AdminResult | undefined>;
  /** Before `1 refused or no answer`, where the default does not say it all. */
  readonly exitCodes?: string;
  /** Exit code of wrong usage, where 2 has another meaning. */
  readonly usageCode?: typeof exitCodes.failed;
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
  /** For a token that is read here, or a secret. */
  readonly withheld: Withheld;
}

export interface AdminResult {
  /** What -o json and -o yaml print. */
  readonly document: unknown;
  /** What people read: lines that hold nothing that could act on a terminal. */
  readonly text: (paint: Paint) => string;
  /** Default: 0. */
  readonly code?: number | undefined;
}

/** The command line cannot be used; the message says what to write, in lines in which others have no line feed. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Where the API is, and whose token. */
export interface ConnectionOptions {
  readonly adminUrl?: string;
  readonly adminTokenFile?: string;
}

interface CommonOptions extends ConnectionOptions {
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
  if (command.usageCode !== undefined) usageFails(added);
  addConnectionOptions(added)
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

export function addConnectionOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--admin-url <url>', 'admin listener of the broker').env(callerVariables.adminUrl),
    )
    .addOption(
      new Option('--admin-token-file <file>', 'token of an administrator').env(
        callerVariables.adminTokenFile,
      ),
    );
}

async function runAdminCommand(
  command: AdminCommand,
  added: Command,
  edge: ProcessEdge,
  clock: Clock,
): Promise<number> {
  const { env } = edge;
  const withheld = new Withheld();
  const output = withheld.output(edge.output);
  const terminal = withheld.terminal(edge.terminal);
  const options = added.opts<CommonOptions>();
  const note = (text: string) => output.err(`${printable(text)}\n`);
  try {
    const args = added.processedArgs.filter((arg) => arg !== undefined).map(String);
    const question = { args, options, terminal, env, note, withheld };
    const result =
      (await command.offline?.(question, edge)) ??
      (await command.run({ ...question, api: connect(options, { env, withheld }, clock) }));
    output.out(
      options.output === 'table'
        ? result.text(paintFor(terminal))
        : printDocument(result.document, options.output),
    );
    return result.code ?? exitCodes.ok;
  } catch (error) {
    for (const line of refusalLines(error)) note(line);
    const isRefused = error instanceof AdminApiError;
    return isRefused ? exitCodes.failed : (command.usageCode ?? exitCodes.usage);
  }
}

/** What a broker, or this command line, has against it. Another error is thrown again. */
export function refusalLines(error: unknown): readonly string[] {
  // The last two: a file that holds no token, or one that somebody else may have written or read.
  const known = [AdminApiError, UsageError, TokenBrokerError, FileRefusedError];
  if (!known.some((kind) => error instanceof kind)) throw error;
  return wordsOf(error as Error);
}

/** @throws UsageError, FileRefusedError */
export function connect(
  { adminUrl: text = '', adminTokenFile = '' }: ConnectionOptions,
  { env, withheld }: Pick<AdminQuestion<object>, 'env' | 'withheld'>,
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
    const token = async () => withheld.keep(await readTokenFile(adminTokenFile));
    return new AdminApi({ url, token, clock });
  }
  if (session?.adminUrl !== url.href) {
    throw new UsageError(
      `You are not signed in at ${url.href}: token-broker login --admin-url ${url.href}, or name a file with the token of an administrator with --admin-token-file.`,
    );
  }
  const token = withheld.keep(session.token);
  return new AdminApi({ url, token: () => Promise.resolve(token), clock });
}

function wordsOf(error: Error): readonly string[] {
  const { message } = error;
  // Only these put line feeds between what they have made printable.
  const isInLines = error instanceof UsageError || error instanceof AdminApiError;
  const lines = isInLines ? message.split('\n') : [message];
  return error instanceof AdminApiError && error.status === 401
    ? [...lines, 'Sign in again with token-broker login, or get a fresh token, and try again.']
    : lines;
}

/** The id of a mapping goes into a path: it is one, or it is no id. */
export function mappingIdArgument(text: string): string {
  if (isMappingId(text)) return text;
  throw new InvalidArgumentError('Ids are lower case letters, digits and hyphens.');
}

export function versionNumber(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Use the number of a version, from 1.');
}

function helpOf({ examples, exitCodes: codes = '0 done;', usageCode }: AdminCommand): string {
  const failures =
    usageCode === undefined
      ? '1 refused or no answer, 2 wrong usage'
      : '1 refused, no answer or wrong usage';
  return helpText(examples, `${codes} ${failures}`);
}
