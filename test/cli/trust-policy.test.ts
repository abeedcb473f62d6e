/** `trust-policy` reads issuers off the configuration, whatever the pools are called and however many issuers they have. */

import { afterAll, expect, it } from '@jest/globals';
import { trustPolicyCommand } from '../../src/cli/commands/trust-policy.ts';
import { configSchema } from '../../src/config/schema.ts';
import { captured, temporaryFolders, terminal } from '../support/mapping-folder.ts';

const folders = temporaryFolders();
afterAll(() => folders.remove());

const role = 'arn:aws:iam::123456789012:role/broker/orders';
const pool = 'eu-west-1_AbCdEf123';
const identityPoolId = 'eu-west-1:11111111-2222-4333-8444-555555555555';
const own = `https://cognito-idp.eu-west-1.amazonaws.com/${pool}`;
const multiRegion = `https://issuer.cognito-idp.eu-west-1.amazonaws.com/${pool}`;

const config = configSchema.parse({
  profile: 'production',
  identity: {
    userPools: [
      { pool, name: 'staff', issuer: own, clients: ['orders-client', 'other-client'] },
      { pool, name: 'staff', issuer: multiRegion, clients: ['orders-client'] },
    ],
    identityPools: [{ pool: identityPoolId, name: 'guests' }],
  },
  policy: { table: 'role-mappings', region: 'eu-west-1' },
  sts: { endpoints: [{ region: 'eu-west-1' }] },
  audit: { stdout: true },
});

async function printed(principal: string) {
  const mappings = folders.folder({
    'orders.yaml': `id: orders\nprincipal: ${principal}\neffect: allow\nrole: ${role}\nowner: payments\n`,
  });
  const ran = await captured((output) =>
    trustPolicyCommand({
      config,
      role,
      mappings,
      format: 'json',
      sourceVpce: undefined,
      output,
      terminal: terminal(),
    }),
  );
  expect([ran.code, ran.err]).toEqual([0, '']);
  return JSON.parse(ran.out).Statement;
}

const providerOf = (issuer: string) => issuer.replace('https://', '');
const federated = (issuer: string) => ({
  Federated: `arn:aws:iam::123456789012:oidc-provider/${providerOf(issuer)}`,
});

it('trusts each issuer of a pool that has a name of its own', async () => {
  const statements = await printed('{ pool: staff, client: orders-client }');
  expect(statements).toMatchObject(
    [own, multiRegion].map((issuer) => ({
      Principal: federated(issuer),
      Condition: { StringEquals: { [`${providerOf(issuer)}:aud`]: ['orders-client'] } },
    })),
  );
});

it('pins the audience of an identity pool to its id, not its name', async () => {
  const issuer = 'https://cognito-identity.amazonaws.com';
  expect(
    await printed('{ pool: guests, user: "eu-west-1:aaaaaaaa-2222-4333-8444-555555555555" }'),
  ).toMatchObject([
    {
      Principal: federated(issuer),
      Condition: { StringEquals: { [`${providerOf(issuer)}:aud`]: [identityPoolId] } },
    },
  ]);
});
