import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
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
const plusRole = 'arn:aws:iam::123456789012:role/broker/a+b,c=d@e';
const opsRole = 'arn:aws:iam::123456789012:role/broker/ops';

beforeAll(async () => {
  admin = await startAdmin();
  const mappings = [
    testMapping('client-orders', { conditions: { scopes: ['orders/write'] } }),
    testMapping('client-other', { principal: { pool: otherPool, client: callerClient } }),
    testMapping('group-billing', {
      principal: { pool: adminPool, group: 'billing' },
      role: opsRole,
      owner: 'billing/team',
    }),
    testMapping('user-ada', { principal: { pool: adminPool, user: adaSub }, enabled: false }),
    testMapping('plus-role', { role: plusRole }),
    testMapping('ops-later', { role: opsRole, conditions: { notBefore: '2030-01-01T00:00:00Z' } }),
    testMapping('ops-over', { role: opsRole, conditions: { expiresAt: '2020-01-01T00:00:00Z' } }),
    testMapping('ops-off', { role: opsRole, enabled: false }),
    testMapping('stop-everybody', {
      principal: { pool: '*', any: true },
      effect: 'deny',
      role: '*',
      conditions: { sourceCidrs: ['203.0.113.0/24'] },
    }),
  ];
  for (const mapping of mappings) expect((await admin.create(mapping)).status).toBe(201);
});

afterAll(() => admin.stop());

const ids = ({ body }: AdminAnswer): string[] =>
  body.items.map((item: { mapping: { id: string } }) => item.mapping.id);

async function everyPage(first: string): Promise<string[]> {
  const all: string[] = [];
  let next: string | undefined = first;
  while (next !== undefined) {
    const page: AdminAnswer = await admin.send('GET', next);
    expect(page.status).toBe(200);
    all.push(...ids(page));
    next = nextPage(page);
  }
  return all;
}

describe('GET /v1/role-mappings', () => {
  it('lists everything by id, once, whatever the size of the pages', async () => {
    const whole = ids(await admin.send('GET', '/v1/role-mappings'));
    expect(whole).toHaveLength(9);
    expect(whole).toEqual([...whole].sort((a, b) => (a < b ? -1 : 1)));
    for (const limit of [1, 2, 3, 9, 10]) {
      expect(await everyPage(`/v1/role-mappings?limit=${limit}`)).toEqual(whole);
    }
  });

  it('says the cursor in the body, too, and none on the last page', async () => {
    const { body } = await admin.send('GET', '/v1/role-mappings?limit=8');
    const { body: last } = await admin.send(
      'GET',
      `/v1/role-mappings?limit=8&cursor=${body.nextCursor}`,
    );
    expect([last.items.length, last.nextCursor]).toEqual([1, undefined]);
  });

  it('goes on behind the last id though that was deleted between two pages', async () => {
    const first = await admin.send('GET', '/v1/role-mappings?limit=4');
    const headers = { 'change-reason': 'between two pages' };
    await admin.send('DELETE', '/v1/role-mappings/ops-later', {
      headers: { ...headers, 'if-match': '"1"' },
    });
    expect(ids(first).at(-1)).toBe('ops-later');
    expect(ids(await admin.send('GET', String(nextPage(first))))[0]).toBe('ops-off');
    const again = testMapping('ops-later', {
      role: opsRole,
      conditions: { notBefore: '2030-01-01T00:00:00Z' },
    });
    await admin.create(again);
  });

  it.each([
    [`client=${callerClient}&pool=${otherPool}`, ['client-other']],
    ['group=billing', ['group-billing']],
    [`user=${adaSub}`, ['user-ada']],
    ['any=true', ['stop-everybody']],
    ['owner=billing/team', ['group-billing']],
    ['owner=billing%2Fteam', ['group-billing']],
    [`role=${opsRole}`, ['group-billing', 'ops-later', 'ops-off', 'ops-over']],
    [`role=${opsRole}&enabled=false`, ['ops-off']],
    [`role=${plusRole}`, ['plus-role']],
    [`role=${encodeURIComponent(plusRole)}`, ['plus-role']],
    ['effect=deny', ['stop-everybody']],
    ['managedBy=git', []],
    ['client=nobody', []],
  ])('filters by %s', async (query, expected) => {
    expect(ids(await admin.send('GET', `/v1/role-mappings?${query}`))).toEqual(expected);
    expect(await everyPage(`/v1/role-mappings?${query}&limit=1`)).toEqual(expected);
  });

  it.each([
    'limit=0',
    'limit=201',
    'limit=1e2',
    'limit=-1',
    'limit=',
    'limit=5&limit=5',
    'cursor=%',
    'cursor=AAAA',
    'cursor=!',
    'enabled=yes',
    'any=false',
    'effect=maybe',
    'principal=x',
    '__proto__=1',
    'limit',
    '&',
    'limit=5&',
    'owner=%ff',
    'owner=',
  ])('refuses ?%s', async (query) => {
    const { status, body } = await admin.send('GET', `/v1/role-mappings?${query}`);
    expect([status, body.code]).toEqual([400, 'query_invalid']);
  });
});

describe('GET /v1/principals', () => {
  it('says who can get a role, who could if it were in force, and whom a deny keeps out', async () => {
    const { status, body } = await admin.send('GET', `/v1/principals?role=${opsRole}`);
    expect(status).toBe(200);
    expect(
      body.items.map((item: Record<string, string>) => [
        item['id'],
        item['effect'],
        item['status'],
      ]),
    ).toEqual([
      ['group-billing', 'allow', 'in_force'],
      ['ops-later', 'allow', 'not_yet_valid'],
      ['ops-off', 'allow', 'disabled'],
      ['ops-over', 'allow', 'expired'],
      ['stop-everybody', 'deny', 'in_force'],
    ]);
    expect(body.items[0].principal).toEqual({ pool: adminPool, group: 'billing' });
  });

  it('comes in pages', async () => {
    const found: string[] = [];
    let next: string | undefined = `/v1/principals?role=${opsRole}&limit=2`;
    while (next !== undefined) {
      const page: AdminAnswer = await admin.send('GET', next);
      found.push(...page.body.items.map(({ id }: { id: string }) => id));
      next = nextPage(page);
    }
    expect(found).toEqual(['group-billing', 'ops-later', 'ops-off', 'ops-over', 'stop-everybody']);
  });

  it.each(['', '?role=', '?role=*', '?role=admin', '?role=arn:aws:iam::1:role/x'])(
    'needs the ARN of one role: refuses %j',
    async (query) => {
      const { status, body } = await admin.send('GET', `/v1/principals${query}`);
      expect([status, body.code]).toEqual([400, 'query_invalid']);
    },
  );
});
