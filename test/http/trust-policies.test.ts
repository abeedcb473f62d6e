/** What a role's trust policy asks of a token counts for every token, whatever the cache holds. */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type IdentityPool, startIdentityPool } from '../../emulators/issuer/identity-pool.ts';
import { signJwt } from '../../emulators/issuer/jwt-signer.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import {
  account,
  allow,
  clients,
  roleNamed,
  signingKeys,
  trustPolicy,
} from '../support/outside-world.ts';

const poolId = 'us-east-1:0f0e0d0c-1111-4222-8333-444455556666';
const ada = 'us-east-1:11111111-aaaa-4bbb-8ccc-dddddddddddd';
const user = {
  username: 'ada',
  sub: '7d8e2a5c-1111-4222-8333-944445555666',
  groups: [],
};

let identities: IdentityPool;
let broker: BrokerFixture;

beforeAll(async () => {
  identities = await startIdentityPool({ clock: systemClock, poolId });
  const { url, jwksUri } = identities;
  broker = await startBrokerFixture({
    users: [user],
    mappings: [
      allow('with-mfa', 'orders'),
      allow('original-audience', 'reports'),
      { ...allow('from-facebook', 'orders'), principal: { pool: poolId, user: ada } },
    ],
    configure: (config) => ({
      ...config,
      identity: { ...config.identity, identityPools: [{ pool: poolId, issuer: url, jwksUri }] },
    }),
    beforeStart({ sts, issuer }) {
      sts.putProvider({ accountId: account, issuer: url, jwksUri, clientIds: [poolId] });
      const condition = (name: string, on: string, key: string, value: string) => {
        const provider = on.replace(/^https?:\/\//, '');
        const audiences = [poolId, clients.orders.clientId, clients.reports.clientId];
        const document = trustPolicy(on, audiences) as { Statement: { Condition: object }[] };
        const [statement] = document.Statement;
        if (statement === undefined) throw new Error('a trust policy without a statement');
        statement.Condition = {
          ...statement.Condition,
          'ForAnyValue:StringEquals': { [`${provider}:${key}`]: value },
        };
        sts.putRole({ arn: roleNamed(name), trustPolicy: document });
      };
      condition('with-mfa', issuer.url, 'amr', 'mfa');
      condition('original-audience', issuer.url, 'oaud', 'https://reports.example');
      condition('from-facebook', url, 'amr', 'graph.facebook.com');
    },
  });
}, 30_000);

afterAll(async () => {
  await broker.stop();
  await identities.stop();
});

/** A token of the person, signed by the pool, with these claims besides. */
function signedIn(client: 'orders' | 'reports', claims: Readonly<Record<string, unknown>>): string {
  const [, payload = ''] = broker.token(client, { user: user.username }).split('.');
  const own = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const key = signingKeys().current.access;
  return signJwt({ key, header: { kid: key.kid, alg: 'RS256' }, claims: { ...own, ...claims } });
}

const openIdToken = (name: string) =>
  identities.issueOpenIdToken({ identityId: ada, provider: { name, subject: '1234:5678' } });

const cases = [
  {
    condition: 'a second factor (amr)',
    role: 'with-mfa',
    strong: () => signedIn('orders', { amr: ['pwd', 'mfa'] }),
    weak: () => signedIn('orders', { amr: ['pwd'] }),
  },
  {
    condition: 'a second factor, of a token without amr',
    role: 'with-mfa',
    strong: () => signedIn('orders', { amr: ['mfa'] }),
    weak: () => signedIn('orders', {}),
  },
  {
    condition: 'an original audience (oaud)',
    role: 'original-audience',
    strong: () =>
      signedIn('reports', { azp: clients.reports.clientId, aud: 'https://reports.example' }),
    weak: () => signedIn('reports', { azp: clients.reports.clientId }),
  },
  {
    condition: 'a login provider of the identity pool (amr)',
    role: 'from-facebook',
    strong: () => openIdToken('graph.facebook.com'),
    weak: () => openIdToken('accounts.google.com'),
  },
];

const ask = (token: string, role: string) =>
  broker.call({ method: 'POST', path: '/v1/credentials', token, body: { role } });

describe('a trust policy that asks for', () => {
  it.each(cases)(
    'T65: $condition gets it from every token, also when the cache has a session of the same person',
    async ({ role, strong, weak }) => {
      expect(await ask(strong(), role)).toMatchObject({ status: 200 });
      expect(await ask(weak(), role)).toMatchObject({
        status: 403,
        body: { code: 'sts_access_denied' },
      });
      expect(await ask(strong(), role)).toMatchObject({ status: 200 });
    },
  );

  it.each(cases)(
    'T65: $condition refuses the token without it and nobody who asks at the same time',
    async ({ role, strong, weak }) => {
      const tokens = Array.from({ length: 6 }, (_, index) => (index % 2 === 0 ? weak() : strong()));
      const answers = await Promise.all(tokens.map((token) => ask(token, role)));
      expect(answers.map(({ status }) => status)).toEqual([403, 200, 403, 200, 403, 200]);
    },
  );
});
