/** The local stack as variables of a shell, under the names that the commands of the documentation use. */

import type { LocalEnvironment } from './local-environment.ts';

type Ready = LocalEnvironment['ready'];

/** Lines for `eval`; whatever is in a value, it is text to the shell. */
export function shellVariables(ready: Ready, configFile: string): string {
  const orders = ready.clients.find(({ name }) => name === 'orders');
  const variables: readonly (readonly [name: string, value: string])[] = [
    ['BROKER', ready.broker],
    ['ADMIN_URL', ready.admin],
    ['OPS', ready.ops],
    ['TOKEN_ENDPOINT', ready.tokenEndpoint],
    ['CONFIG', configFile],
    ['ISSUER', ready.issuer],
    ['STS', ready.sts],
    ['DYNAMODB', ready.dynamodb],
    ['TABLE', ready.table],
    ['IAM', ready.iam],
    ['ISSUER_ORIGIN', new URL(ready.issuer).origin],
    ['TOKEN_BROKER_ADMIN_URL', ready.admin],
    ['CLIENT_ID', orders?.clientId ?? ''],
    ['CLIENT_SECRET', orders?.clientSecret ?? ''],
    ...ready.clients.flatMap(ofClient),
  ];
  return variables.map(([name, value]) => `export ${name}=${quoted(value)}\n`).join('');
}

function ofClient({ name, clientId, clientSecret }: Ready['clients'][number]) {
  const prefix = name.toUpperCase();
  return [
    [`${prefix}_CLIENT_ID`, clientId],
    [`${prefix}_CLIENT_SECRET`, clientSecret],
  ] as const;
}

/** POSIX shell, section 2.2.2: within single quotes nothing is special but their end. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
