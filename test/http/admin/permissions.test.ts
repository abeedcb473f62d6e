import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RoleMappingInput } from '../../../src/core/policy/role-mapping.ts';
import {
  type AdminAnswer,
  type AdminHarness,
  adaSub,
  adminPool,
  callerClient,
  nextPage,
  otherPool,
  startAdmin,
  testMapping,
} from '../../support/admin-harness.ts';

let admin: AdminHarness;

const roleNamed = (name: string) => `arn:aws:iam::123456789012:role/broker/${name}`;
const mappingFor = (id: string, fields: Partial<RoleMappingInput>) =>
  testMapping(id, { role: roleNamed(id), ...fields });

const client = { pool: adminPool, client: callerClient };
const user = { pool: adminPool, user: adaSub };
const group = { pool: adminPool, group: 'billing' };
const everybody = { pool: '*', any: true } as const;

const mappings = [
  mappingFor('client-always', { principal: client, session: { maxDurationSeconds: 7200 } }),
  mappingFor('client-banned', { principal: client }),
  mappingFor('client-later', {
    principal: client,
    conditions: { notBefore: '2040-01-01T00:00:00Z' },
  }),
  mappingFor('client-off', { principal: client, enabled: false }),
  mappingFor('client-over', {
    principal: client,
    conditions: { expiresAt: '2020-01-01T00:00:00Z' },
  }),
  mappingFor('client-scoped', { principal: client, conditions: { scopes: ['orders/write'] } }),
  mappingFor('elsewhere', { principal: { pool: otherPool, client: callerClient } }),
  mappingFor('group-billing', { principal: group }),
  mappingFor('group-other', { principal: { pool: adminPool, group: 'other' } }),
  mappingFor('no-ban', { principal: everybody, effect: 'deny', role: roleNamed('client-banned') }),
  mappingFor('no-guests', {
    principal: everybody,
    effect: 'deny',
    role: '*',
    conditions: { sourceCidrs: ['203.0.113.0/24'] },
  }),
  mappingFor('user-ada', { principal: user }),
];

beforeAll(async () => {
  admin = await startAdmin();
  for (const mapping of mappings) expect((await admin.create(mapping)).status).toBe(201);
});

afterAll(() => admin.stop());

const ask = (query: string) => admin.send('GET', `/v1/permissions?pool=${adminPool}&${query}`);

const statuses = ({ body }: AdminAnswer) =>
  Object.fromEntries(
    body.items.map((item: Record<string, string>) => [item['id'], item['status']]),
  );

const always = { 'no-ban': 'in_force', 'no-guests': 'in_force' };
const ofClient = {
  'client-always': 'in_force',
  'client-banned': 'denied',
  'client-later': 'not_yet_valid',
  'client-off': 'disabled',
  'client-over': 'expired',
  'client-scoped': 'in_force',
};

describe('GET /v1/permissions', () => {
  it.each([
    [`client=${callerClient}`, { ...ofClient, ...always }],
    ['group=billing', { 'group-billing': 'in_force', ...always }],
    [`user=${adaSub}`, { 'user-ada': 'in_force', ...always }],
    [
      `client=${callerClient}&user=${adaSub}&group=billing`,
      { ...ofClient, 'group-billing': 'in_force', 'user-ada': 'in_force', ...always },
    ],
    [
      'group=billing&group=other',
      { 'group-billing': 'in_force', 'group-other': 'in_force', ...always },
    ],
    ['client=unheard-of', always],
  ])('says what ?%s can get, and what denies keep from them', async (query, expected) => {
    const answer = await ask(query);
    expect(answer.status).toBe(200);
    expect(statuses(answer)).toEqual(expected);
  });

  it('has the role, its conditions and the longest session of each', async () => {
    const { body } = await ask(`client=${callerClient}`);
    expect(body.principal).toEqual({ ...client, groups: [] });
    const item = (id: string) => body.items.find((one: { id: string }) => one.id === id);
    expect(item('client-scoped')).toEqual({
      role: roleNamed('client-scoped'),
      effect: 'allow',
      status: 'in_force',
      conditions: { scopes: ['orders/write'] },
      maxDurationSeconds: 3600,
      principal: client,
      id: 'client-scoped',
      version: 1,
      owner: 'orders-team',
    });
    expect(item('client-always').maxDurationSeconds).toBe(7200);
    expect(item('no-guests')).not.toHaveProperty('maxDurationSeconds');
  });

  it('agrees with what is decided for such a caller', async () => {
    const { body } = await ask(`client=${callerClient}`);
    const caller = { pool: adminPool, client: callerClient, scopes: ['orders/write'] };
    const request = { sourceIp: '192.0.2.1' };
    const explained = await admin.send('POST', '/v1/explain', { body: { caller, request } });
    const allowed = body.items.filter(
      (item: Record<string, string>) => item['effect'] === 'allow' && item['status'] === 'in_force',
    );
    const idOf = ({ id }: { id: string }) => id;
    expect(explained.body.permitted.map(idOf)).toEqual(allowed.map(idOf));
  });

  it('shows everything of a client as denied once it is frozen', async () => {
    const headers = { 'change-reason': 'INC-6' };
    const body = { principal: client, role: '*' };
    const frozen = await admin.send('POST', '/v1/freezes', { headers, body });
    expect(statuses(await ask(`client=${callerClient}`))).toMatchObject({
      'client-always': 'denied',
      'client-scoped': 'denied',
      [frozen.body.id]: 'in_force',
    });
    await admin.send('DELETE', `/v1/freezes/${frozen.body.id}`, { headers });
  });

  it('comes in pages that keep the question', async () => {
    const found: string[] = [];
    let next: string | undefined =
      `/v1/permissions?pool=${adminPool}&client=${callerClient}&limit=3`;
    while (next !== undefined) {
      const page: AdminAnswer = await admin.send('GET', next);
      found.push(...page.body.items.map(({ id }: { id: string }) => id));
      next = nextPage(page);
    }
    expect(found).toEqual(Object.keys({ ...ofClient, ...always }));
  });

  it.each([
    '',
    '?client=x',
    `?pool=${adminPool}`,
    '?pool=us-east-1_Nowhere01&client=x',
    '?pool=*&client=x',
    `?pool=${adminPool}&client=`,
    `?pool=${adminPool}&client=x&client=y`,
    `?pool=${adminPool}&role=x`,
    `?pool=${adminPool}&client=x&limit=0`,
  ])('refuses %j rather than answer that there is nothing', async (query) => {
    const { status, body } = await admin.send('GET', `/v1/permissions${query}`);
    expect([status, body.code]).toEqual([400, 'query_invalid']);
  });
});
