/** The commands of docs/aws-setup.md and docs/web-identity.md that begin with `aws`, run by the AWS CLI against moto, as far as moto has the call. */

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../commands.js';
import { motoTools, withMoto } from './moto-server.js';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const timeoutMs = 180_000;

export const setupPages = {
  name: 'setup pages',
  tools: motoTools,
  async run({ directory, say }) {
    return await withMoto({ directory, say }, ({ url, env }) =>
      paste({
        env: { ...env, AWS_ENDPOINT_URL: url, POOL_DOMAIN: 'services-of-nobody' },
        directory,
        say,
      }),
    );
  },
};

async function paste({ env, directory, say }) {
  const shell = (script) =>
    run('bash', ['--norc', '-c', `set -euo pipefail\n${script}`], {
      cwd: directory,
      env,
      timeoutMs,
    });
  const json = async (line) => JSON.parse(await shell(line));

  // As a pool comes to be: later blocks use $POOL of earlier ones, so they are one script.
  const ofPools = blocksOf('aws-setup.md').filter((block) =>
    /^(?:POOL=\$\()?aws cognito-idp create-/m.test(block),
  );
  const pool = (await shell(`{ ${ofPools.join('\n')}\n} >&2\necho "$POOL"`)).trim();
  const { UserPoolClients: clients } = await json(
    `aws cognito-idp list-user-pool-clients --user-pool-id ${pool}`,
  );
  assert.deepEqual(clients.map(({ ClientName }) => ClientName).sort(), ['broker-admins', 'orders']);
  const admins = clients.find(({ ClientName }) => ClientName === 'broker-admins').ClientId;
  const { UserPoolClient: client } = await json(
    `aws cognito-idp describe-user-pool-client --user-pool-id ${pool} --client-id ${admins}`,
  );
  assert.deepEqual(client.CallbackURLs, ['http://localhost:8400/callback']);
  assert.equal(client.ClientSecret, undefined);
  const { Users: people } = await json(
    `aws cognito-idp list-users-in-group --user-pool-id ${pool} --group-name platform-admins`,
  );
  assert.deepEqual(
    people.map(({ Username }) => Username),
    ['ada'],
  );
  say('user pool, clients and group of docs/aws-setup.md are there');

  mkdirSync(join(directory, 'aws'), { recursive: true });
  cpSync(join(repository, 'aws/web-identity.yaml'), join(directory, 'aws/web-identity.yaml'));
  mkdirSync(join(directory, 'documents/.well-known'), { recursive: true });
  writeFileSync(join(directory, 'documents/.well-known/jwks.json'), '{"keys":[]}');
  const ofIssuer = blocksOf('web-identity.md')
    .join('\n')
    .split(/\n(?! )/)
    .filter((command) => command.startsWith('aws '));
  await shell(ofIssuer.join('\n'));
  const bucket = 'token-broker-identity-111122223333';
  const head = await json(`aws s3api head-object --bucket ${bucket} --key .well-known/jwks.json`);
  assert.equal(head.ContentType, 'application/json');
  assert.equal(head.CacheControl, 'public, max-age=300');
  say('the stack of docs/web-identity.md is taken, and the documents are in its bucket');
  return `${ofPools.length} blocks of docs/aws-setup.md, ${ofIssuer.length} commands of docs/web-identity.md`;
}

/** Shell blocks of a page, without the indent of its steps. */
function blocksOf(name) {
  const page = readFileSync(join(repository, 'docs', name), 'utf8').replace(/^ {3}/gm, '');
  return [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block);
}
