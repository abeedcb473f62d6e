/** Commands of the AWS CLI, as far as the doctor prints them, sent by the SDK to the emulators. */

import {
  DynamoDBClient,
  UpdateContinuousBackupsCommand,
  UpdateTableCommand,
} from '@aws-sdk/client-dynamodb';
import {
  AddClientIDToOpenIDConnectProviderCommand,
  CreateOpenIDConnectProviderCommand,
  CreateRoleCommand,
  IAMClient,
  PutRolePolicyCommand,
  UpdateAssumeRolePolicyCommand,
  UpdateRoleCommand,
} from '@aws-sdk/client-iam';
import {
  CancelKeyDeletionCommand,
  EnableKeyCommand,
  KMSClient,
  PutKeyPolicyCommand,
} from '@aws-sdk/client-kms';

export interface Endpoints {
  readonly stack: {
    readonly dynamodb: { readonly url: string };
    readonly iam?: { readonly url: string };
  };
  readonly tokenKey?: { readonly endpoint: string };
  readonly logKey?: { readonly endpoint: string };
}

interface Sender {
  /** Each command has inputs of its own, which the emulator checks. */
  readonly command: new (
    input: never,
  ) => object;
  readonly service: 'iam' | 'dynamodb' | 'kms';
}

const commands: Readonly<Record<string, Sender>> = {
  'iam create-open-id-connect-provider': {
    service: 'iam',
    command: CreateOpenIDConnectProviderCommand,
  },
  'iam add-client-id-to-open-id-connect-provider': {
    service: 'iam',
    command: AddClientIDToOpenIDConnectProviderCommand,
  },
  'iam update-assume-role-policy': { service: 'iam', command: UpdateAssumeRolePolicyCommand },
  'iam create-role': { service: 'iam', command: CreateRoleCommand },
  'iam update-role': { service: 'iam', command: UpdateRoleCommand },
  'iam put-role-policy': { service: 'iam', command: PutRolePolicyCommand },
  'dynamodb update-table': { service: 'dynamodb', command: UpdateTableCommand },
  'dynamodb update-continuous-backups': {
    service: 'dynamodb',
    command: UpdateContinuousBackupsCommand,
  },
  'kms enable-key': { service: 'kms', command: EnableKeyCommand },
  'kms cancel-key-deletion': { service: 'kms', command: CancelKeyDeletionCommand },
  'kms put-key-policy': { service: 'kms', command: PutKeyPolicyCommand },
};

/** Options whose values are not one text. */
const lists = ['client-id-list'];
const numbers = ['max-session-duration'];

/** @throws for a command or an option that there is not: the CLI would refuse it, too. */
export async function applyAwsCommand(
  [service = '', operation = '', ...words]: readonly string[],
  endpoints: Endpoints,
): Promise<void> {
  const sender = commands[`${service} ${operation}`];
  if (sender === undefined) throw new Error(`no such command: aws ${service} ${operation}`);
  const input = inputOf(words);
  const clients = clientsOf(sender.service, endpoints);
  for (const client of clients) {
    await client.send(new sender.command(input as never));
    client.destroy();
  }
}

interface Client {
  send(command: object): Promise<unknown>;
  destroy(): void;
}

function clientsOf(service: Sender['service'], endpoints: Endpoints): readonly Client[] {
  const { stack, tokenKey, logKey } = endpoints;
  const region = 'us-east-1';
  if (service === 'iam')
    return [new IAMClient({ region, endpoint: stack.iam?.url ?? '' }) as Client];
  if (service === 'dynamodb')
    return [new DynamoDBClient({ region, endpoint: stack.dynamodb.url }) as Client];
  // Each key has a service of its own here, under one name.
  return [tokenKey, logKey].flatMap((key) =>
    key === undefined ? [] : [new KMSClient({ region, endpoint: key.endpoint }) as Client],
  );
}

function inputOf(words: readonly string[]): Record<string, unknown> {
  const input: Record<string, unknown> = {};
  for (let at = 0; at < words.length; ) {
    const option = words[at]?.replace(/^--/, '') ?? '';
    const values = [];
    for (at += 1; at < words.length && !words[at]?.startsWith('--'); at += 1)
      values.push(words[at]);
    if (option === 'region') continue;
    input[memberOf(option)] = optionValue(option, values as string[]);
  }
  return input;
}

function optionValue(option: string, values: readonly string[]): unknown {
  const [first] = values;
  if (lists.includes(option)) {
    // The CLI's other form, a word for each value, lets a value be an option.
    if (values.length !== 1) throw new Error(`--${option} takes one list of JSON`);
    return JSON.parse(first ?? '');
  }
  if (first === undefined) return true;
  if (values.length > 1) throw new Error(`--${option} takes one value`);
  if (numbers.includes(option)) return Number(first);
  const shorthand = /^(\w+)=(true|false)$/.exec(first);
  return shorthand ? { [shorthand[1] ?? '']: shorthand[2] === 'true' } : first;
}

function memberOf(option: string): string {
  return option
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')
    .replace('OpenIdConnect', 'OpenIDConnect')
    .replace(/^ClientId/, 'ClientID');
}
