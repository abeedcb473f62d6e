/** Social identities: the OpenID tokens of an identity pool, from the wire to STS and back. */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type IdentityPool, startIdentityPool } from '../../emulators/issuer/identity-pool.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { account, defaultMappings, roleNamed, trustPolicy } from '../support/outside-world.ts';

const poolId = 'us-east-1:0f0e0d0c-1111-4222-8333-444455556666';
const identity = (digit: string) => `us-east-1:${digit.repeat(8)}-aaaa-4bbb-8ccc-dddddddddddd`;
const facebook = { name: 'graph.facebook.com', subject: '1234:5678' };

let identities: IdentityPool;
let broker: BrokerFixture;

beforeAll(async () => {
  identities = await startIdentityPool({ clock: systemClock, poolId });
  const { url, jwksUri } = identities;
  broker = await startBrokerFixture({
    mappings: [
      ...defaultMappings,
      {
        id: 'one-person',
        principal: { pool: poolId, user: identity('1') },
        effect: 'allow',
        role: roleNamed('one-person'),
        owner: 'test-team',
      },
      {
        id: 'from-facebook',
        principal: { pool: poolId, group: 'graph.facebook.com' },
        effect: 'allow',
        role: roleNamed('from-facebook'),
        owner: 'test-team',
      },
    ],
    configure: (config) => ({
      ...config,
      identity: {
        ...config.identity,
        identityPools: [{ pool: poolId, issuer: url, jwksUri }],
      },
    }),
    beforeStart({ sts }) {
      sts.putProvider({ accountId: account, issuer: url, jwksUri, clientIds: [poolId] });
      for (const name of ['one-person', 'from-facebook']) {
        sts.putRole({ arn: roleNamed(name), trustPolicy: trustPolicy(url, [poolId]) });
      }
    },
  });
}, 30_000);

afterAll(async () => {
  await broker.stop();
  await identities.stop();
});

const issue = (token: string, body?: unknown) =>
  broker.call({ method: 'POST', path: '/v1/credentials', token, body });

describe('the OpenID token of an identity pool', () => {
  it('is exchanged for the role that a mapping gives to its identity', async () => {
    const token = identities.issueOpenIdToken({ identityId: identity('1'), provider: facebook });
    const answer = await issue(token, { role: 'one-person' });
    expect(answer).toMatchObject({ status: 200, body: { role: roleNamed('one-person') } });
    expect(broker.auditRecordOf(answer)).toMatchObject({
      outcome: 'issued',
      token: { pool: poolId, subject: identity('1'), use: 'openid' },
    });
  });

  it('is exchanged for the role of everyone who signed in by one provider', async () => {
    const token = identities.issueOpenIdToken({ identityId: identity('2'), provider: facebook });
    expect(await issue(token)).toMatchObject({
      status: 200,
      body: { role: roleNamed('from-facebook') },
    });
  });

  it('gets no role of another identity or provider', async () => {
    const google = { name: 'accounts.google.com', subject: '1234:5678' };
    const token = identities.issueOpenIdToken({ identityId: identity('3'), provider: google });
    for (const body of [undefined, { role: 'one-person' }, { role: 'from-facebook' }]) {
      expect(await issue(token, body)).toMatchObject({ status: 403 });
    }
  });

  it('is refused for a guest', async () => {
    const answer = await issue(identities.issueOpenIdToken({ identityId: identity('1') }));
    expect(answer).toMatchObject({ status: 401, body: { code: 'token_use_refused' } });
  });

  it('is refused when it comes from a pool that is not configured', async () => {
    const elsewhere = await startIdentityPool({
      clock: systemClock,
      poolId: 'us-east-1:99999999-1111-4222-8333-444455556666',
      issuer: identities.url,
    });
    const token = elsewhere.issueOpenIdToken({ identityId: identity('1'), provider: facebook });
    await elsewhere.stop();
    expect(await issue(token)).toMatchObject({
      status: 401,
      body: { code: 'token_issuer_unknown' },
    });
  });
});
