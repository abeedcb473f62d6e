import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RoleMappingInput } from '../../../src/core/policy/role-mapping.ts';
import {
  type AdminHarness,
  adminPool,
  callerClient,
  startAdmin,
  testMapping,
  testRole,
} from '../../support/admin-harness.ts';

let admin: AdminHarness;

beforeAll(async () => {
  admin = await startAdmin({
    guardrails: {
      allowedAccounts: ['123456789012'],
      rolePathPrefixes: ['/broker/'],
      maxSessionSeconds: 3600,
    },
  });
});

afterAll(() => admin.stop());

const forbidden: readonly [string, Partial<RoleMappingInput>, string][] = [
  ['another account', { role: 'arn:aws:iam::999999999999:role/broker/x' }, '/role'],
  ['another path', { role: 'arn:aws:iam::123456789012:role/x' }, '/role'],
  ['a forbidden name', { role: 'arn:aws:iam::123456789012:role/broker/Administrator' }, '/role'],
  ['a long session', { session: { maxDurationSeconds: 7200 } }, '/session/maxDurationSeconds'],
];

/** As a broker without these guardrails, or somebody with write access to the table, could. */
async function writeAround(id: string, changes: Partial<RoleMappingInput>): Promise<void> {
  await admin.looserTable.write({
    id,
    expectedVersion: (await admin.table.get(id))?.version ?? 'absent',
    mapping: testMapping(id, changes),
    actor: 'around the API',
    reason: 'to see what happens',
  });
  await admin.policy.refresh();
}

const permittedOf = async (client: string) => {
  const caller = { pool: adminPool, client };
  const { body } = await admin.send('POST', '/v1/explain', { body: { caller } });
  return body.permitted.map(({ id }: { id: string }) => id);
};

describe('guardrails of the configuration', () => {
  it.each(forbidden)(
    'refuse an administrator %s, with the field and the setting, and change nothing (T53)',
    async (_what, changes, pointer) => {
      const head = await admin.table.head();
      for (const query of ['', '?dryRun=true', '?override=true']) {
        const { status, body } = await admin.send('PUT', `/v1/role-mappings/wanted${query}`, {
          headers: { 'if-none-match': '*', 'change-reason': 'I am the boss' },
          body: testMapping('wanted', changes),
        });
        expect([status, body.code]).toEqual([422, 'mapping_invalid']);
        expect(body.errors).toEqual([
          { pointer, detail: expect.stringMatching(/guardrails\.\w+ .*configuration/) },
        ]);
      }
      expect(await admin.table.head()).toBe(head);
    },
  );

  it('let a mapping pass that keeps to them', async () => {
    const { status } = await admin.create(testMapping('sound', { session: {} }));
    expect(status).toBe(201);
  });

  it('let a deny pass for a role that may not be mapped', async () => {
    const role = 'arn:aws:iam::999999999999:role/Administrator';
    const { status } = await admin.create(testMapping('never', { effect: 'deny', role }));
    expect(status).toBe(201);
  });

  it('keep out of force what was written to the table around them (T49)', async () => {
    const client = 'a-client-of-its-own';
    const principal = { pool: adminPool, client };
    for (const [index, [, changes]] of forbidden.slice(0, 2).entries()) {
      await writeAround(`around-${index}`, { principal, ...changes });
    }
    const { body } = await admin.send('GET', '/v1/role-mappings');
    const quarantined = body.quarantined.filter(({ id }: { id: string }) =>
      id.startsWith('around-'),
    );
    expect(quarantined).toMatchObject([
      { id: 'around-0', faults: [{ pointer: '/role' }], standIn: 'none' },
      { id: 'around-1', faults: [{ pointer: '/role' }], standIn: 'none' },
    ]);
    expect(await permittedOf(client)).toEqual([]);
  });

  it('keep the last version in force that kept to them', async () => {
    await admin.create(testMapping('tampered'));
    await writeAround('tampered', { role: 'arn:aws:iam::999999999999:role/broker/x' });
    const caller = { pool: adminPool, client: callerClient };
    const { body } = await admin.send('POST', '/v1/explain', {
      body: { caller, request: { role: 'tampered' } },
    });
    expect(body.decision).toMatchObject({ outcome: 'allow', mapping: { role: testRole } });
    const shown = await admin.send('GET', '/v1/role-mappings/tampered');
    expect([shown.status, shown.body.inForce]).toEqual([200, false]);
  });
});

describe('the id of a freeze (T53)', () => {
  it('is refused to anything else: whoever may only freeze replaces what has it', async () => {
    const id = `freeze-${'0'.repeat(24)}`;
    for (const changes of [{}, { effect: 'deny' }] as const) {
      const { status, body } = await admin.create(testMapping(id, changes));
      expect([status, body.errors]).toEqual([
        422,
        [{ pointer: '/id', detail: expect.stringContaining('freeze') }],
      ]);
    }
  });
});
