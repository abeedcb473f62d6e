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
const because = { 'change-reason': 'INC-2: somebody asked' };

beforeAll(async () => {
  admin = await startAdmin();
});

afterEach(() => admin.dynamodb.setFault());

afterAll(() => admin.stop());

let count = 0;

/** A mapping of version 1, which nobody else edits. */
async function created() {
  count += 1;
  const id = `audited-${count}`;
  await admin.create(testMapping(id));
  return { id, path: `/v1/role-mappings/${id}` };
}

const replace = (id: string, changes: object, version = 1) =>
  admin.send('PUT', `/v1/role-mappings/${id}`, {
    headers: { ...because, 'if-match': `"${version}"`, 'user-agent': 'the test' },
    body: testMapping(id, changes),
  });
const versionOf = async (id: string) => (await admin.table.get(id))?.version;
const authorized = () => admin.records().filter(({ outcome }) => outcome === 'authorized').length;

describe('the record of an edit (T53)', () => {
  it('says who, from where, why, and what was before and after', async () => {
    const { id } = await created();
    const { headers } = await replace(id, { description: 'second' });
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
      mappingId: id,
      baseVersion: 1,
      reason: because['change-reason'],
      before: testMapping(id),
      after: testMapping(id, { description: 'second' }),
    });
  });

  it('is one per edit that was made, and the table has as many changes', async () => {
    const [records, head] = [authorized(), await admin.table.head()];
    const { id } = await created();
    await replace(id, { description: 'second' });
    await replace(id, { description: 'never' });
    await replace(id, { description: 'third' }, 2);
    expect([authorized() - records, (await admin.table.head()) - head]).toEqual([3, 3]);
  });

  it('exists for refused attempts, and says how far they came', async () => {
    const { id, path } = await created();
    await replace(id, { description: 'second' });
    const refused = async (request: Parameters<AdminHarness['send']>[2]) => {
      const { status, body } = await admin.send('PUT', path, request);
      const { outcome, code, token, reason } = admin.records().at(-1);
      expect([status >= 400, outcome, code]).toEqual([true, 'refused', body.code]);
      return { code, known: Object.keys(token ?? {}).sort(byText), reason };
    };
    const body = testMapping(id, { owner: 'thief' });
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
    const { path } = await created();
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
    const { path } = await created();
    const token = admin.token();
    await admin.send('PUT', path, { token, headers: because, body: {} });
    expect(secretsIn(JSON.stringify(admin.records()), [token])).toEqual([]);
  });
});

describe('when the table is away', () => {
  it('says so, and the log tells that the authorized change was not made', async () => {
    const { id } = await created();
    admin.dynamodb.setFault({
      kind: 'error',
      operations: ['TransactWriteItems'],
      type: 'AccessDeniedException',
      status: 400,
    });
    const { status, body } = await replace(id, { description: 'never' });

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
    expect(await versionOf(id)).toBe(1);
  });

  it('records a failed attempt where the table does not even tell the current version', async () => {
    const { id } = await created();
    admin.dynamodb.setFault({
      kind: 'error',
      operations: ['GetItem'],
      type: 'AccessDeniedException',
      status: 400,
    });
    const { status } = await replace(id, {});
    expect(status).toBe(503);
    expect(admin.records().at(-1)).toMatchObject({
      outcome: 'failed',
      code: 'table_unavailable',
      before: null,
    });
  });

  it('makes an edit whose answer was lost once, and says that it was made', async () => {
    const { id } = await created();
    const head = await admin.table.head();
    admin.dynamodb.setFault({ kind: 'loseAnswer', operations: ['TransactWriteItems'], times: 1 });
    const { status, body } = await replace(id, { description: 'once' });

    expect([status, body.version]).toEqual([200, 2]);
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
