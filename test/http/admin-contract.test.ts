/** The life of a role mapping through the admin listener; each step is held against openapi.yaml by `call`. */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RoleMappingInput } from '../../src/core/policy/role-mapping.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import type { Answer, Call } from '../support/http-call.ts';
import { allow, clients, pool, roleNamed } from '../support/outside-world.ts';

let broker: BrokerFixture;
beforeAll(async () => {
  broker = await startBrokerFixture();
});
afterAll(() => broker.stop());

const reason = { 'change-reason': 'INC-1234: moved' };

function admin(call: Omit<Call, 'listener'>): Promise<Answer> {
  return broker.call({ listener: 'admin', token: broker.token('admin'), ...call });
}

function put(document: RoleMappingInput, headers: Record<string, string>, query = '') {
  return admin({
    method: 'PUT',
    path: `/v1/role-mappings/${document.id}${query}`,
    headers: { ...reason, ...headers },
    body: document,
  });
}

function remove(id: string, headers: Record<string, string>, query = '') {
  const path = `/v1/role-mappings/${id}${query}`;
  return admin({ method: 'DELETE', path, headers: { ...reason, ...headers } });
}

describe('the admin listener answers as documented', () => {
  it('to one who creates, reads, replaces and deletes a role mapping', async () => {
    const document = allow('books', 'orders', {
      conditions: { scopes: ['orders/write'], sourceCidrs: ['0.0.0.0/0'] },
      session: { policy: { Version: '2012-10-17', Statement: [] } },
    });
    const sound = {
      ...document,
      session: {
        policy: {
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: '*' }],
        },
      },
    };
    expect((await put(document, { 'if-none-match': '*' })).status).toBe(422);
    const created = await put(sound, { 'if-none-match': '*' });
    expect([created.status, created.headers['etag']]).toEqual([201, '"1"']);
    expect((await put(sound, { 'if-none-match': '*' })).status).toBe(412);

    const path = '/v1/role-mappings/books';
    const read = await admin({ path });
    expect([read.status, read.headers['etag']]).toEqual([200, '"1"']);
    expect((await admin({ path, method: 'HEAD' })).status).toBe(200);

    const changed = { ...sound, precedence: 5, session: { durationSeconds: 900 } };
    const preview = await put(changed, { 'if-match': '"1"' }, '?dryRun=true');
    expect([preview.status, preview.headers['etag'], preview.body.dryRun]).toEqual([
      200,
      undefined,
      true,
    ]);
    expect(preview.body.warnings).not.toEqual([]);
    const replaced = await put(changed, { 'if-match': '"1"' });
    expect([replaced.status, replaced.headers['etag']]).toEqual([200, '"2"']);

    const page = await admin({ path: `${path}/versions?limit=1` });
    expect([page.status, page.headers['link']]).toEqual([
      200,
      expect.stringContaining('rel="next"'),
    ]);
    const next = await admin({ path: `${path}/versions?limit=1&cursor=${page.body.nextCursor}` });
    expect(next.body.items[0].version).toBe(1);
    expect((await admin({ path: `${path}/versions/1` })).body.mapping.precedence).toBe(100);

    expect((await remove('books', {})).status).toBe(428);
    expect((await remove('books', { 'if-match': '"1"' })).status).toBe(412);
    expect((await remove('books', { 'if-match': '"2"' }, '?dryRun=true')).status).toBe(200);
    const removed = await remove('books', { 'if-match': '"2"' });
    expect([removed.status, removed.body.mapping]).toEqual([200, null]);
    expect((await admin({ path })).status).toBe(404);
    expect((await admin({ path: `${path}/versions/3` })).body.mapping).toBe(null);
  });

  it('to one who lists what there is, what was changed, and who can get a role', async () => {
    const all = await admin({ path: '/v1/role-mappings?limit=2' });
    expect([all.status, all.body.items.length]).toEqual([200, 2]);
    expect(all.headers['link']).toContain(`cursor=${all.body.nextCursor}`);
    const filters = `pool=${pool}&client=${clients.orders.clientId}&effect=allow&managedBy=api&enabled=true&owner=test-team`;
    const some = await admin({ path: `/v1/role-mappings?${filters}` });
    expect(some.body.items.map((it: { mapping: { id: string } }) => it.mapping.id)).toEqual([
      'orders-writer',
    ]);
    const changes = await admin({ path: '/v1/changes?since=1&limit=2' });
    expect([changes.status, changes.body.through]).toEqual([200, 3]);
    const role = roleNamed('orders-writer');
    const principals = await admin({ path: `/v1/principals?role=${role}` });
    expect([principals.status, principals.body.items.length]).toEqual([200, 1]);
    const whose = `pool=${pool}&client=${clients.reports.clientId}`;
    const permissions = await admin({ path: `/v1/permissions?${whose}&limit=1` });
    expect([permissions.status, permissions.body.items.length]).toEqual([200, 1]);
    expect(permissions.headers['link']).toContain(`/v1/permissions?${whose}&limit=1&cursor=`);
  });

  it.each([
    ['allowed', { client: clients.orders.clientId, scopes: ['orders/write'] }, 'allow'],
    ['denied', { client: clients.orders.clientId }, 'deny'],
    ['left to choose', { client: clients.reports.clientId, scopes: ['reports/read'] }, 'ambiguous'],
  ])('to one who asks why a caller is %s', async (_what, caller, outcome) => {
    const body = { caller: { pool, ...caller } };
    const answer = await admin({ method: 'POST', path: '/v1/explain', body });
    expect([answer.status, answer.body.decision.outcome]).toEqual([200, outcome]);
  });

  it.each([
    ['a good token', () => broker.token('orders'), undefined],
    ['a token without audience', () => broker.token('legacy'), 'token_audience_missing'],
    ['a token that is refused', () => 'eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl', 'token_malformed'],
  ])('to one who asks about %s', async (_what, token, refused) => {
    const body = {
      token: token(),
      request: { role: 'legacy-reader', durationSeconds: 900, sourceIp: '192.0.2.1' },
    };
    const answer = await admin({ method: 'POST', path: '/v1/explain', body });
    expect([answer.status, answer.body.refusal?.code]).toEqual([200, refused]);
  });

  it('to one who freezes and unfreezes', async () => {
    const body = { principal: { pool, client: clients.orders.clientId }, role: '*' };
    const freeze = (query = '') =>
      admin({ method: 'POST', path: `/v1/freezes${query}`, headers: reason, body });
    expect((await freeze('?dryRun=true')).status).toBe(200);
    const frozen = await freeze();
    expect([frozen.status, frozen.headers['etag'], frozen.body.inForce]).toEqual([
      201,
      '"1"',
      true,
    ]);
    expect(frozen.body.revokeSessions.role).toBe('*');
    expect(frozen.body.takesAway).toEqual({ mappings: 1, roles: 1 });
    expect((await broker.issue('orders')).status).toBe(403);
    const listed = await admin({ path: '/v1/freezes?limit=1' });
    expect(listed.body.items.map((it: { version: number }) => it.version)).toEqual([1]);

    const path = `/v1/freezes/${frozen.body.id}`;
    expect((await admin({ method: 'DELETE', path, headers: reason })).status).toBe(200);
    expect((await admin({ method: 'DELETE', path, headers: reason })).status).toBe(404);
    expect((await broker.issue('orders')).status).toBe(200);
  });

  it('to one who may not, or does not say what is needed', async () => {
    const path = '/v1/role-mappings';
    const sound = allow('books', 'orders');
    const refusals: [Promise<Answer>, string][] = [
      [broker.call({ listener: 'admin', path }), '401 token_missing'],
      [admin({ path, token: broker.token('orders') }), '403 access_denied'],
      [
        admin({ path, token: broker.token('admin', { scopes: ['x/y'] }) }),
        '403 scope_insufficient',
      ],
      [admin({ path: `${path}?limit=0` }), '400 query_invalid'],
      [admin({ path: `${path}?limt=1` }), '400 query_invalid'],
      [admin({ path: `${path}?cursor=x` }), '400 query_invalid'],
      [admin({ path: `${path}/no-such-mapping` }), '404 mapping_not_found'],
      [admin({ path: `${path}/no-such-mapping/versions` }), '404 mapping_not_found'],
      [admin({ path: `${path}/orders-writer/versions/99` }), '404 mapping_not_found'],
      [admin({ path: `${path}/orders-writer/versions/x` }), '404 mapping_not_found'],
      [admin({ path: '/v1/principals' }), '400 query_invalid'],
      [admin({ path: `/v1/permissions?pool=${pool}` }), '400 query_invalid'],
      [admin({ path: '/v1/explain', method: 'POST', body: {} }), '400 body_invalid'],
      [admin({ path: '/v1/explain', method: 'POST', body: '{' }), '400 body_malformed'],
      [put(sound, {}), '428 precondition_required'],
      [put(sound, { 'if-match': '"7"' }), '404 mapping_not_found'],
      [put(sound, { 'if-none-match': '*', 'change-reason': '' }), '400 change_reason_required'],
      [put({ ...sound, managedBy: 'git' }, { 'if-none-match': '*' }), '409 mapping_managed_by_git'],
      [put({ ...sound, role: '*' }, { 'if-none-match': '*' }), '422 mapping_invalid'],
    ];
    for (const [answering, expected] of refusals) {
      const { status, body, headers } = await answering;
      expect(`${status} ${body.code}`).toBe(expected);
      if (body.code === 'scope_insufficient') {
        expect(headers['www-authenticate']).toBe(
          'Bearer realm="token-broker", error="insufficient_scope", scope="broker/admin.read"',
        );
      }
    }
  });

  it('while the table is away', async () => {
    broker.dynamodb.setFault({ kind: 'error', type: 'InternalServerError', status: 500 });
    const answer = await admin({ path: '/v1/role-mappings/orders-writer' });
    expect([answer.status, answer.body.code]).toEqual([503, 'table_unavailable']);
    expect((await admin({ path: '/v1/role-mappings' })).status).toBe(200);
    broker.dynamodb.setFault();
  });
});
