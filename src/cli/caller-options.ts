/** How a command line says which broker is asked, for which role, and as whom. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { credentialsUrl, type TokenBrokerError } from '../client/broker-client.ts';
import { callerVariables } from '../config/caller-variables.ts';
import { maxDurationSeconds, minDurationSeconds } from '../core/aws-names.ts';

export interface CallerArguments {
  readonly broker?: string;
  readonly role?: string;
  readonly duration?: number;
  readonly tokenFile?: string;
  readonly tokenEndpoint?: string;
  readonly clientId?: string;
  readonly clientSecretFile?: string;
  readonly scope?: readonly string[];
}

/** What to ask a broker for, and as whom. */
export interface CallerRequest {
  readonly broker: string;
  readonly role: string | undefined;
  readonly durationSeconds: number | undefined;
  readonly identity: CallerIdentity;
}

export type CallerIdentity =
  | { readonly kind: 'token-file'; readonly tokenFile: string }
  | {
      readonly kind: 'app-client';
      readonly tokenEndpoint: string;
      readonly clientId: string;
      readonly clientSecretFile: string;
      readonly scopes: readonly string[];
    };

export function addCallerOptions(command: Command): Command {
  const { broker, role, duration, tokenFile, tokenEndpoint, clientId, clientSecretFile, scopes } =
    callerVariables;
  const options = [
    new Option('--broker <url>', 'api listener of the broker').env(broker),
    new Option('--role <role>', 'id of a mapping or ARN of a role').env(role),
    new Option('--duration <seconds>', 'lifetime to ask for; default: that of the mapping')
      .env(duration)
      .argParser(parseDuration),
    new Option('--token-file <file>', 'JWT of the caller, read anew each time').env(tokenFile),
    new Option('--token-endpoint <url>', 'instead: token endpoint of the user pool').env(
      tokenEndpoint,
    ),
    new Option('--client-id <id>', 'app client with the client_credentials grant').env(clientId),
    new Option('--client-secret-file <file>', 'its secret').env(clientSecretFile),
    new Option('--scope <scope>', 'scope to ask for; may be repeated; default: all it has')
      .env(scopes)
      .argParser(collectScopes),
  ];
  for (const option of options) command.addOption(option);
  return command;
}

/** Ends with a usage error unless the arguments say all that is needed, and say it once. */
export function readCallerArguments(command: Command, args: CallerArguments): CallerRequest {
  const { broker = '', role = '', duration } = args;
  if (broker === '') fail(command, `--broker (or ${callerVariables.broker}) is required`);
  try {
    credentialsUrl(broker);
  } catch (error) {
    fail(command, (error as TokenBrokerError).message);
  }
  return {
    broker,
    // A variable that is set to nothing is as good as none.
    role: role === '' ? undefined : role,
    durationSeconds: duration,
    identity: readIdentity(command, args),
  };
}

function readIdentity(command: Command, args: CallerArguments): CallerIdentity {
  const {
    tokenFile = '',
    tokenEndpoint = '',
    clientId = '',
    clientSecretFile = '',
    scope: scopes = [],
  } = args;
  const client = [tokenEndpoint, clientId, clientSecretFile];
  if (tokenFile !== '' && client.every((part) => part === '')) {
    return { kind: 'token-file', tokenFile };
  }
  if (tokenFile === '' && client.every((part) => part !== '')) {
    return { kind: 'app-client', tokenEndpoint, clientId, clientSecretFile, scopes };
  }
  return fail(
    command,
    'say as whom: either --token-file, or --token-endpoint, --client-id and --client-secret-file',
  );
}

function fail(command: Command, message: string): never {
  return command.error(`error: ${message}`);
}

function parseDuration(text: string): number | undefined {
  if (text === '') return undefined;
  const seconds = Number(text);
  if (!/^\d{3,5}$/.test(text) || seconds < minDurationSeconds || seconds > maxDurationSeconds) {
    throw new InvalidArgumentError(`Use ${minDurationSeconds} to ${maxDurationSeconds} seconds.`);
  }
  return seconds;
}

/** A variable holds all of them, with blanks in between, as RFC 6749 section 3.3 writes scopes. */
function collectScopes(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...text.split(' ').filter((scope) => scope !== '')];
}
