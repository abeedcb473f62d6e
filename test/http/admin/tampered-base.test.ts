/**
 * An administrator who can write the table as well, and not seal: rows that say what is not in force make no edit look as if it
 * only took access away.
 */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { noApproval } from '../../../src/core/policy/approval.ts';
import type { RoleMapping, RoleMappingInput } from '../../../src/core/policy/role-mapping.ts';
import { currentKey, toItem, versionKey } from '../../../src/dynamodb/role-mapping-item.ts';
import { FileSigner } from '../../../src/signing/file-signer.ts';
import {
  type AdminHarness,
  adminPool,
  callerClient,
  freezeScope,
  readScope,
  startAdmin,
  testMapping,
  testRole,
  writeScope,
} from '../../support/admin-harness.ts';
import { keyFiles } from '../../support/key-files.ts';
import { temporaryFolders } from '../../support/mapping-folder.ts';
import { startSeal, stopSeals } from '../../support/started-seal.ts';

const folders = temporaryFolders();
const keys = keyFiles(folders.folder(), 'seal');
let admin: AdminHarness;

beforeAll(async () => {
  const seal = await startSeal({
    name: 'admin-test',
    publicKeyFiles: [keys.publicKey],
    signer: new FileSigner(keys.privateKey),
  });
  admin = await startAdmin({
    seal,
    guardrails: { approval: { ...noApproval, when: 'widens' } },
    access: { groups: new Set(['customers']) },
  });
});
afterAll(async () => {
  await admin.stop();
  stopSeals();
  folders.remove();
});

const ada = () => admin.token({ user: 'ada', scopes: [freezeScope, readScope, writeScope] });

/** By two people, as it should be. */
async function inForce(mapping: RoleMapping): Promise<void> {
  const { id } = mapping;
  await admin.table.write({ id, mapping, expectedVersion: 'absent', actor: 'x', reason: 'test' });
  await admin.policy.refresh();
  expect(admin.policy.current().byId.get(id)?.mapping).toEqual(mapping);
}

/** Undefined: the row is gone. `version`: another one than it has. */
async function tamper(id: string, mapping: object | undefined, version = 1): Promise<void> {
  const Key = toItem(currentKey(id), {});
  if (mapping === undefined) {
    await admin.deleteItem(Key);
    return;
  }
  const facts = {
    revision: { N: '1' },
    action: { S: 'create' },
    updatedAt: { S: '2026-01-01T00:00:00.000Z' },
    updatedBy: { S: 'x' },
    reason: { S: 'test' },
    ...(await admin.getItem(Key)),
  };
  const says = { version: { N: String(version) }, mapping: { S: JSON.stringify(mapping) } };
  await admin.putItem({ ...Key, ...facts, ...says });
}

const etag = async (id: string) =>
  (await admin.send('GET', `/v1/role-mappings/${id}`, { token: ada() })).headers.get('etag') ?? '';

async function put(mapping: RoleMapping, precondition: Record<string, string>) {
  return await admin.send('PUT', `/v1/role-mappings/${mapping.id}`, {
    token: ada(),
    headers: { ...precondition, 'change-reason': 'ticket 7' },
    body: mapping,
  });
}

const replace = async (mapping: RoleMapping) =>
  await put(mapping, { 'if-match': await etag(mapping.id) });
const create = (mapping: RoleMapping) => put(mapping, { 'if-none-match': '*' });
const remove = async (id: string) =>
  await admin.send('DELETE', `/v1/role-mappings/${id}`, {
    token: ada(),
    headers: { 'if-match': await etag(id), 'change-reason': 'ticket 7' },
  });

const approve = ({ id, sha256 }: { readonly id: string; readonly sha256: string }) =>
  admin.send('POST', `/v1/proposals/${id}/approve`, {
    token: admin.token({ user: 'cleo', scopes: [readScope, writeScope] }),
    body: { reason: 'read', sha256 },
  });

const seconds = (maxDurationSeconds: number): Partial<RoleMappingInput> => ({
  session: { durationSeconds: 900, maxDurationSeconds },
});
const deny: Partial<RoleMappingInput> = { effect: 'deny', role: '*' };
const off = { enabled: false };

interface Tampered {
  /** In force; undefined: nothing is. */
  readonly is: Partial<RoleMappingInput> | undefined;
  /** What the row says instead; undefined: there is none. */
  readonly row: Partial<RoleMappingInput> | undefined;
  readonly version?: number;
  /** What is asked for; undefined: that it be deleted. */
  readonly asked: Partial<RoleMappingInput> | undefined;
}

const tamperings: Readonly<Record<string, Tampered>> = {
  'a wider allow, narrowed to what is wider': {
    is: seconds(3_600),
    row: seconds(43_200),
    asked: seconds(36_000),
  },
  'an allow that is on, narrowed to what was off': {
    is: off,
    row: { ...seconds(43_200) },
    asked: seconds(36_000),
  },
  'an allow that nobody made, narrowed': {
    is: undefined,
    row: seconds(43_200),
    asked: seconds(36_000),
  },
  'an allow in the place of a deny, deleted': { is: deny, row: {}, asked: undefined },
  'an allow in the place of a deny, narrowed': {
    is: deny,
    row: seconds(43_200),
    asked: seconds(36_000),
  },
  'what cannot be read in the place of a deny, deleted': {
    is: deny,
    row: { role: 'nobody knows' },
    asked: undefined,
  },
  'a deny that is off in the place of one that is on': {
    is: deny,
    row: { ...deny, ...off },
    asked: { ...deny, conditions: { caller: 'person' } },
  },
  'nothing in the place of a deny, and a narrower deny made': {
    is: deny,
    row: undefined,
    asked: { ...deny, conditions: { caller: 'person' } },
  },
  'a wider allow of another version': {
    is: seconds(3_600),
    row: seconds(43_200),
    version: 7,
    asked: seconds(36_000),
  },
};

let count = 0;

describe('a row that says what is not in force', () => {
  it.each(Object.entries(tamperings))(
    'hides from no second administrator what an edit does: %s (T327)',
    async (_, { is, row, version, asked }) => {
      count += 1;
      const id = `base-${count}`;
      if (is !== undefined) await inForce(testMapping(id, is));
      await tamper(id, row && { ...testMapping(id), ...row }, version);

      const answer =
        asked === undefined
          ? await remove(id)
          : await (row === undefined ? create : replace)(testMapping(id, asked));
      expect([answer.status, answer.body.proposal?.id]).toEqual([202, expect.any(String)]);
      const proposal = await admin.send('GET', `/v1/proposals/${answer.body.proposal.id}`);
      expect(proposal.body.state).toBe('stale');
      const approved = await approve(proposal.body);
      expect([approved.status, approved.body.code]).toEqual([409, 'proposal_not_open']);
      await admin.policy.refresh();
      const now = admin.policy.current().byId.get(id)?.mapping;
      expect(now).toEqual(is && testMapping(id, is));
    },
  );

  it.each([
    ['replaced', testMapping('moved-on', seconds(3_600))],
    ['made', undefined],
  ])(
    'brings no proposal back to the present that was made before the mapping was %s (T327)',
    async (_, before) => {
      const id = before?.id ?? 'made-since';
      if (before !== undefined) await inForce(before);
      const wanted = testMapping(id, seconds(43_200));
      const proposed = await (before === undefined ? create : replace)(wanted);
      const { body } = await admin.send('GET', `/v1/proposals/${proposed.body.proposal.id}`);
      const since = testMapping(id, { ...seconds(900), ...deny });
      const expectedVersion = before === undefined ? 'absent' : 1;
      await admin.table.write({ id, mapping: since, expectedVersion, actor: 'x', reason: 'test' });
      await tamper(id, before);
      const version = toItem(versionKey(id, before === undefined ? 1 : 2), {});
      await admin.deleteItem(version);

      const approved = await approve(body);
      expect([approved.status, approved.body.code]).toEqual([409, 'proposal_not_open']);
      await admin.policy.refresh();
      expect(admin.policy.current().byId.get(id)?.mapping).toEqual(since);
    },
  );

  it('keeps nobody from freezing, or from what only takes away (T327)', async () => {
    const frozen = await admin.send('POST', '/v1/freezes', {
      token: ada(),
      headers: { 'change-reason': 'ticket 7' },
      body: { principal: { pool: adminPool, client: callerClient }, role: testRole },
    });
    expect(frozen.status).toBe(201);
    await inForce(testMapping('honest', seconds(3_600)));
    expect((await replace(testMapping('honest', seconds(1_800)))).status).toBe(200);
    expect((await remove('honest')).status).toBe(200);
    expect((await create(testMapping('honest-deny', deny))).status).toBe(201);
  });
});
