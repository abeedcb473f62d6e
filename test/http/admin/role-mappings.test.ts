import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type AdminAnswer,
  type AdminHarness,
  adaSub,
  adminClient,
  adminPool,
  because,
  callerClient,
  nextPage,
  readScope,
  refusal,
  startAdmin,
  testMapping,
  testRole,
} from '../../support/admin-harness.ts';
import { claimRef } from '../../support/domain.ts';

let admin: AdminHarness;

beforeAll(async () => {
  admin = await startAdmin();
});

afterAll(() => admin.stop());

const path = (id: string) => `/v1/role-mappings/${id}`;
const remove = (id: string, version: number, query = '') =>
  admin.send('DELETE', path(id) + query, {
    headers: { ...because, 'if-match': `"${version}"` },
  });

describe('creating, replacing and deleting', () => {
  it('creates a mapping that is in force at once, and tells its ETag', async () => {
    const mapping = testMapping('created', {
      role: `${testRole}-created`,
      conditions: { caller: 'machine' },
    });
    const created = await admin.create(mapping);

    expect(created.status).toBe(201);
    expect(created.headers.get('etag')).toBe('"1"');
    expect(created.body).toMatchObject({
      id: 'created',
      action: 'create',
      dryRun: false,
      version: 1,
      inForce: true,
      mapping,
      changes: [{ pointer: '', after: mapping }],
      warnings: [],
    });
    expect(admin.policy.current().byId.has('created')).toBe(true);
  });

  it('reads what was written, with who, when and why', async () => {
    await admin.create(testMapping('read-back'));
    const read = await admin.send('GET', path('read-back'), {
      token: admin.token({ scopes: [readScope] }),
    });

    expect(read.status).toBe(200);
    expect(read.headers.get('etag')).toBe('"1"');
    expect(read.headers.get('cache-control')).toBe('no-store');
    expect(read.body).toMatchObject({
      id: 'read-back',
      version: 1,
      action: 'create',
      updatedBy: `${adminPool}/${adminClient}`,
      reason: 'a test needs it',
      mapping: testMapping('read-back'),
    });
  });

  it('names the person, not only their app client, in the history', async () => {
    const token = admin.token({ user: 'ada', scopes: ['broker/admin.read', 'broker/admin.write'] });
    const request = { token, headers: { ...because, 'if-none-match': '*' } };
    await admin.send('PUT', path('by-ada'), { ...request, body: testMapping('by-ada') });

    const { body } = await admin.send('GET', path('by-ada'));
    expect(body.updatedBy).toBe(`${adminPool}/${adminClient}/${adaSub}`);
  });

  it('T59: version, history and change log name an editor who has proven it, and one who has not', async () => {
    const id = 'proven-or-not';
    await admin.create(testMapping(id));
    const revision = await admin.table.head();
    const mapping = testMapping(id, { description: 'by command' });
    const actor = `${adminPool}/${adminClient}`;
    await admin.table.write({ id, expectedVersion: 1, mapping, actor, reason: 'around the API' });
    const shown = async (url: string) => (await admin.send('GET', url)).body;
    expect(await shown(path(id))).toMatchObject({ updatedBy: actor, actorProven: false });
    expect((await shown(`${path(id)}/versions`)).items).toMatchObject([
      { version: 2, actorProven: false },
      { version: 1, actorProven: true },
    ]);
    expect((await shown(`/v1/changes?since=${revision - 1}`)).items).toMatchObject([
      { version: 1, actorProven: true },
      { version: 2, actorProven: false },
    ]);
  });

  it('replaces the version that was read, and shows what is different', async () => {
    await admin.create(testMapping('replaced'));
    const replaced = await admin.replace('replaced', 1, {
      conditions: { scopes: ['orders/write'] },
      description: 'now with a scope',
    });

    expect([replaced.status, replaced.headers.get('etag')]).toEqual([200, '"2"']);
    expect(replaced.body.changes).toEqual([
      { pointer: '/description', before: '', after: 'now with a scope' },
      { pointer: '/conditions/scopes', after: ['orders/write'] },
    ]);
  });

  it('deletes the version that was read, from the policy in force too', async () => {
    await admin.create(testMapping('deleted'));
    const deleted = await remove('deleted', 1);

    expect([deleted.status, deleted.headers.get('etag')]).toEqual([200, null]);
    expect(deleted.body).toMatchObject({ action: 'delete', mapping: null, inForce: true });
    expect(refusal(await admin.send('GET', path('deleted')))).toEqual([404, 'mapping_not_found']);
    expect(admin.policy.current().byId.has('deleted')).toBe(false);
  });

  it('goes on counting versions after a deletion, so that no ETag ever means two things', async () => {
    await admin.create(testMapping('phoenix'));
    await remove('phoenix', 1);
    const again = await admin.create(testMapping('phoenix'));

    expect([again.status, again.headers.get('etag')]).toEqual([201, '"3"']);
  });

  it('refuses a document whose id is not the one in the path', async () => {
    const { status, body } = await admin.send('PUT', path('one'), {
      headers: { ...because, 'if-none-match': '*' },
      body: testMapping('another'),
    });
    expect([status, body.code]).toEqual([422, 'mapping_invalid']);
    expect(body.errors).toEqual([{ pointer: '/id', detail: 'must equal the id in the path' }]);
  });

  it('names every fault of a mapping that cannot work', async () => {
    const { status, body } = await admin.send('PUT', path('faulty'), {
      headers: { ...because, 'if-none-match': '*' },
      body: {
        ...testMapping('faulty'),
        principal: { pool: '*', any: true },
        session: { name: '{nonsense}', durationSeconds: 7200, maxDurationSeconds: 3600 },
      },
    });
    expect([status, body.code]).toEqual([422, 'mapping_invalid']);
    expect(body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([
      '/principal',
      '/session/durationSeconds',
      '/session/name',
    ]);
  });

  it('warns of what is legal but doubtful', async () => {
    await admin.create(testMapping('overlapped', { role: `${testRole}-2` }));
    const { body } = await admin.create(
      testMapping('overlapping', {
        role: `${testRole}-2`,
        conditions: { expiresAt: '2020-01-01T00:00:00Z' },
        session: { durationSeconds: 900 },
      }),
    );
    expect(body.warnings.map(({ pointer }: { pointer: string }) => pointer)).toEqual([
      '/conditions/expiresAt',
      '/session/durationSeconds',
      '/principal/client',
      '/role',
    ]);
  });

  it.each<[string, unknown, unknown]>([
    [
      'warns of a claim whose value reaches what belongs to a longer one',
      { Resource: `arn:aws:s3:::b/${claimRef('custom:team')}*` },
      [201, ['/session/policy/Statement/0/Resource']],
    ],
    [
      'warns of a claim that says what a caller does not get',
      { NotResource: `arn:aws:s3:::b/${claimRef('custom:team')}/*` },
      [201, ['/session/policy/Statement/0/NotResource']],
    ],
    [
      'refuses a claim that turns a condition round',
      { Resource: '*', Condition: { Null: { 'aws:TokenIssueTime': claimRef('custom:team') } } },
      [422, ['/session/policy/Statement/0/Condition/Null/aws:TokenIssueTime']],
    ],
  ])('%s (T185)', async (what, fields, expected) => {
    const id = `claims-${what.length}`;
    const statement = { Effect: 'Allow', Action: 's3:GetObject', ...(fields as object) };
    const policy = { Version: '2012-10-17', Statement: [statement] };
    const { status, body } = await admin.create(
      testMapping(id, {
        principal: { pool: adminPool, group: id },
        role: `${testRole}-${id}`,
        session: { policy },
      }),
    );
    const told = body.warnings ?? body.errors;
    expect([status, told.map(({ pointer }: { pointer: string }) => pointer)]).toEqual(expected);
  });
});

describe('preconditions (T51)', () => {
  beforeAll(async () => {
    await admin.create(testMapping('guarded'));
    await admin.replace('guarded', 1, { description: 'second' });
  });

  const put = (headers: Record<string, string>) =>
    admin.send('PUT', path('guarded'), {
      headers: { ...because, ...headers },
      body: testMapping('guarded'),
    });

  it.each([
    ['none', {}, 428, 'precondition_required'],
    ['any version', { 'if-match': '*' }, 428, 'precondition_required'],
    ['any other tag than none', { 'if-none-match': '"1"' }, 428, 'precondition_required'],
    ['an old version', { 'if-match': '"1"' }, 412, 'precondition_failed'],
    ['a version to come', { 'if-match': '"3"' }, 412, 'precondition_failed'],
    ['a weak tag', { 'if-match': 'W/"2"' }, 412, 'precondition_failed'],
    ['a bare number', { 'if-match': '2' }, 412, 'precondition_failed'],
    ['several tags', { 'if-match': '"1", "2"' }, 412, 'precondition_failed'],
    ['that it be new', { 'if-none-match': '*' }, 412, 'precondition_failed'],
    ['both', { 'if-match': '"2"', 'if-none-match': '*' }, 412, 'precondition_failed'],
  ])('refuses a replacement on the condition of %s', async (_what, headers, status, code) => {
    const before = await admin.table.head();
    expect(refusal(await put(headers))).toEqual([status, code]);
    expect(await admin.table.head()).toBe(before);
  });

  it('refuses a deletion without If-Match or with a stale one', async () => {
    const unconditional = await admin.send('DELETE', path('guarded'), { headers: because });
    expect(refusal(unconditional)).toEqual([428, 'precondition_required']);
    expect(refusal(await remove('guarded', 1))).toEqual([412, 'precondition_failed']);
  });

  it('says 404 for an edit of what is not there', async () => {
    expect(refusal(await admin.replace('absent', 1))).toEqual([404, 'mapping_not_found']);
    expect(refusal(await remove('absent', 1))).toEqual([404, 'mapping_not_found']);
  });
});

describe('the reason of a change', () => {
  const create = (headers: Record<string, string>) =>
    admin.send('PUT', path('reasoned'), {
      headers: { 'if-none-match': '*', ...headers },
      body: testMapping('reasoned'),
    });

  it.each([
    ['none', {}],
    ['an empty one', { 'change-reason': '' }],
    ['blanks', { 'change-reason': '   ' }],
    ['more than 500 characters', { 'change-reason': 'x'.repeat(501) }],
    ['a tab', { 'change-reason': 'one\ttwo' }],
    ['bytes that are not UTF-8', { 'change-reason': '\xff\xfe' }],
    ['text that hides its direction', { 'change-reason': utf8('safe \u202e text') }],
  ])('is required: refuses %s', async (_what, headers) => {
    expect(refusal(await create(headers as Record<string, string>))).toEqual([
      400,
      'change_reason_required',
    ]);
  });

  it('may be in any language, and is kept as it is', async () => {
    const reason = 'Bestellungen ziehen um – wie in Störung №7 beschlossen';
    await create({ 'change-reason': utf8(reason) });
    const { body } = await admin.send('GET', path('reasoned'));
    expect(body.reason).toBe(reason);
  });
});

describe('mappings managed from Git', () => {
  const fromGit = { managedBy: 'git' as const };

  const createFromGit = (id: string) =>
    admin.send('PUT', `${path(id)}?override=true`, {
      headers: { ...because, 'if-none-match': '*' },
      body: testMapping(id, fromGit),
    });

  it('are not changed, deleted or claimed by hand', async () => {
    await createFromGit('from-git');
    await admin.create(testMapping('from-hand'));
    const expected = [409, 'mapping_managed_by_git'];
    expect(refusal(await admin.replace('from-git', 1, { ...fromGit, enabled: false }))).toEqual(
      expected,
    );
    expect(refusal(await admin.replace('from-git', 1))).toEqual(expected);
    expect(refusal(await remove('from-git', 1))).toEqual(expected);
    expect(refusal(await admin.replace('from-hand', 1, fromGit))).toEqual(expected);
  });

  it('are changed by whoever says ?override=true, and the audit log keeps that', async () => {
    const id = 'overridden';
    await createFromGit(id);
    const replaced = await admin.replace(id, 1, { ...fromGit, enabled: false }, '?override=true');
    expect(replaced.status).toBe(200);
    expect(admin.records().at(-1)).toMatchObject({ mappingId: id, override: true });
  });
});

describe('?dryRun=true', () => {
  beforeAll(async () => {
    await admin.create(testMapping('rehearsed'));
  });

  it('shows what an edit would change, for the read scope, and writes nothing anywhere', async () => {
    const head = await admin.table.head();
    const records = admin.records().length;
    const token = admin.token({ scopes: [readScope] });
    const previews = [
      await admin.send('PUT', `${path('rehearsed')}?dryRun=true`, {
        token,
        headers: { ...because, 'if-match': '"1"' },
        body: testMapping('rehearsed', { enabled: false }),
      }),
      await admin.send('PUT', `${path('not-yet')}?dryRun=true`, {
        token,
        headers: { ...because, 'if-none-match': '*' },
        body: testMapping('not-yet'),
      }),
      await admin.send('DELETE', `${path('rehearsed')}?dryRun=true`, {
        token,
        headers: { ...because, 'if-match': '"1"' },
      }),
      await admin.send('POST', '/v1/freezes?dryRun=true', {
        token,
        headers: because,
        body: { principal: { pool: adminPool, client: callerClient }, role: '*' },
      }),
    ];

    expect(previews.map(({ status, body }) => [status, body.dryRun, body.action])).toEqual([
      [200, true, 'replace'],
      [200, true, 'create'],
      [200, true, 'delete'],
      [200, true, 'create'],
    ]);
    expect(previews[0]?.body.changes).toEqual([
      { pointer: '/enabled', before: true, after: false },
    ]);
    expect(previews.map(({ headers }) => headers.get('etag'))).toEqual([null, null, null, null]);
    expect(await admin.table.head()).toBe(head);
    expect(admin.records()).toHaveLength(records);
  });

  it('checks what the edit would be checked for', async () => {
    expect(refusal(await admin.replace('rehearsed', 7, {}, '?dryRun=true'))).toEqual([
      412,
      'precondition_failed',
    ]);
    expect(refusal(await admin.replace('rehearsed', 1, { role: '*' }, '?dryRun=true'))).toEqual([
      422,
      'mapping_invalid',
    ]);
  });
});

describe('history', () => {
  async function createStory(id: string) {
    await admin.create(testMapping(id));
    await admin.replace(id, 1, { description: 'second' });
    await remove(id, 2);
  }
  beforeAll(() => createStory('storied'));

  it('has every version, newest first, with deletions, page by page', async () => {
    const first = await admin.send('GET', `${path('storied')}/versions?limit=2`);
    expect(first.body.items.map(({ version, action }: never) => [version, action])).toEqual([
      [3, 'delete'],
      [2, 'replace'],
    ]);
    const second = await admin.send('GET', String(nextPage(first)));
    expect(second.body.items).toHaveLength(1);
    expect(second.body.items[0]).toMatchObject({ version: 1, mapping: testMapping('storied') });
    expect([second.body.nextCursor, second.headers.get('link')]).toEqual([undefined, null]);
  });

  it('gives an old version back by an ordinary edit', async () => {
    await createStory('retold');
    const old = await admin.send('GET', `${path('retold')}/versions/2`);
    const restored = await admin.create(old.body.mapping);
    expect([restored.status, restored.body.version]).toEqual([201, 4]);
    expect(restored.body.mapping.description).toBe('second');
  });

  it.each(['storied/versions/99', 'storied/versions/0', 'storied/versions/x', 'never/versions'])(
    'says 404 for %s',
    async (suffix) => {
      expect(refusal(await admin.send('GET', path(suffix)))).toEqual([404, 'mapping_not_found']);
    },
  );

  it('has the change log without gaps, oldest first, page by page', async () => {
    const head = await admin.table.head();
    const revisions: number[] = [];
    let next: string | undefined = '/v1/changes?limit=3';
    while (next !== undefined) {
      const page: AdminAnswer = await admin.send('GET', next);
      expect(page.body.revision).toBe(head);
      revisions.push(...page.body.items.map(({ revision }: { revision: number }) => revision));
      next = nextPage(page);
    }
    expect(revisions).toEqual(Array.from({ length: head }, (_, index) => index + 1));
  });

  it('tells nothing new to whoever has seen everything', async () => {
    const head = await admin.table.head();
    const { body } = await admin.send('GET', `/v1/changes?since=${head}`);
    expect(body).toEqual({ revision: head, through: head, items: [] });
    const { body: beyond } = await admin.send('GET', '/v1/changes?since=999999999');
    expect(beyond.items).toEqual([]);
  });

  it('shows a change with its document before and after', async () => {
    const { body } = await admin.send('GET', '/v1/changes?limit=200');
    const change = body.items.find(
      ({ id, version }: { id: string; version: number }) => id === 'storied' && version === 2,
    );
    expect(change).toMatchObject({
      action: 'replace',
      reason: because['change-reason'],
      before: testMapping('storied'),
      after: testMapping('storied', { description: 'second' }),
    });
  });
});

describe('a row that cannot be read', () => {
  it('is reported in the list, shown as it is, and can be repaired by an edit', async () => {
    await admin.create(testMapping('poisoned'));
    const mapping = testMapping('poisoned', { conditions: { claims: { 'custom:cost': ['7'] } } });
    await admin.looserTable.write({
      id: 'poisoned',
      expectedVersion: 1,
      mapping,
      actor: 'another broker',
      reason: 'its configuration lets mappings match more claims',
    });
    await admin.policy.refresh();

    const { body: list } = await admin.send('GET', '/v1/role-mappings?limit=200');
    const [report] = list.quarantined;
    expect(report).toMatchObject({ id: 'poisoned', version: 2 });
    expect(list.items.map((item: { mapping: { id: string } }) => item.mapping.id)).not.toContain(
      'poisoned',
    );
    const { body: read, headers } = await admin.send('GET', path('poisoned'));
    expect(headers.get('etag')).toBe('"2"');
    expect(read).toMatchObject({ mapping: null, document: mapping });
    expect(read.faults.map(({ pointer }: { pointer: string }) => pointer)).toEqual([
      '/conditions/claims/custom:cost',
    ]);

    expect((await admin.replace('poisoned', 2)).status).toBe(200);
    const { body: repaired } = await admin.send('GET', '/v1/role-mappings');
    expect(repaired.quarantined).toEqual([]);
  });
});

function utf8(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
