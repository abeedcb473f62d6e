/** `local`: the whole thing on this machine, kept running for people to play with. */

import { join, resolve } from 'node:path';
import { exitCodes, type Output } from '../src/cli/output.ts';
import { replaceFile } from '../src/kit/files/replace-file.ts';
import { systemClock } from '../src/kit/timing/clock.ts';
import { type LocalEnvironment, startLocalEnvironment } from './local-environment.ts';
import { startWorkload } from './local-workload.ts';
import { lapsedRole } from './seed.ts';
import { shellVariables } from './shell-variables.ts';

export interface LocalOptions {
  readonly directory: string;
  readonly port: number;
  readonly fresh: boolean;
  readonly readyFile: string | undefined;
  readonly main: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stopRequested: Promise<string>;
  readonly output: Output;
}

export async function local(options: LocalOptions): Promise<number> {
  const { directory, readyFile, stopRequested, output } = options;
  output.err('Starting an issuer, an STS, a DynamoDB and the broker on loopback …\n');
  const environment = await startLocalEnvironment(options);
  const { ready } = environment;
  const workload = startWorkload({
    ready,
    client: 'reports',
    role: lapsedRole,
    clock: systemClock,
  });
  let code: number = exitCodes.ok;
  try {
    const variablesFile = join(directory, 'env');
    const variables = shellVariables(environment.ready, join(directory, 'config.yaml'));
    await replaceFile(variablesFile, variables);
    output.out(describe(environment, directory, variablesFile));
    if (readyFile !== undefined) {
      await replaceFile(resolve(readyFile), `${JSON.stringify(environment.ready)}\n`);
    }
    await Promise.race([stopRequested, environment.brokerExit]);
  } catch (error) {
    output.err(`${(error as Error).message}\n`);
    code = exitCodes.failed;
  }
  output.err('\nStopping …\n');
  workload.stop();
  await environment.stop();
  return code;
}

function describe({ ready }: LocalEnvironment, directory: string, variablesFile: string): string {
  const [orders] = ready.clients;
  const admin = ready.clients.find(({ name }) => name === 'admin');
  const clients = ready.clients
    .map(({ name, about, clientId }) => `  ${name.padEnd(9)} ${clientId}  ${about}`)
    .join('\n');
  return `
LOCAL STACK: emulators on loopback. Nothing here is AWS, and no credentials of it work anywhere else.

  console   ${ready.console}   (sign in as alice or bob)
  broker    ${ready.broker}      (admin ${ready.admin}, ops ${ready.ops})
  issuer    ${ready.issuer}
  sts       ${ready.sts}
  dynamodb  ${ready.dynamodb}   (table ${ready.table})
  iam       ${ready.iam}
  audit     ${ready.auditLog}
  trail     ${ready.cloudTrail}   (what CloudTrail would have)
  state     ${directory}   (--fresh empties it)

App clients:
${clients}

The service reports asks for reports-archiver every ten seconds, and is denied: the console says why.

In another terminal, for the commands of the README and of docs/:

  eval "$(cat '${variablesFile}')"

Get a token, then exchange it:

  TOKEN=$(curl -s -u '${orders?.clientId}:${orders?.clientSecret}' \\
    -d grant_type=client_credentials '${ready.tokenEndpoint}' | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')

  curl -s -X POST '${ready.broker}/v1/credentials' -H "Authorization: Bearer $TOKEN"
  curl -s '${ready.broker}/v1/caller' -H "Authorization: Bearer $TOKEN"
  curl -s '${ready.ops}/readyz'
  curl -s '${ready.ops}/metrics' | grep ^tokenbroker_

As an administrator:

  ADMIN=$(curl -s -u '${admin?.clientId}:${admin?.clientSecret}' \\
    -d grant_type=client_credentials '${ready.tokenEndpoint}' | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')

  curl -s '${ready.admin}/v1/role-mappings' -H "Authorization: Bearer $ADMIN"

Or by commands (docs/commands.md), signed in as alice or bob:

  node dist/main.js login --admin-url '${ready.admin}'
  node dist/main.js mappings list

Is anything wrong with its account (docs/diagnosis.md)?

  printf %s "$TOKEN" > token.jwt
  AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local node dist/main.js doctor --config '${join(directory, 'config.yaml')}' \\
    --iam-endpoint '${ready.iam}' --cognito-endpoint '${new URL(ready.issuer).origin}' --token-file token.jwt

Ctrl-C stops everything.
`;
}
