/**
 * moto's IAM, user pools and DynamoDB under `token-broker doctor`, set up and cured by the AWS CLI. Its STS checks nothing, so that what
 * STS would say is not asked.
 */

import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { outcomeOf, run } from '../commands.js';
import { motoKeys, motoTools, withMoto } from './moto-server.js';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const timeoutMs = 120_000;
const region = 'us-east-1';
const role = 'arn:aws:iam::123456789012:role/broker/orders-writer';
const client = '1orders0example0client0id0';
/** What moto can judge; the others are the local stack's. It finds out by the signature which service is asked, so that unsigned calls go astray. */
const judged = [
  ...['credentials', 'provider', 'issuer', 'audiences'],
  ...['trust-policy', 'trust-policy-open', 'session-duration', 'session-policy'],
  ...['table', 'table-recovery', 'table-deletion-protection'],
];

export const moto = {
  name: 'moto',
  tools: motoTools,
  async run({ directory, stack, say }) {
    const { issuer } = stack.urls;
    return await withMoto({ directory, say }, ({ url, env }) =>
      examine({ url, env: { ...env, AWS_ENDPOINT_URL: url }, directory, issuer, say }),
    );
  },
};

async function examine({ url, env, directory, issuer, say }) {
  const shell = (line) => run('bash', ['--norc', '-c', line], { cwd: directory, env, timeoutMs });
  const lambda = 'arn:aws:lambda:us-east-1:123456789012:function:audience';
  const trigger = (version) =>
    `--lambda-config 'PreTokenGenerationConfig={LambdaVersion=${version},LambdaArn=${lambda}}'`;
  const pool = (
    await shell(
      `aws cognito-idp create-user-pool --pool-name services ${trigger('V2_0')} --query UserPool.Id --output text`,
    )
  ).trim();
  const files = writeFiles({ directory, url, issuer, pool });
  await run(process.execPath, [main, 'table', 'create', '--config', files.config], {
    ...{ cwd: directory, env: motoKeys, timeoutMs },
  });

  const doctor = async (...args) => {
    const options = ['--config', files.config, '--mappings', files.mappings, '-o', 'json'];
    const places = ['--iam-endpoint', url, '--cognito-endpoint', url];
    const { out, all } = await outcomeOf(
      process.execPath,
      [main, 'doctor', ...options, ...places, ...args],
      { cwd: directory, env: motoKeys, timeoutMs },
    );
    assert(out.startsWith('{'), all);
    return JSON.parse(out).findings;
  };
  const failed = (findings) => findings.filter(({ status }) => status === 'fail');
  let cures = 0;
  /** Names a fault, follows its cure to the letter, and looks again. */
  const cured = async (check, says) => {
    const found = failed(await doctor()).find((one) => one.check === check);
    assert(found !== undefined && says.test(found.detail), `${check}: ${JSON.stringify(found)}`);
    for (const line of found.cure.filter((text) => text.startsWith('aws '))) await shell(line);
    const left = failed(await doctor()).filter((one) => one.check === check);
    assert.deepEqual(left, [], `${check}: the cure did not mend it`);
    cures += 1;
    say(`${check}: named and mended`);
  };

  await cured('provider', /has no provider for/);
  await cured('trust-policy', /there is no such role/);
  await cured('session-duration', /allows sessions of 3600 s/);
  const permission = { Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }] };
  const document = JSON.stringify({ Version: '2012-10-17', ...permission });
  await shell(
    `aws iam put-role-policy --role-name orders-writer --policy-name orders --policy-document '${document}'`,
  );
  const findings = await doctor();
  const unwell = findings.filter(
    ({ check, status }) => judged.includes(check) && status !== 'pass',
  );
  assert.deepEqual(unwell, []);
  const shape = findings.find(({ check }) => check === 'token-shape');
  assert.match(shape.detail, /has a trigger of V2_0/);

  await shell(
    `aws dynamodb update-table --table-name role-mappings --no-deletion-protection-enabled`,
  );
  await cured('table-deletion-protection', /deletion protection is off/);
  return `${judged.length} checks pass, ${cures} faults named and mended by the AWS CLI`;
}

function writeFiles({ directory, url, issuer, pool }) {
  const mappings = join(directory, 'mappings');
  rmSync(mappings, { recursive: true, force: true });
  mkdirSync(mappings);
  const mapping = {
    id: 'orders-writer',
    principal: { pool, client },
    effect: 'allow',
    role,
    conditions: { caller: 'machine' },
    session: {
      maxDurationSeconds: 7200,
      policy: {
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: '*' }],
      },
    },
    owner: 'orders',
  };
  // YAML is a superset of JSON.
  writeFileSync(join(mappings, 'orders.yaml'), JSON.stringify(mapping));
  const config = join(directory, 'config.yaml');
  const settings = {
    profile: 'development',
    identity: { userPools: [{ pool, issuer, clients: [client] }] },
    guardrails: { maxSessionSeconds: 7200 },
    policy: { table: 'role-mappings', region, endpoint: url },
    sts: { endpoints: [{ region, endpoint: url }] },
    audit: { directory: join(directory, 'audit') },
  };
  writeFileSync(config, JSON.stringify(settings));
  return { config, mappings };
}
