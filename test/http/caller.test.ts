import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import type { Call } from '../support/http-call.ts';
import { allow, clients, defaultMappings, pool, roleNamed } from '../support/outside-world.ts';

const path = '/v1/caller';
const user = {
  username: 'ada',
  sub: '7d8e2a5c-1111-4222-8333-944445555666',
  groups: ['billing', 'audit'],
};

let broker: BrokerFixture;
beforeAll(async () => {
  broker = await startBrokerFixture({
    users: [user],
    mappings: [
      ...defaultMappings,
      allow('from-elsewhere', 'reports', { conditions: { sourceCidrs: ['192.0.2.0/24'] } }),
      allow('disabled', 'reports', { enabled: false }),
      allow('billing', 'orders', { principal: { pool, group: 'billing' }, description: 'Books.' }),
    ],
  });
});
afterAll(() => broker.stop());

const call = ({ query, ...rest }: Omit<Call, 'path'> & { readonly query?: string }) =>
  broker.call({ path: query === undefined ? path : `${path}?role=${query}`, ...rest });

describe('GET /v1/caller?role=', () => {
  const ask = async (role: string, token: string) =>
    (await call({ query: role, token })).body.asked;

  it.each([
    ['a role that the caller may have, by id', 'reports-reader', { decision: 'allow' }],
    ['by ARN', roleNamed('reports-reader'), { decision: 'allow' }],
    [
      'a mapping of which a condition does not hold',
      'from-elsewhere',
      { decision: 'deny', reason: 'source_outside' },
    ],
    ['a mapping of another caller', 'orders-writer', { decision: 'deny', reason: 'no_mapping' }],
    ['what does not exist', 'nothing-of-the-kind', { decision: 'deny', reason: 'no_mapping' }],
    ['a disabled mapping', 'disabled', { decision: 'deny', reason: 'no_mapping' }],
  ])('says why or why not: %s', async (_case, role, answer) => {
    expect(await ask(role, broker.token('reports'))).toEqual({ role, ...answer });
  });

  it('names the scope as what is missing, where that is so', async () => {
    const token = broker.token('orders', { scopes: ['orders/read'] });
    expect(await ask('orders-writer', token)).toMatchObject({ reason: 'scope_missing' });
  });

  it('issues nothing and asks STS nothing', async () => {
    const before = broker.sts.requests.length;
    await ask('reports-reader', broker.token('reports'));
    expect(broker.sts.requests).toHaveLength(before);
  });
});

describe('GET /v1/caller', () => {
  it('says who an app client is and which roles it may ask for right now', async () => {
    const { status, body } = await call({ token: broker.token('reports') });

    expect(status).toBe(200);
    expect(body).toEqual({
      caller: {
        issuer: broker.issuer.url,
        pool,
        subject: clients.reports.clientId,
        client: clients.reports.clientId,
        tokenUse: 'access',
        groups: [],
        scopes: ['reports/read', 'reports/publish'],
        audience: clients.reports.clientId,
        expiresAt: expect.any(String),
      },
      roles: [
        {
          mapping: 'reports-publisher',
          role: roleNamed('reports-publisher'),
          description: '',
          durationSeconds: 3600,
          maxDurationSeconds: 7200,
        },
        {
          mapping: 'reports-reader',
          role: roleNamed('reports-reader'),
          description: '',
          durationSeconds: 3600,
          maxDurationSeconds: 3600,
        },
      ],
    });
  });

  it('says which groups give a user a role', async () => {
    const token = broker.token('orders', { user: 'ada', scopes: ['orders/write'] });
    const { body } = await call({ token });
    expect(body.caller).toMatchObject({ subject: user.sub, groups: ['billing', 'audit'] });
    const mappings = body.roles.map(({ mapping }: { mapping: string }) => mapping);
    expect(mappings).toEqual(['billing', 'orders-writer']);
  });

  it('leaves the audience out where there is none, which is what keeps STS from accepting the token', async () => {
    const { body } = await call({ token: broker.token('legacy') });
    expect(body.caller).not.toHaveProperty('audience');
  });

  it('answers a caller that is allowed nothing', async () => {
    const { status, body } = await call({ token: broker.token('stranger') });
    expect([status, body.roles]).toEqual([200, []]);
  });

  it('issues nothing and asks STS nothing', async () => {
    const issued = () => broker.auditRecords().filter(({ type }) => type === 'exchange');
    const records = issued().length;
    await call({ token: broker.token('orders') });
    expect(broker.sts.requests).toHaveLength(0);
    expect(issued()).toHaveLength(records);
  });

  it('answers HEAD with the same headers and no body', async () => {
    const token = broker.token('orders');
    const [get, head] = [await call({ token }), await call({ token, method: 'HEAD' })];
    expect(head.status).toBe(200);
    expect(head.text).toBe('');
    expect(new Set(Object.keys(head.headers))).toEqual(new Set(Object.keys(get.headers)));
  });

  it.each<[string, Omit<Call, 'path'> & { readonly path?: string }, string]>([
    ['no token', {}, '401 token_missing'],
    ['no JWT', { token: 'CANARY' }, '401 token_malformed'],
    ['another scheme', { headers: { authorization: 'Basic CANARY' } }, '401 token_malformed'],
    ['a query', { path: `${path}?token=CANARY` }, '400 query_invalid'],
    ['no role at all', { path: `${path}?role=CANARY+CANARY` }, '400 query_invalid'],
    ['two roles', { path: `${path}?role=a&role=b` }, '400 query_invalid'],
    ['an origin', { headers: { origin: 'https://CANARY.example' } }, '403 origin_refused'],
    ['POST', { method: 'POST' }, '405 method_not_allowed'],
    ['OPTIONS', { method: 'OPTIONS' }, '405 method_not_allowed'],
  ])('refuses %s', async (_what, rest, expected) => {
    const { status, body, text, headers } = await broker.call({ path, ...rest });
    expect(`${status} ${body.code}`).toBe(expected);
    expect(text).not.toContain('CANARY');
    expect(headers['allow']).toBe(status === 405 ? 'GET, HEAD' : undefined);
    expect(headers['www-authenticate'] !== undefined).toBe(status === 401);
  });
});
