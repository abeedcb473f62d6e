import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type AdminHarness,
  adminClient,
  adminPool,
  callerClient,
  readScope,
  startAdmin,
  testMapping,
} from '../../support/admin-harness.ts';
import { secretsIn } from '../../support/secrets-in.ts';

let admin: AdminHarness;
const path = '/v1/role-mappings/audited';
const because = { 'change-reason': 'INC-2: somebody asked' };

beforeAll(async () => {
  admin = await startAdmin();
  await admin.create(testMapping('audited'));
});

afterEach(() => admin.dynamodb.setFault());

afterAll(() => admin.stop());

const replace = (changes: object, version: number) =>
  admin.send('PUT', path, {
    headers: { ...because, 'if-match': `"${version}"`, 'user-agent': 'the test' },
    body: testMapping('audited', changes),
  });
const version = async () => (await admin.table.get('audited'))?.version ?? 0;

describe('the record of an edit (T53)', () => {
  it('says who, from where, why, and what was before and after', async () => {
    const { headers } = await replace({ description: 'second' }, 1);
    expect(admin.records().at(-1)).toMatchObject({
      type: 'mapping_change',
      outcome: 'authorized',
      requestId: headers.get('x-request-id'),
      route: '/v1/role-mappings/{id}',
      sourceIp: '127.0.0.1',
      userAgent: 'the test',
      token: { pool: adminPool, clientId: adminClient, use: 'access' },
      actor: `${adminPool}/${adminClient}`,
      actorProven: true,
      action: 'replace',
      mappingId: 'audited',
      baseVersion: 1,
      reason: because['change-reason'],
      before: testMapping('audited'),
      after: testMapping('audited', { description: 'second' }),
    });
  });

  it('is one per edit that was made, and the table has as many changes', async () => {
    const authorized = admin.records().filter(({ outcome }) => outcome === 'authorized');
    expect(authorized).toHaveLength(await admin.table.head());
  });

  it('exists for refused attempts, and says how far they came', async () => {
    const refused = async (request: Parameters<AdminHarness['send']>[2]) => {
      const { status, body } = await admin.send('PUT', path, request);
      const { outcome, code, token, reason } = admin.records().at(-1);
      expect([status >= 400, outcome, code]).toEqual([true, 'refused', body.code]);
      return { code, known: Object.keys(token ?? {}).sort(byText), reason };
    };
    const body = testMapping('audited', { owner: 'thief' });
    const headers = { ...because, 'if-match': '"1"' };

    expect(await refused({ token: null, headers, body })).toMatchObject({
      code: 'token_missing',
      known: [],
    });
    expect(await refused({ token: 'x.y.z', headers, body })).toMatchObject({
      code: 'token_malformed',
      known: ['sha256'],
    });
    const known = ['clientId', 'id', 'issuer', 'pool', 'sha256', 'subject', 'use'];
    const caller = admin.token({ clientId: callerClient });
    expect(await refused({ token: caller, headers, body })).toMatchObject({
      code: 'access_denied',
      known,
    });
    const reader = admin.token({ scopes: [readScope] });
    expect(await refused({ token: reader, headers, body })).toMatchObject({
      code: 'scope_insufficient',
      known,
    });
    expect(await refused({ headers, body: '{' })).toMatchObject({ code: 'body_malformed', known });
    expect(await refused({ headers, body: { ...body, role: '*' } })).toMatchObject({
      code: 'mapping_invalid',
      reason: because['change-reason'],
    });
    expect(await refused({ headers, body })).toMatchObject({ code: 'precondition_failed' });
  });

  it('is not made for reads and previews', async () => {
    const before = admin.records().length;
    await admin.send('GET', '/v1/role-mappings');
    await admin.send('GET', path, { token: null });
    await admin.send('GET', '/v1/changes');
    await admin.send('POST', '/v1/explain', {
      body: { caller: { pool: adminPool, client: callerClient } },
    });
    await admin.send('PUT', `${path}?dryRun=true`, { headers: because, body: {} });
    expect(admin.records()).toHaveLength(before);
  });

  it('never holds the token', async () => {
    const token = admin.token();
    await admin.send('PUT', path, { token, headers: because, body: {} });
    expect(secretsIn(JSON.stringify(admin.records()), [token])).toEqual([]);
  });
});

describe('when the table is away', () => {
  it('says so, and the log tells that the authorized change was not made', async () => {
    const current = await version();
    admin.dynamodb.setFault({
      kind: 'error',
      operations: ['TransactWriteItems'],
      type: 'AccessDeniedException',
      status: 400,
    });
    const { status, body } = await replace({ description: 'never' }, current);

    expect([status, body.code]).toEqual([503, 'table_unavailable']);
    expect(
      admin
        .records()
        .slice(-2)
        .map(({ outcome, code }) => [outcome, code]),
    ).toEqual([
      ['authorized', undefined],
      ['failed', 'table_unavailable'],
    ]);
    expect(await version()).toBe(current);
  });

  it('records a failed attempt where the table does not even tell the current version', async () => {
    const current = await version();
    admin.dynamodb.setFault({
      kind: 'error',
      operations: ['GetItem'],
      type: 'AccessDeniedException',
      status: 400,
    });
    const { status } = await replace({}, current);
    expect(status).toBe(503);
    expect(admin.records().at(-1)).toMatchObject({
      outcome: 'failed',
      code: 'table_unavailable',
      before: null,
    });
  });

  it('makes an edit whose answer was lost once, and says that it was made', async () => {
    const current = await version();
    const head = await admin.table.head();
    admin.dynamodb.setFault({ kind: 'loseAnswer', operations: ['TransactWriteItems'], times: 1 });
    const { status, body } = await replace({ description: 'once' }, current);

    expect([status, body.version]).toEqual([200, current + 1]);
    expect(await admin.table.head()).toBe(head + 1);
  });
});

describe('when nobody knows whether the table wrote', () => {
  it('says that, to the editor and in the log', async () => {
    const own = await startAdmin({ writeTimeoutMs: 200 });
    try {
      own.dynamodb.setFault({ kind: 'reset', operations: ['TransactWriteItems'] });
      const { status, body } = await own.create(testMapping('perhaps'));
      expect([status, body.code]).toEqual([503, 'table_unavailable']);
      expect(body.detail).toContain('it is not known whether the change was made');
      expect(own.records().map(({ outcome }) => outcome)).toEqual(['authorized', 'unknown']);
    } finally {
      await own.stop();
    }
  });
});

describe('when the audit log does not accept records', () => {
  it('refuses every edit with 503 and leaves the table as it is, and shows nothing', async () => {
    const own = await startAdmin();
    try {
      await own.create(testMapping('kept'));
      await own.audit.stop();
      const headers = { ...because, 'if-match': '"1"' };
      const answers = [
        await own.send('PUT', '/v1/role-mappings/kept', { headers, body: testMapping('kept') }),
        await own.send('DELETE', '/v1/role-mappings/kept', { headers }),
        await own.create(testMapping('new')),
        await own.send('POST', '/v1/freezes', {
          headers: because,
          body: { principal: { pool: adminPool, client: callerClient }, role: '*' },
        }),
        await own.send('POST', '/v1/explain', { body: { token: own.token() } }),
      ];
      for (const { status, body } of answers) {
        expect([status, body.code]).toEqual([503, 'audit_unavailable']);
      }
      expect(await own.table.head()).toBe(1);
      expect((await own.send('GET', '/v1/role-mappings/kept')).status).toBe(503);
    } finally {
      await own.stop();
    }
  });
});

function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}
