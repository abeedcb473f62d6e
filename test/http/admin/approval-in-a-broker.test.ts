/** What a whole broker adds to approval: who asked for a role lately, what is counted, and the alarm when somebody does without. */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type BrokerFixture, startBrokerFixture } from '../../support/broker-fixture.ts';
import type { Answer } from '../../support/http-call.ts';
import { allow, clients, defaultMappings, pool, roleNamed } from '../../support/outside-world.ts';

const users = [
  { username: 'ada', sub: '7d8e2a5c-1111-4222-8333-944445555666', groups: ['admins'] },
  { username: 'cleo', sub: '7d8e2a5c-2222-4222-8333-944445555666', groups: ['admins'] },
  {
    username: 'grace',
    sub: '7d8e2a5c-3333-4222-8333-944445555666',
    groups: ['admins', 'incident'],
  },
];
let broker: BrokerFixture;

beforeAll(async () => {
  broker = await startBrokerFixture({
    users,
    refusalWindowMs: 10_000,
    mappings: [
      ...defaultMappings,
      allow('shared', 'orders'),
      allow('alone', 'legacy'),
      allow('untaken', 'legacy'),
    ],
    configure: (config) => ({
      ...config,
      admin: { pool, clients: [clients.admin.clientId], groups: ['admins'], machines: true },
      guardrails: { approval: { when: 'widens', breakGlass: ['incident'] } },
    }),
  });
});
afterAll(() => broker.stop());

const scopes = clients.admin.scopes;
const because = { 'change-reason': 'INC-1' };

function admin(
  method: string,
  path: string,
  options: { user?: string; body?: unknown; headers?: object } = {},
) {
  const { user, body, headers } = options;
  return broker.call({
    listener: 'admin',
    method,
    path,
    token: broker.token('admin', user === undefined ? {} : { user, scopes }),
    headers: { ...because, ...headers },
    ...(body === undefined ? {} : { body }),
  });
}

const read = async ({ headers }: Answer) => (await admin('GET', String(headers['location']))).body;

describe('the impact of a proposal', () => {
  const widened = (id: string, name: 'orders' | 'legacy' = 'orders') => ({
    ...allow(id, name),
    session: { maxDurationSeconds: 7_200 },
  });
  const propose = (id: string, document: object = widened(id)) =>
    admin('PUT', `/v1/role-mappings/${id}`, {
      user: 'ada',
      headers: { 'if-match': '"1"' },
      body: document,
    });

  it('names who was served by its role, and who was refused it, and nobody else', async () => {
    const none = await propose('shared');
    expect(none.status).toBe(202);
    expect((await read(none)).recentCallers).toEqual([]);

    expect((await broker.issue('orders', { role: 'shared' })).status).toBe(200);
    expect((await broker.issue('reports', { role: 'reports-reader' })).status).toBe(200);
    expect((await broker.issue('stranger', { role: roleNamed('shared') })).status).toBe(403);
    const { recentCallers } = await read(none);
    const caller = (name: 'orders' | 'stranger') => ({
      ...{ pool, client: clients[name].clientId, subject: clients[name].clientId },
      time: expect.any(String),
    });
    expect(recentCallers).toEqual([
      { ...caller('stranger'), outcome: 'denied' },
      { ...caller('orders'), outcome: 'issued' },
    ]);
  });
});

describe('lifting a freeze in an emergency', () => {
  const counter = 'tokenbroker_break_glass_edits_total';
  const frozen = { principal: { pool, client: clients.orders.clientId }, role: '*' };

  it('is for those whom configuration names, and alarms (T242)', async () => {
    const logged = broker.logs.length;
    const { id } = (await admin('POST', '/v1/freezes', { user: 'ada', body: frozen })).body;
    expect((await broker.issue('orders', { role: 'orders-writer' })).status).toBe(403);
    const lift = (options: { user?: string }, query = '') =>
      admin('DELETE', `/v1/freezes/${id}${query}`, options);

    for (const who of [{ user: 'ada' }, {}]) {
      const refused = await lift(who, '?breakGlass=true');
      expect([refused.status, refused.body.code]).toEqual([403, 'approval_required']);
      expect(broker.auditRecordOf(refused)).toMatchObject({ outcome: 'refused', mappingId: id });
    }
    // Being named is not enough: it has to be asked for.
    expect((await lift({ user: 'grace' })).status).toBe(202);
    expect((await broker.metrics()).get(counter)).toBe(0);
    expect((await broker.issue('orders', { role: 'orders-writer' })).status).toBe(403);

    const lifted = await lift({ user: 'grace' }, '?breakGlass=true');
    expect([lifted.status, lifted.body.inForce]).toEqual([200, true]);
    expect((await broker.metrics()).get(counter)).toBe(1);
    expect(broker.auditRecordOf(lifted)).toMatchObject({
      type: 'mapping_change',
      outcome: 'authorized',
      action: 'delete',
      mappingId: id,
      breakGlass: true,
      actor: expect.stringContaining(users[2]?.sub ?? ''),
    });
    expect(broker.logs.slice(logged).filter(({ level }) => level === 'error')).toEqual([
      expect.objectContaining({ mappingId: id, requestId: lifted.requestId }),
    ]);
    expect((await broker.issue('orders', { role: 'orders-writer' })).status).toBe(200);
  });
});

describe('the count of proposals', () => {
  const events = ['made', 'applied', 'rejected', 'withdrawn', 'stale'] as const;
  const counts = async () => {
    const page = await broker.metrics();
    return events.map((event) => page.get(`tokenbroker_proposals_total{event="${event}"}`));
  };
  const wider = (id: string, seconds: number) => ({
    ...allow(id, 'legacy'),
    session: { maxDurationSeconds: seconds },
  });
  const propose = (version: number, seconds: number, user = 'ada', id = 'alone') =>
    admin('PUT', `/v1/role-mappings/${id}`, {
      user,
      headers: { 'if-match': `"${version}"` },
      body: wider(id, seconds),
    });
  const decide = async (how: string, user: string, proposed: Answer) => {
    const { sha256 } = await read(proposed);
    const body = { reason: 'INC-1', ...(how === 'approve' ? { sha256 } : {}) };
    const { status } = await admin('POST', `${proposed.headers['location']}/${how}`, {
      user,
      body,
    });
    return status;
  };
  let before: readonly (number | undefined)[];
  const since = async () => (await counts()).map((count, at) => (count ?? 0) - (before[at] ?? 0));

  it('has each once, by what became of it here', async () => {
    before = await counts();
    expect(before.slice(1)).toEqual([0, 0, 0, 0]);
    const rejected = await propose(1, 4_500);
    // The same edit is the same proposal.
    expect((await propose(1, 4_500)).headers['location']).toBe(rejected.headers['location']);
    expect(await since()).toEqual([1, 0, 0, 0, 0]);
    // Nobody decides about their own.
    expect(await decide('reject', 'ada', rejected)).toBe(403);
    expect(await decide('reject', 'cleo', rejected)).toBe(200);
    expect(await decide('reject', 'cleo', rejected)).toBe(409);
    expect(await since()).toEqual([1, 0, 1, 0, 0]);
    const withdrawn = await propose(1, 5_000);
    expect(await decide('withdraw', 'ada', withdrawn)).toBe(200);
    expect(await since()).toEqual([2, 0, 1, 1, 0]);

    const outrun = await propose(1, 5_500);
    const applied = await propose(1, 6_000, 'grace');
    expect(await decide('approve', 'cleo', applied)).toBe(200);
    expect(await since()).toEqual([4, 1, 1, 1, 0]);
    // Its mapping is another one now.
    expect(await decide('approve', 'cleo', outrun)).toBe(409);
    expect(await decide('approve', 'cleo', outrun)).toBe(409);
    expect(await since()).toEqual([4, 1, 1, 1, 1]);
  });

  it('leaves out what the table did not take', async () => {
    const proposed = await propose(1, 6_500, 'ada', 'untaken');
    before = await counts();
    const operations = ['TransactWriteItems'];
    const refused = { kind: 'error', type: 'AccessDeniedException', status: 400 } as const;
    broker.dynamodb.setFault({ ...refused, operations });
    expect((await propose(1, 7_000, 'ada', 'untaken')).status).toBe(503);
    for (const how of ['reject', 'approve']) {
      expect(await decide(how, 'cleo', proposed)).toBe(503);
    }
    broker.dynamodb.setFault();
    expect(await since()).toEqual([0, 0, 0, 0, 0]);
  });
});

describe('an end of a proposal that did not come about', () => {
  it('T344: is taken back by a record of its own, however many are refused alike', async () => {
    const proposed = await admin('PUT', '/v1/role-mappings/ended', {
      user: 'ada',
      headers: { 'if-none-match': '*' },
      body: allow('ended', 'legacy'),
    });
    const path = String(proposed.headers['location']);
    const [ada, cleo] = ['ada', 'cleo'].map((user) => broker.token('admin', { user, scopes }));
    const tokens = { ada: ada ?? '', cleo: cleo ?? '' };
    const endings = [
      ...Array.from({ length: 10 }, () => ['withdraw', 'ada'] as const),
      ...Array.from({ length: 10 }, () => ['reject', 'cleo'] as const),
    ].map(([how, user]) =>
      broker.call({
        listener: 'admin',
        method: 'POST',
        path: `${path}/${how}`,
        token: tokens[user],
        body: { reason: 'not needed' },
        // A sender that varies nothing.
        headers: { 'user-agent': 'pipeline' },
      }),
    );
    const answers = await Promise.all(endings);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const records = broker.auditRecords();
    const standing = answers.filter(({ requestId }) => {
      const own = records.filter((record) => record.requestId === requestId);
      const said = own.filter(({ outcome }) => outcome === 'withdrawn' || outcome === 'rejected');
      const takenBack = own.filter(({ takesBack }) => takesBack !== undefined);
      expect(takenBack.map(({ takesBack }) => takesBack)).toEqual(
        said.map(({ outcome }) => outcome).slice(0, takenBack.length),
      );
      return said.length > takenBack.length;
    });
    expect(standing.map(({ status }) => status)).toEqual([200]);
  });
});
