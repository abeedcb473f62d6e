import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Caller } from '../../../src/core/caller.ts';
import type { Fault } from '../../../src/core/fault.ts';
import { decide } from '../../../src/core/policy/decide.ts';
import type { RoleMappingInput } from '../../../src/core/policy/role-mapping.ts';
import {
  type AdminAnswer,
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
  const byGroup = { principal: { pool: adminPool, group: 'billing' }, role: otherRole };
  const made = [
    await admin.create(testMapping('by-client')),
    await admin.create(testMapping('by-group', byGroup)),
  ];
  expect(made.map(({ status, body }) => [status, body.detail])).toEqual(
    made.map(() => [201, undefined]),
  );
});

afterAll(() => admin.stop());

const otherRole = 'arn:aws:iam::123456789012:role/broker/billing';

const freeze = (principal: object, role = '*') =>
  admin.send('POST', '/v1/freezes', { headers: because, body: { principal, role } });
const saysNothingHeld = ({ warnings }: { readonly warnings: readonly Fault[] }) =>
  warnings.some(({ detail }) => detail.startsWith('holds nothing'));
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

  it('can be repeated, and ends a freeze that somebody had disabled around the API', async () => {
    const principal = { pool: adminPool, client: callerClient };
    const { body } = await freeze(principal);
    const { id, mapping, version } = body;
    const hollow = { id, expectedVersion: version, actor: 'somebody', reason: 'around' };
    await admin.table.write({ ...hollow, mapping: { ...mapping, enabled: false } });
    await admin.policy.refresh();
    expect(await decisions()).toEqual(['allow', 'allow', 'allow']);

    const again = await freeze({ client: callerClient, pool: adminPool });
    expect([again.status, again.body.id, again.body.version]).toEqual([200, id, version + 2]);
    expect(await decisions()).toEqual(['deny', 'deny', 'deny']);
    await unfreeze(id);
  });

  describe('cannot be hollowed out under its id', () => {
    let frozen: AdminAnswer;
    beforeAll(async () => {
      frozen = await freeze({ pool: adminPool, client: callerClient });
    });
    afterAll(() => unfreeze(frozen.body.id));

    it.each<[string, Partial<RoleMappingInput>, string]>([
      ['disabled', { enabled: false }, '/enabled'],
      ['over', { conditions: { expiresAt: '2020-01-01T00:00:00Z' } }, '/conditions/expiresAt'],
      ['over soon', { conditions: { expiresAt: '2099-01-01T00:00:00Z' } }, '/conditions/expiresAt'],
      ['not begun', { conditions: { notBefore: '2099-01-01T00:00:00Z' } }, '/conditions/notBefore'],
      ['of people', { conditions: { caller: 'person' } }, '/conditions/caller'],
      [
        'of a network',
        { conditions: { sourceCidrs: ['192.0.2.0/24'] } },
        '/conditions/sourceCidrs',
      ],
      ['of a claim', { conditions: { claims: { sub: ['x'] } } }, '/conditions/claims'],
      ['of a scope', { conditions: { scopes: ['x/y'] } }, '/conditions/scopes'],
      ['an allow', { effect: 'allow', role: testRole }, '/id'],
      ['of one role', { role: testRole }, '/id'],
      ['of somebody else', { principal: { pool: adminPool, group: 'x' } }, '/id'],
    ])('T95: by an edit after which it is %s', async (_what, changes, pointer) => {
      const { id, mapping, version } = frozen.body;
      for (const query of ['', '?override=true', '?dryRun=true']) {
        const { status, body } = await admin.send('PUT', `/v1/role-mappings/${id}${query}`, {
          headers: { ...because, 'if-match': `"${version}"` },
          body: { ...mapping, ...changes },
        });
        expect([status, body.code]).toEqual([422, 'mapping_invalid']);
        expect(body.errors.map((fault: Fault) => fault.pointer)).toContain(pointer);
      }
      expect(await decisions()).toEqual(['deny', 'deny', 'deny']);
    });

    it('T95: by the deletion of a mapping', async () => {
      const { id, version } = frozen.body;
      for (const query of ['', '?override=true', '?dryRun=true']) {
        const { status, body } = await admin.send('DELETE', `/v1/role-mappings/${id}${query}`, {
          headers: { ...because, 'if-match': `"${version}"` },
        });
        expect([status, body.code]).toEqual([409, 'mapping_is_freeze']);
      }
      expect(await decisions()).toEqual(['deny', 'deny', 'deny']);
    });

    it('T318: by waiting for a second administrator whom nobody needs', async () => {
      const { id, mapping, version } = frozen.body;
      for (const query of ['?propose=true', '?propose=true&dryRun=true']) {
        const { status, body } = await admin.send('PUT', `/v1/role-mappings/${id}${query}`, {
          headers: { ...because, 'if-match': `"${version}"` },
          body: { ...mapping, description: 'INC-4: another ticket' },
        });
        expect([status, body.code]).toEqual([400, 'query_invalid']);
        expect(body.errors).toEqual([
          { pointer: '/propose', detail: expect.stringContaining('act at once') },
        ]);
      }
      expect(await decisions()).toEqual(['deny', 'deny', 'deny']);
    });

    it('and can be given another description, which weakens nothing', async () => {
      const { id, mapping, version } = frozen.body;
      const answer = await admin.send('PUT', `/v1/role-mappings/${id}`, {
        headers: { ...because, 'if-match': `"${version}"` },
        body: { ...mapping, description: 'INC-3: see the ticket' },
      });
      expect(answer.status).toBe(200);
      expect(await decisions()).toEqual(['deny', 'deny', 'deny']);
    });
  });

  it.each([
    ['a client', { pool: adminPool, client: callerClient }, '*', { mappings: 1, roles: 1 }],
    ['a group', { pool: adminPool, group: 'billing' }, '*', { mappings: 1, roles: 1 }],
    ['a role', { pool: '*', any: true }, testRole, { mappings: 1, roles: 1 }],
    ['a pool', { pool: adminPool, any: true }, '*', { mappings: 2, roles: 2 }],
    ['everything', { pool: '*', any: true }, '*', { mappings: 2, roles: 2 }],
  ])('T95: of %s says how much it takes away', async (_what, principal, role, takesAway) => {
    const { body } = await freeze(principal, role);
    expect(body.takesAway).toEqual(takesAway);
    expect(saysNothingHeld(body)).toBe(false);
    const { body: list } = await admin.send('GET', '/v1/freezes');
    expect(list.items).toEqual([{ version: body.version, mapping: body.mapping, takesAway }]);
    await unfreeze(body.id);
  });

  it.each([
    ['a user', { pool: adminPool, user: adaSub }, '*'],
    ['a group', { pool: adminPool, group: 'biling' }, '*'],
    ['a client for another role', { pool: adminPool, client: callerClient }, otherRole],
    ['a pool without mappings', { pool: otherPool, any: true }, '*'],
  ])('T95: of %s that holds nothing says so in words', async (_what, principal, role) => {
    const { status, body } = await freeze(principal, role);
    expect([status, body.takesAway]).toEqual([201, { mappings: 0, roles: 0 }]);
    expect(saysNothingHeld(body)).toBe(true);
    await unfreeze(body.id);
  });

  it.each([
    ['a pool', { pool: 'us-east-1_Typo00001', any: true }, '/principal/pool'],
    ['a client of such a pool', { pool: 'us-east-1_Typo00001', client: 'x' }, '/principal/pool'],
    ['a client', { pool: adminPool, client: 'typo' }, '/principal/client'],
    ['a user by name', { pool: adminPool, user: 'ada' }, '/principal/user'],
    ['a group by a wildcard', { pool: adminPool, group: '*' }, '/principal/group'],
  ])('T95: of %s that no token can be of is refused', async (_what, principal, pointer) => {
    const { status, body } = await freeze(principal);
    expect([status, body.code, body.errors.map((fault: Fault) => fault.pointer)]).toEqual([
      422,
      'mapping_invalid',
      [pointer],
    ]);
    expect((await admin.send('GET', '/v1/freezes')).body.items).toEqual([]);
  });

  it('works for everybody who freezes the same thing at the same moment', async () => {
    const principal = { pool: adminPool, client: callerClient };
    const answers = await Promise.all(Array.from({ length: 5 }, () => freeze(principal)));
    for (const { status } of answers) expect([200, 201]).toContain(status);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(await decisions()).toEqual(['deny', 'deny', 'deny']);
    await unfreeze(answers[0]?.body.id);
  });

  it('works for whoever freezes what somebody else lifts at the same moment', async () => {
    const principal = { pool: adminPool, client: callerClient };
    const { id } = (await freeze(principal)).body;
    for (let round = 0; round < 3; round += 1) {
      const both = await Promise.all([freeze(principal), unfreeze(id), freeze(principal)]);
      expect([200, 201]).toContain(both[0].status);
      expect([200, 201]).toContain(both[2].status);
    }
    await freeze(principal);
    expect((await unfreeze(id)).status).toBe(200);
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
    expect(frozen.warnings).toContainEqual({
      pointer: '/principal',
      detail: 'denies everybody of the pool every role',
    });
    await unfreeze(frozen.id);
  });
});

describe('freezing while others edit (T186)', () => {
  it('does not wait for the edits that came before', async () => {
    const edits = Array.from({ length: 24 }, (_, index) =>
      // None that a freeze could take away.
      admin.create(testMapping(`flood-${index}`, { enabled: false })),
    );
    await Promise.race(edits);
    const frozen = await freeze({ pool: adminPool, client: callerClient });
    const revisions = (await Promise.all(edits)).map(({ status, body }) => [status, body.revision]);
    expect([frozen.status, revisions.filter(([status]) => status !== 201)]).toEqual([201, []]);
    const after = revisions.filter(([, revision]) => revision > frozen.body.revision);
    expect(after.length).toBeGreaterThan(8);
    await unfreeze(frozen.body.id);
  });
});
