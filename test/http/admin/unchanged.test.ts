import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type AdminHarness,
  adminPool,
  because,
  callerClient,
  refusal,
  startAdmin,
  testMapping,
  testRole,
} from '../../support/admin-harness.ts';

let admin: AdminHarness;

beforeAll(async () => {
  admin = await startAdmin();
});

afterAll(() => admin.stop());

const path = (id: string) => `/v1/role-mappings/${id}`;

describe('a change that changes nothing', () => {
  const state = async (id: string) => {
    const [head, { body }] = [await admin.table.head(), await admin.send('GET', path(id))];
    return { head, version: body.version, reason: body.reason };
  };

  it('writes no version, keeps the ETag, and stands in the audit log as that', async () => {
    await admin.create(testMapping('as-it-was'));
    const before = await state('as-it-was');
    // Members in another order, and one that is the default anyway, say the same.
    const { id, ...others } = testMapping('as-it-was');
    const answer = await admin.send('PUT', path('as-it-was'), {
      headers: { ...because, 'if-match': '"1"' },
      body: { ...others, id, precedence: 100 },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('etag')).toBe('"1"');
    expect(answer.body).toMatchObject({
      action: 'replace',
      dryRun: false,
      unchanged: true,
      version: 1,
      revision: before.head,
      inForce: true,
      changes: [],
    });
    expect(await state('as-it-was')).toEqual(before);
    expect(admin.records().at(-1)).toMatchObject({
      type: 'mapping_change',
      outcome: 'unchanged',
      mappingId: 'as-it-was',
      baseVersion: 1,
      reason: because['change-reason'],
    });
  });

  it('is still held to its precondition, its reason and the checks of an edit', async () => {
    await admin.create(testMapping('held'));
    await admin.replace('held', 1, { description: 'newer' });
    expect(refusal(await admin.replace('held', 1, { description: 'newer' }))).toEqual([
      412,
      'precondition_failed',
    ]);
    const headers = { 'if-match': '"2"' };
    const body = testMapping('held', { description: 'newer' });
    expect(refusal(await admin.send('PUT', path('held'), { headers, body }))).toEqual([
      400,
      'change_reason_required',
    ]);
    const created = await admin.send('PUT', path('held'), {
      headers: { ...because, 'if-none-match': '*' },
      body,
    });
    expect(refusal(created)).toEqual([412, 'precondition_failed']);
    expect((await state('held')).version).toBe(2);
  });

  it('is said by a dry run to be none', async () => {
    await admin.create(testMapping('looked-at'));
    const { body } = await admin.replace('looked-at', 1, {}, '?dryRun=true');
    expect(body).toMatchObject({ dryRun: true, needsApproval: false, changes: [] });
  });

  it('freezes what is frozen already, without another version', async () => {
    const freeze = () =>
      admin.send('POST', '/v1/freezes', {
        headers: because,
        body: { principal: { pool: adminPool, client: callerClient }, role: testRole },
      });
    const [first, second] = [await freeze(), await freeze()];
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.body).toMatchObject({ unchanged: true, version: 1, inForce: true });
    const { id } = first.body;
    await admin.send('DELETE', `/v1/freezes/${id}`, { headers: because });
  });
});

describe('an edit of what Git manages', () => {
  it('T261: is marked in the history where it was made outside of Git', async () => {
    const { body } = await admin.send('PUT', `${path('from-git')}?override=true`, {
      headers: { ...because, 'if-none-match': '*' },
      body: testMapping('from-git', { managedBy: 'git' }),
    });
    expect(body.version).toBe(1);
    await admin.replace(
      'from-git',
      1,
      { managedBy: 'git', description: 'by hand' },
      '?override=true',
    );
    await admin.create(testMapping('from-the-api'));
    await admin.replace('from-the-api', 1, { description: 'by hand' }, '?override=true');
    const overrides = async (id: string) => {
      const { body: versions } = await admin.send('GET', `${path(id)}/versions`);
      return versions.items.map(({ override }: { override?: boolean }) => override);
    };
    expect(await overrides('from-git')).toEqual([true, true]);
    expect(await overrides('from-the-api')).toEqual([undefined, undefined]);
    const { body: changes } = await admin.send('GET', '/v1/changes?limit=200');
    expect(
      changes.items.filter(({ override }: { override?: boolean }) => override === true),
    ).toHaveLength(2);
  });
});

describe('the collection', () => {
  it('says how to create to whoever sends POST', async () => {
    const answer = await admin.send('POST', '/v1/role-mappings', { body: {} });
    expect(refusal(answer)).toEqual([405, 'method_not_allowed']);
    expect(answer.headers.get('allow')).toBe('GET, HEAD');
    expect(answer.body.detail).toContain('PUT to /v1/role-mappings/{id}');
    expect(answer.body.detail).toContain('If-None-Match: *');
  });
});
