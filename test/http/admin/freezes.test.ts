import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Caller } from '../../../src/core/caller.ts';
import { decide } from '../../../src/core/decide.ts';
import {
  type AdminHarness,
  adaSub,
  adminPool,
  callerClient,
  otherPool,
  startAdmin,
  testMapping,
  testRole,
} from '../../support/admin-harness.ts';

let admin: AdminHarness;
const because = { 'change-reason': 'INC-3: key found in a public repository' };

beforeAll(async () => {
  admin = await startAdmin();
  await admin.create(testMapping('by-client'));
  await admin.create(
    testMapping('by-group', { principal: { pool: adminPool, group: 'billing' }, role: otherRole }),
  );
});

afterAll(() => admin.stop());

const otherRole = 'arn:aws:iam::123456789012:role/broker/billing';

const freeze = (principal: object, role = '*') =>
  admin.send('POST', '/v1/freezes', { headers: because, body: { principal, role } });
const unfreeze = (id: string) => admin.send('DELETE', `/v1/freezes/${id}`, { headers: because });

/** What this instance decides for the app client itself, and for a user of it who is in a group. */
async function decisions() {
  const { validator, clock } = admin;
  const machine = await validator.validate(admin.token({ clientId: callerClient }));
  const user = await validator.validate(admin.token({ clientId: callerClient, user: 'ada' }));
  const of = (caller: Caller, role: string) =>
    decide(
      admin.policy.current(),
      caller,
      { role, durationSeconds: undefined, sourceIp: '127.0.0.1' },
      clock.now(),
    ).kind;
  return [of(machine, testRole), of(user, testRole), of(user, otherRole)];
}

describe('freezing', () => {
  it.each([
    ['a client', { pool: adminPool, client: callerClient }, '*', ['deny', 'deny', 'deny']],
    ['a user', { pool: adminPool, user: adaSub }, '*', ['allow', 'deny', 'deny']],
    ['a group', { pool: adminPool, group: 'billing' }, '*', ['allow', 'deny', 'deny']],
    ['a role', { pool: '*', any: true }, testRole, ['deny', 'deny', 'allow']],
    ['a pool', { pool: adminPool, any: true }, '*', ['deny', 'deny', 'deny']],
    ['another pool', { pool: otherPool, any: true }, '*', ['allow', 'allow', 'allow']],
    ['everything', { pool: '*', any: true }, '*', ['deny', 'deny', 'deny']],
  ])(
    '%s is in force when the answer comes, and over when it is undone (T16, T31)',
    async (_what, principal, role, expected) => {
      const frozen = await freeze(principal, role);
      expect(frozen.status).toBe(201);
      expect(frozen.body).toMatchObject({
        inForce: true,
        mapping: { effect: 'deny', role, principal, description: because['change-reason'] },
      });
      expect(await decisions()).toEqual(expected);

      expect((await unfreeze(frozen.body.id)).status).toBe(200);
      expect(await decisions()).toEqual(['allow', 'allow', 'allow']);
    },
  );

  it('comes with the IAM policy that ends the sessions that exist already (T31)', async () => {
    const { body } = await freeze({ pool: '*', any: true }, testRole);
    const [statement] = body.revokeSessions.policy.Statement;
    expect(body.revokeSessions.role).toBe(testRole);
    expect([statement.Effect, statement.Action, statement.Resource]).toEqual(['Deny', '*', '*']);
    const issuedBefore = Date.parse(statement.Condition.DateLessThan['aws:TokenIssueTime']);
    expect(issuedBefore).toBe(admin.clock.now() + 30_000);
    await unfreeze(body.id);
  });

  it('can be repeated, and ends a freeze that somebody had disabled', async () => {
    const principal = { pool: adminPool, client: callerClient };
    const first = await freeze(principal);
    const { id, mapping, version } = first.body;
    await admin.send('PUT', `/v1/role-mappings/${id}`, {
      headers: { ...because, 'if-match': `"${version}"` },
      body: { ...mapping, enabled: false },
    });
    expect(await decisions()).toEqual(['allow', 'allow', 'allow']);

    const again = await freeze({ client: callerClient, pool: adminPool });
    expect([again.status, again.body.id, again.body.version]).toEqual([200, id, version + 2]);
    expect(await decisions()).toEqual(['deny', 'deny', 'deny']);
    await unfreeze(id);
  });

  it('works for everybody who freezes the same thing at the same moment', async () => {
    const principal = { pool: adminPool, client: callerClient };
    const answers = await Promise.all(Array.from({ length: 5 }, () => freeze(principal)));
    for (const { status } of answers) expect([200, 201]).toContain(status);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(await decisions()).toEqual(['deny', 'deny', 'deny']);
    await unfreeze(answers[0]?.body.id);
  });

  it('says 404 for a freeze that is not there, and never deletes another mapping', async () => {
    for (const id of ['by-client', `freeze-${'0'.repeat(24)}`]) {
      const { status, body } = await unfreeze(id);
      expect([status, body.code]).toEqual([404, 'mapping_not_found']);
    }
    expect((await admin.send('GET', '/v1/role-mappings/by-client')).status).toBe(200);
  });

  it('is in the list, by owner', async () => {
    const { body: frozen } = await freeze({ pool: otherPool, any: true });
    const { body } = await admin.send('GET', '/v1/role-mappings?owner=freeze');
    expect(body.items.map((item: { mapping: { id: string } }) => item.mapping.id)).toEqual([
      frozen.id,
    ]);
    expect(frozen.warnings).toEqual([
      { pointer: '/principal', detail: 'denies everybody of the pool every role' },
    ]);
    await unfreeze(frozen.id);
  });
});
