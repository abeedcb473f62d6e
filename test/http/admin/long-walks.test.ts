/** What looks at every mapping for an administrator leaves room for requests: counted by turns of the event loop, not timed. */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { noApproval } from '../../../src/core/policy/approval.ts';
import { compileSnapshot } from '../../../src/core/policy/policy-snapshot.ts';
import type { StoredRoleMapping } from '../../../src/core/policy/role-mapping.ts';
import {
  type AdminHarness,
  type AdminRequest,
  adaSub,
  adminPool,
  callerClient,
  startAdmin,
  testMapping,
} from '../../support/admin-harness.ts';
import { eachTurn } from '../../support/each-turn.ts';

const mappingsInAll = 6_000;
/** Several pieces may come into one turn. */
const mostPerTurn = 2_000;
const headers = { 'change-reason': 'INC-1' };

let admin: AdminHarness;
let looked = 0;

function* counted<Item>(items: Iterable<Item>): Generator<Item, undefined> {
  for (const item of items) {
    looked += 1;
    yield item;
  }
}

/** As many rows as this in the table would take long. */
function* manyMappings(): Generator<StoredRoleMapping, undefined> {
  const base = testMapping('base', { session: { name: 'one' } });
  for (let at = 0; at < mappingsInAll; at += 1) {
    const principal = { pool: adminPool, client: `client-${at}` };
    yield { version: 1, mapping: { ...base, id: `m-${at}`, principal } };
  }
}

function countLooks(kept: StoredRoleMapping): void {
  const { revision } = admin.policy.current();
  const snapshot = compileSnapshot(revision, [...manyMappings(), kept]);
  const { byId, byPrincipal } = snapshot;
  const [ids, values, groups] = [
    byId.keys.bind(byId),
    byId.values.bind(byId),
    byPrincipal.values.bind(byPrincipal),
  ];
  const get = byId.get.bind(byId);
  byId.keys = () => counted(ids());
  byId.values = () => counted(values());
  byPrincipal.values = () => counted(groups());
  // Pages get one after the other.
  byId.get = (id) => {
    looked += 1;
    return get(id);
  };
  admin.policy.current = () => snapshot;
}

beforeAll(async () => {
  admin = await startAdmin({ guardrails: { approval: { ...noApproval, when: 'widens' } } });
  const role = 'arn:aws:iam::123456789012:role/broker/kept';
  const kept = testMapping('kept', { principal: { pool: adminPool, user: adaSub }, role });
  const row = { id: kept.id, mapping: kept, expectedVersion: 'absent' } as const;
  await admin.table.write({ ...row, actor: 'ada', reason: 'it is needed' });
  await admin.policy.refresh();
  countLooks({ mapping: kept, version: 1 });
});
afterAll(() => admin.stop());

const put = testMapping('new', {
  principal: { pool: adminPool, client: 'client-new' },
  conditions: { caller: 'machine' },
  session: { name: 'one' },
});

const walks: readonly (readonly [string, string, AdminRequest])[] = [
  [
    'PUT',
    '/v1/role-mappings/new?dryRun=true',
    { headers: { ...headers, 'if-none-match': '*' }, body: put },
  ],
  ['DELETE', '/v1/role-mappings/kept?dryRun=true', { headers: { ...headers, 'if-match': '"1"' } }],
  ['GET', '/v1/role-mappings?owner=nobody', {}],
  ['GET', `/v1/principals?role=${encodeURIComponent(`${put.role}-x`)}`, {}],
  ['GET', `/v1/permissions?pool=${adminPool}&client=nobody`, {}],
  ['GET', '/v1/freezes', {}],
  [
    'POST',
    '/v1/freezes?dryRun=true',
    { headers, body: { principal: { pool: '*', any: true }, role: '*' } },
  ],
  [
    'POST',
    '/v1/explain',
    { body: { caller: { pool: adminPool, client: callerClient }, request: { role: put.role } } },
  ],
];

describe('with many mappings', () => {
  it.each(walks)('%s %s looks at them in turns', async (method, path, request) => {
    const counts: number[] = [];
    looked = 0;
    const answering = admin.send(method, path, request);
    await eachTurn(answering, () => {
      counts.push(looked);
      looked = 0;
    });

    const { status, body } = await answering;
    expect([status, body.code]).toEqual([200, undefined]);
    expect(counts.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(mappingsInAll);
    expect(Math.max(...counts)).toBeLessThan(mostPerTurn);
  });
});
