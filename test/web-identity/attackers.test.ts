/** Who reaches the broker as an issuer with a token of their own, with the admin API, or with the network alone. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type RoleMappingInput, roleMappingSchema } from '../../src/core/policy/role-mapping.ts';
import { trustPolicy } from '../../src/web-identity/trust-policy.ts';
import { claimRef, domainPool, mappingDocument, roleArn } from '../support/domain.ts';
import { type IssuingBroker, startIssuingBroker } from '../support/issuing-broker.ts';
import { allow } from '../support/outside-world.ts';
import { assume } from '../support/sts-call.ts';
import { accountId, type Claims, failureOf, startStsHarness } from '../support/sts-harness.ts';
import { createTestClock } from '../support/test-clock.ts';

const most = 16;
const held: Socket[] = [];
let broker: IssuingBroker;
beforeAll(async () => {
  broker = await startIssuingBroker({
    mappings: [
      allow('orders-writer', 'orders'),
      allow('reports-reader', 'reports'),
      allow('legacy-reader', 'legacy', { session: { tags: { team: claimRef('custom:team') } } }),
    ],
    matchableClaims: ['custom:team'],
    configure: ({ listeners, ...config }) => ({
      ...config,
      listeners: { ...listeners, identity: { port: 0, maxConnections: most } },
    }),
  });
}, 30_000);
afterAll(() => broker.stop());
afterEach(() => {
  for (const socket of held.splice(0)) socket.destroy();
});

const variable = (name: string) => `\${${name}}`;

const signatures = ({ kms }: IssuingBroker) => kms.asked.filter((one) => one === 'Sign').length;

describe('somebody with a token', () => {
  it('has the key sign for new sessions alone, and no faster than their account allows (T302)', async () => {
    const clock = createTestClock(Date.now());
    const ours = await startIssuingBroker({
      clock,
      mappings: [
        allow('orders-writer', 'orders', { session: { name: '{requested}@{client}' } }),
        allow('reports-reader', 'reports'),
      ],
      configure: ({ sts, ...config }) => ({
        ...config,
        sts: { ...sts, perAccount: { perSecond: 1, burst: 6 } },
      }),
    });
    const before = signatures(ours);
    const named = async (RoleSessionName: string) =>
      (await assume(ours, 'orders', { RoleSessionName })).status;
    const statuses: number[] = [];
    for (let n = 0; n < 12; n += 1) statuses.push(await named(`job-${n}`));
    // Half of what the account of the role may spend is for others.
    expect(statuses.filter((status) => status === 200)).toHaveLength(3);
    expect(signatures(ours) - before).toBe(3);
    expect((await ours.issue('reports')).status).toBe(200);
    expect(signatures(ours) - before).toBe(4);
    for (let n = 0; n < 3; n += 1) expect(await named(`job-${n}`)).toBe(200);
    expect(signatures(ours) - before).toBe(4);
    await ours.stop();
  });

  it.each<[string, 'orders' | 'stranger', Readonly<Record<string, string>>]>([
    ['a role that is somebody else’s', 'orders', { role: 'reports-reader' }],
    ['a role of which nobody knows', 'orders', { role: 'nobody' }],
    ['any role, whom no mapping names', 'stranger', {}],
  ])('and is denied %s has nothing signed (T302)', async (_what, client, body) => {
    const before = signatures(broker);
    const token = broker.token(client);
    const answer = await broker.call({ method: 'POST', path: '/v1/credentials', token, body });
    expect(answer.status).toBe(403);
    expect(signatures(broker)).toBe(before);
  });

  it('whose claims no tag can hold has nothing signed, and trips nothing for others (T302)', async () => {
    const before = signatures(broker);
    for (let n = 0; n < 8; n += 1) {
      const token = broker.token('legacy', { claims: { 'custom:team': `"${n}` } });
      const answer = await broker.call({ method: 'POST', path: '/v1/credentials', token });
      expect(answer.status).toBe(403);
    }
    expect(signatures(broker)).toBe(before);
    expect((await broker.issue('reports')).status).toBe(200);
  });
});

describe('somebody with the admin API', () => {
  it('has nothing signed by looking, whatever is looked at (T302)', async () => {
    const before = signatures(broker);
    const token = broker.token('admin');
    const explained = await broker.call({
      listener: 'admin',
      method: 'POST',
      path: '/v1/explain',
      token,
      body: { token: broker.token('orders') },
    });
    expect(explained.body.decision).toMatchObject({ outcome: 'allow' });
    for (const path of ['/v1/role-mappings', '/v1/changes', '/v1/freezes']) {
      expect((await broker.call({ listener: 'admin', path, token })).status).toBe(200);
    }
    expect(signatures(broker)).toBe(before);
  });

  /** Printed for these mappings, saved at the STS, and asked by a token with these claims. */
  async function asked(
    principal: (provider: string) => Readonly<Record<string, string>>,
    claims: Claims,
  ): Promise<string> {
    const sts = await startStsHarness();
    try {
      const mapping = roleMappingSchema.parse(
        mappingDocument('orders', {
          principal: { pool: domainPool, ...principal(sts.providerName) },
        } as Partial<RoleMappingInput>),
      );
      const role = roleArn('orders');
      const policy = trustPolicy(role, [mapping], {
        byDefault: 'caller',
        broker: undefined,
        pools: new Map([
          [domainPool, [{ issuer: sts.issuer.url, audiences: ['4abc0exampleclientid'] }]],
        ]),
        sourceVpce: undefined,
      });
      sts.sts.putRole({ arn: role, trustPolicy: policy });
      const { url: issuer, jwksUri } = sts.issuer;
      const audiences = ['4abc0exampleclientid', variable('b')];
      sts.sts.putProvider({ accountId, issuer, jwksUri, clientIds: audiences });
      const exchange = sts.exchange({ RoleArn: role, WebIdentityToken: sts.token(claims) });
      if ((await exchange.catch(() => undefined)) !== undefined) return 'ok';
      return (await failureOf(exchange)).code ?? '';
    } finally {
      await sts.stop();
    }
  }

  it.each([
    ['client', 'aud'],
    ['user', 'sub'],
  ])(
    'makes no trust policy for everybody of a %s that reads as the variable %s (T300)',
    async (kind, claim) => {
      const principal = (provider: string) => ({ [kind]: variable(`${provider}:${claim}`) });
      expect(await asked(principal, {})).toBe('AccessDenied');
    },
  );

  it('gets a client whose name has a variable in it taken by its letters (T300)', async () => {
    const name = variable('b');
    expect(await asked(() => ({ client: name }), { aud: name, sub: name })).toBe('ok');
  });
});

describe('somebody with the network alone', () => {
  it('keeps STS from no document by holding connections on which they got one (T301)', async () => {
    const path = '/broker/.well-known/jwks.json';
    const { hostname, port, host } = new URL(broker.urls.identity ?? '');
    // On a connection of its own each, which is kept.
    const asked = async () => {
      const socket = connect({ host: hostname, port: Number(port) });
      held.push(socket);
      socket.on('error', () => undefined);
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      const [answer = ''] = await Promise.race([once(socket, 'data'), once(socket, 'close')]);
      return String(answer).slice(0, 12);
    };
    for (let number = 0; number < 3 * most; number += 1) await asked();
    expect(await asked()).toBe('HTTP/1.1 200');
    expect((await broker.issue('orders')).status).toBe(200);
  });
});
