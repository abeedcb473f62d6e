import { hash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { BrokenGlass } from '../../../src/core/editing/mapping-edit.ts';
import { timePart } from '../../../src/core/editing/proposal.ts';
import { noApproval } from '../../../src/core/policy/approval.ts';
import type { RoleMappingInput } from '../../../src/core/policy/role-mapping.ts';
import { proposalItem } from '../../../src/dynamodb/proposal-item.ts';
import {
  type AdminAnswer,
  type AdminHarness,
  adaSub,
  adminClient,
  adminGroup,
  adminPool,
  callerClient,
  freezeScope,
  nextPage,
  readScope,
  startAdmin,
  testMapping,
  testRole,
  writeScope,
} from '../../support/admin-harness.ts';
import { portion } from '../../support/fuzz-budget.ts';

const scopes = [readScope, writeScope, freezeScope];
const brokenGlass: BrokenGlass[] = [];
/** As the configuration has it at the moment. */
const access = {
  clients: new Set([adminClient, callerClient]),
  groups: new Set([adminGroup, 'customers', 'auditors']),
  users: new Set([adaSub]),
  machines: true,
};
let admin: AdminHarness;

beforeAll(async () => {
  admin = await startAdmin({
    guardrails: {
      approval: {
        ...noApproval,
        when: 'widens',
        approvers: ['billing', 'customers'],
        breakGlass: [adminGroup],
        personClaim: 'custom:team',
      },
    },
    access,
    onBreakGlass: (edit) => brokenGlass.push(edit),
  });
});
afterAll(() => admin.stop());
afterEach(() => admin.dynamodb.setFault());

type Person = 'ada' | 'grace' | 'cleo' | 'eve';

/** Each is a person of their own, unless `person` says otherwise. */
function as(user: Person, options: { person?: string; clientId?: string; scopes?: string[] } = {}) {
  const { person = user, ...rest } = options;
  return admin.token({ user, scopes, claims: { 'custom:team': person }, ...rest });
}

const because = { 'change-reason': 'INC-1: needed' };
let count = 0;
const newId = () => `waiting-${++count}`;

function put(document: RoleMappingInput, token: string, headers = {}, query = '') {
  const path = `/v1/role-mappings/${document.id}${query}`;
  const create = { 'if-none-match': '*' };
  const sent = { ...because, ...(Object.keys(headers).length === 0 ? create : headers) };
  return admin.send('PUT', path, { token, headers: sent, body: document });
}

function proposalOf({ headers }: AdminAnswer) {
  return String(headers.get('location'));
}

async function propose(document = testMapping(newId()), token = as('ada')) {
  const answer = await put(document, token);
  expect(answer.status).toBe(202);
  const path = proposalOf(answer);
  const { body } = await admin.send('GET', path, { token });
  return { path, id: document.id, document, body };
}

function approve(path: string, sha256: string, token: string) {
  const body = { sha256, reason: 'read and agreed' };
  return admin.send('POST', `${path}/approve`, { token, body });
}

function close(path: string, how: 'reject' | 'withdraw', token: string) {
  return admin.send('POST', `${path}/${how}`, { token, body: { reason: 'not now' } });
}

async function read(path: string) {
  return (await admin.send('GET', path, { token: as('grace') })).body;
}

/** Without the narrow one the callers of the broad one get more. */
function shadowing(name: string) {
  const role = `arn:aws:iam::123456789012:role/broker/${name}`;
  const broad = testMapping(newId(), { principal: { pool: adminPool, group: 'team' }, role });
  const only = { Effect: 'Allow', Action: 's3:GetObject', Resource: '*' };
  const policy = { Version: '2012-10-17', Statement: [only] };
  return { broad, narrow: testMapping(newId(), { role, session: { policy } }) };
}

async function exists(id: string): Promise<boolean> {
  return (await admin.table.get(id)) !== undefined;
}

/** Whatever is asked changes neither the mapping nor the proposal. */
async function expectRefused(answer: Promise<AdminAnswer>, code: string, path: string) {
  const { path: _path, ...before } = { path, ...(await read(path)) };
  const head = await admin.table.head();
  expect((await answer).body.code).toBe(code);
  expect(await admin.table.head()).toBe(head);
  expect(await read(path)).toEqual(before);
}

describe('a change that widens access', () => {
  it('waits, and is made as it was read when a second person approves it', async () => {
    const document = testMapping(newId(), { description: 'böse <b>' });
    const answer = await put(document, as('ada'));
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({ id: document.id, dryRun: false, action: 'create' });
    expect(answer.headers.get('etag')).toBe(null);
    expect(await exists(document.id)).toBe(false);

    const path = proposalOf(answer);
    const proposal = await read(path);
    const { principal, role } = document;
    expect(proposal).toMatchObject({
      state: 'open',
      mappingId: document.id,
      baseVersion: null,
      before: null,
      mapping: document,
      affected: [{ principal, role, effect: 'gains' }],
      reason: 'INC-1: needed',
      closed: null,
    });
    expect(proposal.sha256).toBe(answer.body.proposal.sha256);

    const approved = await approve(path, proposal.sha256, as('cleo'));
    expect([approved.status, approved.headers.get('etag')]).toEqual([201, '"1"']);
    expect(approved.body).toMatchObject({ inForce: true, mapping: document });
    expect(await read(path)).toMatchObject({
      state: 'applied',
      closed: { reason: 'read and agreed', by: expect.stringContaining(adminPool) },
    });
    const { items } = (await admin.send('GET', `/v1/role-mappings/${document.id}/versions`)).body;
    expect(items).toMatchObject([
      { reason: 'INC-1: needed', actorProven: true, proposal: proposal.id },
    ]);
    expect(items[0].updatedBy).toBe(proposal.author.name);
    expect(items[0].approvedBy).not.toBe(proposal.author.name);

    const records = admin.records().filter(({ mappingId }) => mappingId === document.id);
    expect(records.map(({ outcome, actor }) => [outcome, actor])).toEqual([
      ['proposed', items[0].updatedBy],
      ['authorized', items[0].approvedBy],
    ]);
    expect(records[1]).toMatchObject({
      reason: 'read and agreed',
      proposal: { id: proposal.id, sha256: proposal.sha256, author: items[0].updatedBy },
      after: document,
    });
  });

  it('is known to its author by a dry run', async () => {
    const answer = await put(testMapping(newId()), as('ada'), {}, '?dryRun=true');
    expect(answer.body).toMatchObject({ dryRun: true, needsApproval: true });
  });

  it('is one proposal however often its author sends it', async () => {
    const { path, document } = await propose();
    expect(proposalOf(await put(document, as('ada')))).toBe(path);
    expect(proposalOf(await put(document, as('grace')))).not.toBe(path);
  });

  it('is shown with the others, newest first, page by page', async () => {
    const paths: string[] = [];
    await admin.clock.advance(1);
    paths.push((await propose()).path);
    await admin.clock.advance(1);
    paths.push((await propose()).path);
    const first = await admin.send('GET', '/v1/proposals?limit=1');
    const second = await admin.send('GET', String(nextPage(first)));
    const ids = [...first.body.items, ...second.body.items].map(({ id }) => `/v1/proposals/${id}`);
    expect(ids).toEqual(paths.reverse());
    const cursor = Buffer.from('nothing').toString('base64url');
    const wrong = await admin.send('GET', `/v1/proposals?cursor=${cursor}`);
    expect(wrong.body.code).toBe('query_invalid');
  });
});

describe('a change that gives nobody anything', () => {
  it('needs nobody: narrowing, deleting and freezing (T207)', async () => {
    const { path, id, document, body } = await propose();
    await approve(path, body.sha256, as('cleo'));
    const narrower = { ...document, conditions: { caller: 'machine' as const } };
    expect((await put(narrower, as('ada'), { 'if-match': '"1"' })).status).toBe(200);
    const gone = await admin.send('DELETE', `/v1/role-mappings/${id}`, {
      token: as('ada'),
      headers: { ...because, 'if-match': '"2"' },
    });
    expect(gone.status).toBe(200);
    const frozen = await admin.send('POST', '/v1/freezes', {
      token: as('ada'),
      headers: because,
      body: { principal: document.principal, role: testRole },
    });
    expect(frozen.status).toBe(201);
  });

  it('not: a freeze is lifted, which gives something back (T207)', async () => {
    const principal = { pool: adminPool, client: callerClient };
    const made = await admin.send('POST', '/v1/freezes', {
      headers: because,
      body: { principal, role: '*' },
    });
    const { id } = made.body;
    const lift = (token: string) =>
      admin.send('DELETE', `/v1/freezes/${id}`, { token, headers: because });
    const answer = await lift(as('ada'));
    expect(answer.status).toBe(202);
    const path = proposalOf(answer);
    const proposal = await read(path);
    expect(proposal).toMatchObject({ action: 'delete', mapping: null });
    await expectRefused(approve(path, proposal.sha256, as('ada')), 'approver_refused', path);
    const lifted = await approve(path, proposal.sha256, as('cleo'));
    expect(lifted.status).toBe(200);
    expect(await exists(id)).toBe(false);
  });

  it('not: an allow is deleted that kept another one from counting (T206)', async () => {
    const { broad, narrow } = shadowing('shadowed');
    for (const document of [narrow, broad]) {
      const { path, body } = await propose(document);
      expect((await approve(path, body.sha256, as('cleo'))).status).toBe(201);
    }
    const gone = await admin.send('DELETE', `/v1/role-mappings/${narrow.id}`, {
      token: as('ada'),
      headers: { ...because, 'if-match': '"1"' },
    });
    expect(gone.status).toBe(202);
    expect(await exists(narrow.id)).toBe(true);
  });

  it('not: what lies behind it is not known, for this instance is behind the table (T230)', async () => {
    const { broad, narrow } = shadowing('behind');
    const { path, body } = await propose(narrow);
    await approve(path, body.sha256, as('cleo'));
    const elsewhere = { id: broad.id, mapping: broad, expectedVersion: 'absent' } as const;
    await admin.table.write({ ...elsewhere, actor: 'another instance', reason: 'approved' });
    // What changed cannot be read; all else can.
    const down = { kind: 'error', type: 'AccessDeniedException', status: 400 } as const;
    admin.dynamodb.setFault({ ...down, operations: ['Query'] });
    const remove = () =>
      admin.send('DELETE', `/v1/role-mappings/${narrow.id}`, {
        token: as('ada'),
        headers: { ...because, 'if-match': '"1"' },
      });
    expect((await remove()).status).toBe(202);
    admin.dynamodb.setFault();
    expect(await exists(narrow.id)).toBe(true);
  });
});

describe('whoever approves', () => {
  it.each<[string, () => string]>([
    ['is not the author', () => as('ada')],
    ['is not the author by another client (T208)', () => as('ada', { clientId: callerClient })],
    ['is not the author by another account (T208)', () => as('cleo', { person: 'ada' })],
    ['is not the author by other letters of it (T208)', () => as('cleo', { person: 'ADA' })],
    ['is no machine (T213)', () => admin.token({ claims: { 'custom:team': 'ci' } })],
    ['is one of the groups that may (T213)', () => as('eve')],
  ])('%s', async (_what, token) => {
    const { path, body } = await propose();
    await expectRefused(approve(path, body.sha256, token()), 'approver_refused', path);
    await expectRefused(close(path, 'reject', token()), 'approver_refused', path);
  });

  it('can be told from the author: without the claim nobody proposes or approves (T208)', async () => {
    const { path, body } = await propose();
    const nobody = (user: Person) => admin.token({ user, scopes });
    const code = 'token_claims_invalid';
    await expectRefused(approve(path, body.sha256, nobody('cleo')), code, path);
    const answer = await put(testMapping(newId()), nobody('ada'));
    expect([answer.status, answer.body.code]).toEqual([401, code]);
  });

  it.each([
    ['ada', ' a\u200bd\u00ada\t'],
    ['νικος', 'ΝΙΚΟΣ'],
    ['νικος', 'νικοσ'],
    ['Straße', 'STRASSE'],
  ])('is not the author by another spelling: %j, %j (T231)', async (author, approver) => {
    const { path, body } = await propose(testMapping(newId()), as('ada', { person: author }));
    const token = as('cleo', { person: approver });
    await expectRefused(approve(path, body.sha256, token), 'approver_refused', path);
  });

  it('is told from the author by the claim that did so when it was proposed (T243)', async () => {
    const { path, body } = await propose();
    const kept = await admin.table.proposals.get(body.id);
    if (kept === undefined) throw new Error('the proposal is gone');
    const author = { ...kept.author, person: 'ada@example.com', personClaim: 'email' };
    await admin.putItem(proposalItem({ ...kept, author }));
    await expectRefused(approve(path, body.sha256, as('cleo')), 'approver_refused', path);
  });

  it('is not told from an author whose name would not count today (T231)', async () => {
    const { path, body } = await propose();
    const kept = await admin.table.proposals.get(body.id);
    if (kept === undefined) throw new Error('the proposal is gone');
    const author = { ...kept.author, person: 'ada\u2800' };
    await admin.putItem(proposalItem({ ...kept, author }));
    await expectRefused(approve(path, body.sha256, as('cleo')), 'approver_refused', path);
  });

  it.each([
    ' \u200b',
    'ada\u2800',
    'ada\u{1d159}',
    'ada\u{16fe4}',
    'ada\ufffc',
    'ada\u0332',
    'ada\ue000',
    'ada\u{1fae9}',
  ])('has a name of which everything can be seen: %j (T231)', async (person) => {
    const { path, body } = await propose();
    const token = as('cleo', { person });
    await expectRefused(approve(path, body.sha256, token), 'token_claims_invalid', path);
  });

  it('may write, and not only read (T213)', async () => {
    const { path, body } = await propose();
    const token = as('cleo', { scopes: [readScope, freezeScope] });
    await expectRefused(approve(path, body.sha256, token), 'scope_insufficient', path);
    await expectRefused(close(path, 'reject', token), 'scope_insufficient', path);
  });

  it('has read it: any other digest is refused (T209)', async () => {
    const { path } = await propose();
    const other = await propose();
    for (const sha256 of ['0'.repeat(64), other.body.sha256]) {
      await expectRefused(approve(path, sha256, as('cleo')), 'proposal_differs', path);
    }
    const without = admin.send('POST', `${path}/approve`, {
      token: as('cleo'),
      body: { reason: 'x' },
    });
    await expectRefused(without, 'body_invalid', path);
  });

  it('does not approve what was altered in the table since it was read (T209)', async () => {
    const { path, id, body } = await propose();
    const kept = await admin.table.proposals.get(body.id);
    if (kept === undefined) throw new Error('the proposal is gone');
    const wider = testMapping(id, { session: { maxDurationSeconds: 43_200 } });
    await admin.putItem(proposalItem({ ...kept, after: wider }));
    const answer = await approve(path, body.sha256, as('cleo'));
    expect(answer.body.code).toBe('proposal_differs');
    expect(await exists(id)).toBe(false);
  });
});

describe('a proposal', () => {
  const ended = async (path: string, sha256: string, state: string) => {
    await expectRefused(approve(path, sha256, as('cleo')), 'proposal_not_open', path);
    await expectRefused(close(path, 'reject', as('cleo')), 'proposal_not_open', path);
    await expectRefused(close(path, 'withdraw', as('ada')), 'proposal_not_open', path);
    expect((await read(path)).state).toBe(state);
  };

  it('that was withdrawn by its author waits no more (T210)', async () => {
    const { path, id, body } = await propose();
    await expectRefused(close(path, 'withdraw', as('cleo')), 'approver_refused', path);
    const answer = await close(path, 'withdraw', as('ada', { clientId: callerClient }));
    expect(answer.body).toMatchObject({ state: 'withdrawn', closed: { reason: 'not now' } });
    await ended(path, body.sha256, 'withdrawn');
    expect(await exists(id)).toBe(false);
  });

  it('that was rejected waits no more (T210)', async () => {
    const { path, body } = await propose();
    expect((await close(path, 'reject', as('cleo'))).status).toBe(200);
    await ended(path, body.sha256, 'rejected');
    expect(admin.records().at(-4)).toMatchObject({
      outcome: 'rejected',
      proposal: { id: body.id },
    });
  });

  it('that was applied is applied once (T211)', async () => {
    const { path, body } = await propose();
    await approve(path, body.sha256, as('cleo'));
    await ended(path, body.sha256, 'applied');
  });

  it('of a version that is not there any more is stale (T210)', async () => {
    const first = await propose();
    const second = await propose({ ...first.document, description: 'another' });
    await approve(first.path, first.body.sha256, as('cleo'));
    expect((await read(second.path)).state).toBe('stale');
    const late = await approve(second.path, second.body.sha256, as('cleo'));
    expect(late.body).toMatchObject({
      code: 'proposal_not_open',
      detail: expect.stringContaining('stale'),
    });
    await ended(second.path, second.body.sha256, 'stale');
    expect((await admin.table.get(first.id))?.mapping).toEqual(first.document);
  });

  it('of a mapping that was there and is gone again is stale, and can be made again (T245)', async () => {
    const first = await propose();
    const second = await propose({ ...first.document, description: 'another' });
    expect((await approve(second.path, second.body.sha256, as('cleo'))).status).toBe(201);
    const gone = await admin.send('DELETE', `/v1/role-mappings/${first.id}`, {
      token: as('ada'),
      headers: { ...because, 'if-match': '"1"' },
    });
    expect(gone.status).toBe(200);
    expect((await read(first.path)).state).toBe('stale');
    const late = await approve(first.path, first.body.sha256, as('cleo'));
    expect(late.body.code).toBe('proposal_not_open');
    expect(await exists(first.id)).toBe(false);
    await ended(first.path, first.body.sha256, 'stale');

    const again = await propose(first.document);
    expect(again.path).not.toBe(first.path);
    expect((await approve(again.path, again.body.sha256, as('cleo'))).status).toBe(201);
  });

  it('of a mapping that comes and goes while it is approved is stale (T245)', async () => {
    const { path, id, document, body } = await propose();
    const kept = await admin.table.proposals.get(body.id);
    if (kept === undefined) throw new Error('the proposal is gone');
    const byAnother = { actor: 'another', reason: 'meanwhile' };
    const made = { id, mapping: document, expectedVersion: 'absent' as const };
    await admin.table.write({ ...made, ...byAnother });
    await admin.table.write({ id, mapping: undefined, expectedVersion: 1, ...byAnother });
    // Whoever approves has looked at the mapping before that.
    const closing = { state: 'applied', by: 'cleo', reason: 'agreed', at: 0 } as const;
    const late = admin.table.write({
      ...made,
      ...byAnother,
      applying: { proposal: kept, closing },
    });
    await expect(late).rejects.toMatchObject({ code: 'proposal_not_open' });
    expect((await read(path)).state).toBe('stale');
  });

  it('is applied once, however many approve it at once (T211)', async () => {
    const { path, id, body } = await propose();
    const head = await admin.table.head();
    const answers = await Promise.all(
      Array.from({ length: Math.max(10, portion(50)) }, () =>
        approve(path, body.sha256, as('cleo')),
      ),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([201, ...statuses.slice(1).fill(409)]);
    expect(await admin.table.head()).toBe(head + 1);
    expect((await admin.table.get(id))?.version).toBe(1);
  });

  it.each([
    ['approve', 'withdraw'],
    ['withdraw', 'approve'],
  ] as const)('ends once: %s and %s at the same moment (T211)', async (...order) => {
    const { path, id, body } = await propose();
    const doing = {
      approve: () => approve(path, body.sha256, as('cleo')),
      withdraw: () => close(path, 'withdraw', as('ada')),
    };
    const answers = await Promise.all(order.map((how) => doing[how]()));
    expect(answers.map(({ status }) => status).filter((status) => status < 300)).toHaveLength(1);
    expect((await read(path)).state).toBe((await exists(id)) ? 'applied' : 'withdrawn');
  });

  it('of a mapping of Git says so, and is no way around the override (T216)', async () => {
    const document = testMapping(newId(), { managedBy: 'git' });
    const answer = await put(document, as('ada'));
    expect([answer.status, answer.body.code]).toEqual([409, 'mapping_managed_by_git']);
    const forced = await put(document, as('ada'), {}, '?override=true');
    const proposal = await read(proposalOf(forced));
    expect(proposal.override).toBe(true);
    const approved = await approve(proposalOf(forced), proposal.sha256, as('cleo'));
    expect(approved.status).toBe(201);
  });

  it('of a mapping of Git that a pipeline proposed is applied as any other (T216)', async () => {
    const { path, body } = await propose();
    const kept = await admin.table.proposals.get(body.id);
    if (kept === undefined) throw new Error('the proposal is gone');
    const after = testMapping(kept.mappingId, { managedBy: 'git' });
    // `mappings apply` is on the side of Git: it overrides nothing.
    await admin.putItem(proposalItem({ ...kept, after, override: false }));
    const { sha256 } = await read(path);
    expect((await approve(path, sha256, as('cleo'))).status).toBe(201);
  });

  it.each([
    ['nobody made', '000000000000-0000000000000000'],
    ['has no id that one could have', 'CURRENT'],
  ])('that %s is not found', async (_what, id) => {
    const path = `/v1/proposals/${id}`;
    expect((await admin.send('GET', path)).body.code).toBe('proposal_not_found');
    const answer = await approve(path, '0'.repeat(64), as('cleo'));
    expect(answer.body.code).toBe('proposal_not_found');
    expect((await close(path, 'withdraw', as('ada'))).body.code).toBe('proposal_not_found');
  });
});

describe('an author who was taken out of the configuration (T319)', () => {
  const before = { ...access };
  afterEach(() => {
    Object.assign(access, before);
  });
  const without = (names: ReadonlySet<string>, name: string) =>
    new Set([...names].filter((one) => one !== name));

  it.each<[string, () => string, () => Partial<typeof access>]>([
    ['a user', () => as('ada'), () => ({ users: new Set() })],
    ['a group', () => as('eve'), () => ({ groups: without(access.groups, 'auditors') })],
    ['all machines', () => admin.token(), () => ({ machines: false })],
    ['a machine', () => admin.token(), () => ({ clients: without(access.clients, adminClient) })],
  ])('leaves no proposal behind that could be approved: %s', async (_, token, changed) => {
    const { path, id, body } = await propose(undefined, token());
    const approver = as('cleo', { clientId: callerClient });
    Object.assign(access, changed());
    const shown = async () =>
      (await admin.send('GET', path, { token: approver })).body.author.administrator;
    expect(await shown()).toBe(false);
    const { items } = (await admin.send('GET', '/v1/proposals', { token: approver })).body;
    expect(items).toContainEqual(
      expect.objectContaining({
        id: body.id,
        author: expect.objectContaining({ administrator: false }),
      }),
    );

    const refused = await approve(path, body.sha256, approver);
    expect([refused.status, refused.body.code]).toEqual([409, 'proposal_author_removed']);
    expect(admin.records().at(-1)).toMatchObject({ outcome: 'refused', code: refused.body.code });
    expect(await exists(id)).toBe(false);

    Object.assign(access, before);
    expect(await shown()).not.toBe(false);
    expect((await approve(path, body.sha256, approver)).status).toBe(201);
  });

  it('leaves proposals that can be rejected', async () => {
    const { path, body } = await propose();
    access.users = new Set();
    expect((await close(path, 'reject', as('cleo'))).body).toMatchObject({
      state: 'rejected',
      author: { administrator: false },
    });
    expect((await approve(path, body.sha256, as('cleo'))).body.code).toBe('proposal_not_open');
  });

  it('is not known to be out of a group: only their token would say so', async () => {
    const { path, body } = await propose(undefined, as('eve'));
    expect(body.author.administrator).toBeNull();
    expect((await propose()).body.author.administrator).toBe(true);
    expect((await approve(path, body.sha256, as('cleo'))).status).toBe(201);
  });

  it('proposes the same again once another group lets them in', async () => {
    const document = testMapping(newId());
    const first = await put(document, as('grace'));
    access.groups = new Set(['customers', 'billing']);
    const second = await put(document, as('grace'));
    expect(proposalOf(second)).not.toBe(proposalOf(first));
    const { sha256 } = await read(proposalOf(second));
    const late = await approve(proposalOf(first), sha256, as('cleo'));
    expect(late.body.code).toBe('proposal_author_removed');
    expect((await approve(proposalOf(second), sha256, as('cleo'))).status).toBe(201);
  });
});

describe('while the table is away (T212)', () => {
  const down = { kind: 'error', type: 'AccessDeniedException', status: 400 } as const;

  it('nothing is proposed', async () => {
    admin.dynamodb.setFault({ ...down, operations: ['TransactWriteItems'] });
    const id = newId();
    const answer = await put(testMapping(id), as('ada'));
    expect([answer.status, answer.body.code]).toEqual([503, 'table_unavailable']);
    admin.dynamodb.setFault();
    const { items } = (await admin.send('GET', '/v1/proposals')).body;
    expect(items.map(({ mappingId }: { mappingId: string }) => mappingId)).not.toContain(id);
    expect(await exists(id)).toBe(false);
  });

  it('nothing is applied, and the proposal waits on', async () => {
    const { path, id, body } = await propose();
    admin.dynamodb.setFault({ ...down, operations: ['TransactWriteItems'] });
    const answer = await approve(path, body.sha256, as('cleo'));
    expect([answer.status, answer.body.code]).toEqual([503, 'table_unavailable']);
    admin.dynamodb.setFault();
    expect([(await read(path)).state, await exists(id)]).toEqual(['open', false]);
    expect((await approve(path, body.sha256, as('cleo'))).status).toBe(201);
  });

  it('an answer that is lost on its way makes no second change', async () => {
    const { path, id, body } = await propose();
    admin.dynamodb.setFault({ kind: 'loseAnswer', operations: ['TransactWriteItems'], times: 1 });
    expect((await approve(path, body.sha256, as('cleo'))).status).toBe(201);
    expect([(await read(path)).state, (await admin.table.get(id))?.version]).toEqual([
      'applied',
      1,
    ]);
  });
});

describe('an emergency', () => {
  it('lets those go without approval whom configuration names, and raises an alarm (T215)', async () => {
    const document = testMapping(newId());
    const refused = await put(document, as('ada'), {}, '?breakGlass=true');
    expect([refused.status, refused.body.code]).toEqual([403, 'approval_required']);
    const machine = await put(document, admin.token(), {}, '?breakGlass=true');
    expect(machine.body.code).toBe('approval_required');
    expect(brokenGlass).toEqual([]);
    const made = await put(document, as('grace'), {}, '?breakGlass=true');
    expect(made.status).toBe(201);
    expect(brokenGlass).toEqual([
      {
        requestId: made.headers.get('x-request-id'),
        actor: expect.any(String),
        mappingId: document.id,
      },
    ]);
    expect(admin.records().at(-1)).toMatchObject({ outcome: 'authorized', breakGlass: true });
  });

  it('waits for nobody unheard: who breaks glass cannot ask for a second administrator as well', async () => {
    const document = testMapping(newId());
    for (const token of [as('ada'), as('grace')]) {
      const both = await put(document, token, {}, '?breakGlass=true&propose=true');
      expect([both.status, both.body.code]).toEqual([400, 'query_invalid']);
    }
    expect(await admin.table.get(document.id)).toBeUndefined();
  });
});

describe('time', () => {
  const stored = async (id: string) => {
    const proposal = await admin.table.proposals.get(id);
    if (proposal === undefined) throw new Error('the proposal is gone');
    return proposal;
  };

  it('ends a proposal that nobody decided on after three days (T210)', async () => {
    const { path, id, body } = await propose();
    const proposal = await stored(body.id);
    expect(proposal.expiresAt - admin.clock.now()).toBe(72 * 3_600_000);
    await admin.putItem(proposalItem({ ...proposal, expiresAt: admin.clock.now() + 1_000 }));
    expect((await read(path)).state).toBe('open');
    await admin.clock.advance(1_000);
    expect((await read(path)).state).toBe('expired');
    await expectRefused(approve(path, body.sha256, as('cleo')), 'proposal_not_open', path);
    expect(await exists(id)).toBe(false);
  });

  it('makes room: of one author only so many are taken in it (T214)', async () => {
    // Of nobody else here, whose room this would take.
    const prolific = as('ada', { person: 'prolific' });
    const { author } = await stored((await propose(undefined, prolific)).body.id);
    const { now } = admin.clock;
    /** As docs/table.md has it. */
    const fill = async (at: number) => {
      const made = Array.from({ length: 200 }, (_, index) => {
        const id = `${timePart(at)}-${String(index).padStart(16, '0')}`;
        return `${id} ${'0'.repeat(64)}`;
      });
      const sk = `#AUTHOR#${hash('sha256', JSON.stringify([author.person]), 'hex')}`;
      const texts = { pk: 'PROPOSALS', sk, latest: 'earlier', made: JSON.stringify(made) };
      const attributes = Object.entries(texts).map(([name, text]) => [name, { S: text }]);
      await admin.putItem(Object.fromEntries(attributes));
    };
    await fill(now() - 72 * 3_600_000 - 1);
    expect((await put(testMapping(newId()), prolific)).status).toBe(202);
    await fill(now());
    const answer = await put(testMapping(newId()), prolific);
    expect([answer.status, answer.body.code]).toEqual([409, 'proposals_too_many']);
    expect((await put(testMapping(newId()), as('grace'))).status).toBe(202);
  });
});
