/** `token-broker login`: a token of an administrator, kept for the commands that come after. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { TokenBrokerError } from '../../../client/broker-client.ts';
import { callerVariables } from '../../../config/caller-variables.ts';
import { TokenRequestError } from '../../../identity/token-request-error.ts';
import { FileRefusedError } from '../../../kit/files/regular-file.ts';
import { type Clock, systemClock } from '../../../kit/timing/clock.ts';
import { callerToken } from '../../caller-token.ts';
import { collected, helpText, type ProcessEdge } from '../../edge.ts';
import { exitCodes } from '../../output.ts';
import { printable } from '../../printable.ts';
import { adminUrl } from '../admin-api.ts';
import { UsageError } from '../admin-command.ts';
import { keepSession, requireSessionFolder, sessionFile } from '../session.ts';
import { SignInError, signIn } from './sign-in.ts';

interface LoginOptions {
  readonly adminUrl?: string;
  readonly port: number;
  readonly tokenEndpoint?: string;
  readonly clientId?: string;
  readonly clientSecretFile?: string;
  readonly scope: readonly string[];
}

const loginExamples = [
  'token-broker login --admin-url https://broker-admin.example.com',
  'token-broker login --admin-url https://broker-admin.example.com --token-endpoint https://example.auth.us-east-1.amazoncognito.com/oauth2/token --client-id 5admin0exampleclientid --client-secret-file /run/secrets/admin',
];

/** Also in the callback URLs that docs/commands.md says to register. */
const defaultPort = 8976;

export function addLoginCommand(
  program: Command,
  edge: ProcessEdge,
  clock: Clock = systemClock,
): void {
  const command = program
    .command('login')
    .description('sign in as an administrator, for the commands by the admin API')
    .addOption(
      new Option('--admin-url <url>', 'admin listener of the broker').env(callerVariables.adminUrl),
    )
    .option(
      '--port <number>',
      'of this machine, to which the browser brings the answer',
      parsePort,
      defaultPort,
    )
    .option('--token-endpoint <url>', 'for machines: token endpoint of the user pool')
    .option('--client-id <id>', 'for machines: app client with the client_credentials grant')
    .option('--client-secret-file <file>', 'for machines: its secret')
    .option(
      '--scope <scope>',
      'for machines: scope to ask for; may be repeated; default: all it has',
      collected,
      [],
    )
    .addHelpText(
      'after',
      `
People get the address of a page to open in a browser on this machine. The token is kept in a file of this user alone, until it
ends, and is shown to that broker only.
${helpText(loginExamples, '0 signed in, 1 not signed in, 2 wrong usage')}`,
    )
    .action(async () => edge.finish(await login(command.opts<LoginOptions>(), edge, clock)));
}

async function login(
  options: LoginOptions,
  { output, env }: ProcessEdge,
  clock: Clock,
): Promise<number> {
  const note = (text: string) => output.err(`${printable(text)}\n`);
  try {
    const url = adminUrl(options.adminUrl ?? '');
    if (typeof url === 'string') throw new UsageError(url);
    const file = sessionFile(env);
    if (file === undefined) {
      throw new UsageError(`This user has no home: name a file in ${callerVariables.sessionFile}.`);
    }
    // Before somebody signs in for nothing; the folder may be another one by the time there is a token.
    requireSessionFolder(file);
    const token = await obtainToken(options, url, clock, note);
    keepSession(file, { adminUrl: url.href, token });
    output.out(`Signed in at ${printable(url.href)}. The token is kept in ${printable(file)}.\n`);
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof UsageError || error instanceof TypeError) {
      note(error.message);
      return exitCodes.usage;
    }
    const known = [SignInError, TokenRequestError, TokenBrokerError, FileRefusedError];
    if (!known.some((kind) => error instanceof kind)) throw error;
    note((error as Error).message);
    return exitCodes.failed;
  }
}

async function obtainToken(
  options: LoginOptions,
  url: URL,
  clock: Clock,
  note: (text: string) => void,
): Promise<string> {
  const { tokenEndpoint, clientId, clientSecretFile, scope: scopes, port } = options;
  if ([tokenEndpoint, clientId, clientSecretFile].every((part) => part === undefined)) {
    const show = (page: string) => {
      note('Open this page in a browser on this machine, and sign in:');
      note(page);
    };
    return await signIn({ adminUrl: url, port, clock, show });
  }
  if (tokenEndpoint === undefined || clientId === undefined || clientSecretFile === undefined) {
    throw new UsageError('A machine needs --token-endpoint, --client-id and --client-secret-file.');
  }
  const kind = 'app-client';
  const source = callerToken({ kind, tokenEndpoint, clientId, clientSecretFile, scopes });
  try {
    return await source.token();
  } finally {
    source.stop();
  }
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port === 0 || port > 65_535) {
    throw new InvalidArgumentError('Use 1 to 65535.');
  }
  return port;
}
