/**
 * `token-broker credential-process`: one JSON object on standard output, as AWS SDKs and the AWS CLI read it ("Sourcing
 * credentials with an external process" in the AWS CLI user guide).
 */

import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { BrokerCredentials } from '../../client/broker-client.ts';
import { callerVariables } from '../../config/caller-variables.ts';
import { CredentialFolder } from '../../disk-cache/credential-folder.ts';
import { jsonLine } from '../../kit/json/ascii-json.ts';
import { systemClock, toRfc3339 } from '../../kit/timing/clock.ts';
import { addCallerOptions, type CallerArguments, readCallerArguments } from '../caller-options.ts';
import type { ProcessEdge } from '../edge.ts';
import { exitCodes, type Output, refuse } from '../output.ts';
import { printable } from '../printable.ts';
import { type SharedCredentialsOptions, sharedCredentials } from '../shared-credentials.ts';

interface CredentialProcessArguments extends CallerArguments {
  readonly cacheDir?: string;
  /** False with --no-cache. */
  readonly cache: boolean;
  readonly timeout: number;
}

export function addCredentialProcessCommand(program: Command, edge: ProcessEdge): void {
  const command = program
    .command('credential-process')
    .description('print session credentials for credential_process of an AWS profile');
  addCallerOptions(command)
    .addOption(
      new Option('--cache-dir <dir>', 'default: token-broker in XDG_CACHE_HOME or ~/.cache').env(
        callerVariables.cacheDirectory,
      ),
    )
    .option('--no-cache', 'keep nothing on disk')
    .option('--timeout <seconds>', 'for each request', parseTimeout, 5)
    .addHelpText(
      'after',
      `
Examples:
  token-broker credential-process --broker https://broker.example.com --role orders-writer --token-file /run/orders/jwt

In ~/.aws/config (one line each):
  [profile orders]
  credential_process = token-broker credential-process --broker https://broker.example.com --role orders-writer --token-file /run/orders/jwt

  [profile billing]
  credential_process = token-broker credential-process --broker https://broker.example.com --role billing-reader --token-endpoint https://example.auth.us-east-1.amazoncognito.com/oauth2/token --client-id 4abc0exampleclientid --client-secret-file /etc/billing/client-secret

Exit codes: 0 credentials are on standard output, 1 there are none and standard error says why, 2 wrong usage.`,
    )
    .action(async (args: CredentialProcessArguments) => {
      const request = readCallerArguments(command, args);
      edge.finish(
        await credentialProcess({
          request,
          cacheDirectory: args.cache ? cacheDirectory(args.cacheDir, edge) : undefined,
          timeoutMs: args.timeout * 1000,
          clock: systemClock,
          output: edge.output,
        }),
      );
    });
}

/** XDG Base Directory Specification: a path that is not absolute is to be ignored. */
function cacheDirectory(argument: string | undefined, { env }: ProcessEdge): string | undefined {
  if (argument !== undefined && argument !== '') return resolve(argument);
  const { XDG_CACHE_HOME: base = '' } = env;
  if (base.startsWith('/')) return join(base, 'token-broker');
  try {
    return join(homedir(), '.cache', 'token-broker');
  } catch {
    // Containers run users that no file knows.
    return undefined;
  }
}

function parseTimeout(text: string): number {
  const seconds = Number(text);
  if (!/^\d{1,2}$/.test(text) || seconds === 0)
    throw new InvalidArgumentError('Use 1 to 99 seconds.');
  return seconds;
}

export interface CredentialProcessOptions extends SharedCredentialsOptions {
  /** Undefined: nothing is kept. */
  readonly cacheDirectory: string | undefined;
  readonly output: Output;
}

/** Exit code: 0 with credentials on standard output; 1 with one line on standard error. */
export async function credentialProcess(options: CredentialProcessOptions): Promise<number> {
  const { cacheDirectory: path, clock, output } = options;
  const folder = path === undefined ? undefined : new CredentialFolder({ path, clock });
  try {
    const credentials = await sharedCredentials(options, folder);
    if (folder?.fault !== undefined) {
      output.err(`${printable(`The cache in ${path} is not used: ${folder.fault}`)}\n`);
    }
    output.out(jsonLine(printed(credentials)));
    return exitCodes.ok;
  } catch (error) {
    const message = error instanceof Error ? error.message : 'failed';
    return refuse(output, `token-broker: ${message}`);
  }
}

function printed({ expiration, ...credentials }: BrokerCredentials) {
  return {
    Version: 1,
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    SessionToken: credentials.sessionToken,
    Expiration: toRfc3339(expiration.getTime()),
    AccountId: credentials.accountId,
  };
}
