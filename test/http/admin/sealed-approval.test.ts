/** Approval where the change log is sealed: what an editor wrote counts, and what anybody else wrote is no proposal. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type Proposal, proposalDigest, timePart } from '../../../src/core/editing/proposal.ts';
import { noApproval } from '../../../src/core/policy/approval.ts';
import { proposalItem } from '../../../src/dynamodb/proposal-item.ts';
import { FileSigner } from '../../../src/signing/file-signer.ts';
import type { Signer } from '../../../src/signing/signer.ts';
import {
  type AdminHarness,
  readScope,
  startAdmin,
  testMapping,
  writeScope,
} from '../../support/admin-harness.ts';
import { keyFiles } from '../../support/key-files.ts';
import { temporaryFolders } from '../../support/mapping-folder.ts';
import { startSeal, stopSeals } from '../../support/started-seal.ts';

const folders = temporaryFolders();
const folder = folders.folder();
const [ours, foreign] = [keyFiles(folder, 'ours'), keyFiles(folder, 'foreign')];
let signer: SwitchedSigner;
let admin: AdminHarness;

interface SwitchedSigner extends Signer {
  away: boolean;
}

beforeAll(async () => {
  signer = switched(new FileSigner(ours.privateKey));
  const seal = await startSeal({
    name: 'admin-test',
    publicKeyFiles: [ours.publicKey],
    signer,
  });
  admin = await startAdmin({
    seal,
    guardrails: { approval: { ...noApproval, when: 'widens' } },
    access: { groups: new Set(['billing', 'customers']) },
  });
});
afterAll(async () => {
  await admin.stop();
  stopSeals();
  folders.remove();
});
afterEach(() => {
  signer.away = false;
});

function switched(inner: Signer): SwitchedSigner {
  return {
    away: false,
    async sign(text) {
      if (this.away) throw new Error('the key is away');
      return await inner.sign(text);
    },
    stop: () => inner.stop(),
  } as SwitchedSigner;
}

const as = (user: 'ada' | 'cleo') => admin.token({ user, scopes: [readScope, writeScope] });
let count = 0;
const newId = () => `sealed-${++count}`;

function put(id: string) {
  return admin.send('PUT', `/v1/role-mappings/${id}`, {
    token: as('ada'),
    headers: { 'if-none-match': '*', 'change-reason': 'ticket 7' },
    body: testMapping(id),
  });
}

async function proposed(): Promise<Proposal> {
  const { body } = await put(newId());
  const kept = await admin.table.proposals.get(body.proposal.id);
  if (kept === undefined) throw new Error('there is no proposal');
  return kept;
}

function decide(id: string, how: 'approve' | 'reject' | 'withdraw', sha256?: string) {
  const token = as(how === 'withdraw' ? 'ada' : 'cleo');
  const body = { reason: 'read', ...(sha256 === undefined ? {} : { sha256 }) };
  return admin.send('POST', `/v1/proposals/${id}/${how}`, { token, body });
}

const approve = (proposal: Proposal) => decide(proposal.id, 'approve', proposalDigest(proposal));
const shown = async (id: string) => (await admin.send('GET', `/v1/proposals/${id}`)).body;

async function listed(): Promise<readonly string[]> {
  const { body } = await admin.send('GET', '/v1/proposals?limit=100');
  return body.items.map(({ id }: { id: string }) => id);
}

describe('a proposal of a sealed table', () => {
  it('is applied with a sealed entry, which is in force, and is shown as it ended (T241)', async () => {
    const proposal = await proposed();
    const approved = await approve(proposal);
    expect([approved.status, approved.body.inForce]).toEqual([201, true]);
    const { revision } = approved.body;
    const range = { since: revision - 1, through: revision, known: () => undefined };
    const { links } = await admin.table.loggedRows(range);
    expect(links).toEqual([expect.objectContaining({ revision, seal: expect.any(String) })]);
    expect(await admin.table.head()).toBe(revision);
    expect(await shown(proposal.id)).toMatchObject({ state: 'applied' });
    const again = await approve(proposal);
    expect(again.body.code).toBe('proposal_not_open');
  });

  it.each(['reject', 'withdraw'] as const)(
    'is still one after it ended: %s (T241)',
    async (how) => {
      const proposal = await proposed();
      const { status, body } = await decide(proposal.id, how);
      expect([status, body.state]).toEqual([200, `${how}${how === 'reject' ? 'ed' : 'n'}`]);
      expect((await shown(proposal.id)).state).toBe(body.state);
      expect((await approve(proposal)).body.code).toBe('proposal_not_open');
    },
  );

  it('is the same one when its author sends it again (T241)', async () => {
    const id = newId();
    const first = await put(id);
    expect((await put(id)).body.proposal).toEqual(first.body.proposal);
  });

  it('is neither made nor applied while the key is away, and waits on (T241)', async () => {
    const proposal = await proposed();
    signer.away = true;
    const id = newId();
    for (const answer of [await put(id), await approve(proposal)]) {
      expect([answer.status, answer.body.code]).toEqual([503, 'change_not_sealed']);
    }
    signer.away = false;
    expect((await shown(proposal.id)).state).toBe('open');
    expect((await approve(proposal)).status).toBe(201);
    expect((await put(id)).status).toBe(202);
  });
});

describe('a row that somebody wrote around the brokers (T241)', () => {
  const other = (id: string) => testMapping(id, { session: { maxDurationSeconds: 43_200 } });
  const stranger = {
    ...{ name: 'ghost', issuer: 'https://ghost.example', subject: 'ghost', machine: false },
  };
  const forgeries: Readonly<Record<string, (genuine: Proposal) => Partial<Proposal>>> = {
    'of another document': ({ mappingId }) => ({ after: other(mappingId) }),
    'of another mapping': () => ({ mappingId: 'ghost', after: testMapping('ghost') }),
    'of a deletion': () => ({ action: 'delete', after: undefined }),
    'of another author': ({ author }) => ({ author: { ...author, ...stranger } }),
    'of the same author by another name': ({ author }) => ({ author: { ...author, name: 'x' } }),
    'of another version': () => ({ baseVersion: 7 }),
    'of a new mapping after another deletion': () => ({ deletedVersion: 7 }),
    'that waits longer': ({ expiresAt }) => ({ expiresAt: expiresAt + 1 }),
    'that was made at another time': ({ createdAt }) => ({ createdAt: createdAt + 1 }),
    'that shows another mapping as it was': () => ({ before: other('before') }),
    'for another reason': () => ({ reason: 'ticket 8' }),
    'with an override': () => ({ override: true }),
    'under another id': () => ({ id: `${timePart(admin.clock.now())}-${'0'.repeat(16)}` }),
    'without a seal': () => ({ seal: undefined }),
    'with half a seal': ({ seal = '' }) => ({ seal: seal.slice(0, 40) }),
    'with no signature for a seal': () => ({ seal: 'none' }),
  };

  it.each(Object.entries(forgeries))('%s is none', async (_what, change) => {
    const genuine = await proposed();
    const forged = { ...genuine, ...change(genuine) };
    await admin.putItem(proposalItem(forged));
    await expectNone(forged);
  });

  it('with more in it than a proposal has is none', async () => {
    const genuine = await proposed();
    const approvals = { approvals: { N: '2' }, approvedBy: { S: 'grace' } };
    await admin.putItem({ ...proposalItem(genuine), ...approvals });
    await expectNone(genuine);
  });

  it('with the seal of another proposal, of an entry, or by another key is none', async () => {
    const [genuine, second] = [await proposed(), await proposed()];
    const entry = (await approve(await proposed())).body.revision;
    const range = { since: entry - 1, through: entry, known: () => undefined };
    const [link] = (await admin.table.loggedRows(range)).links;
    const forged = await new FileSigner(foreign.privateKey).sign('anything');
    for (const seal of [second.seal, link?.seal, forged.toString('base64')]) {
      await admin.putItem(proposalItem({ ...genuine, seal }));
      await expectNone(genuine);
    }
    await admin.putItem(proposalItem(genuine));
    expect((await approve(genuine)).status).toBe(201);
  });

  it('hides none of the others, page by page', async () => {
    await admin.clock.advance(1);
    const genuine = await proposed();
    await admin.clock.advance(1);
    for (let made = 0; made < 5; made += 1) {
      const id = `${timePart(admin.clock.now())}-${String(made).padStart(16, '0')}`;
      await admin.putItem(proposalItem({ ...genuine, id }));
    }
    const { body } = await admin.send('GET', '/v1/proposals?limit=1');
    expect(body.items).toMatchObject([{ id: genuine.id }]);
    expect(body.nextCursor).toEqual(expect.any(String));
  });

  async function expectNone(forged: Proposal) {
    const head = await admin.table.head();
    const answers = [
      await approve(forged),
      await decide(forged.id, 'reject'),
      await decide(forged.id, 'withdraw'),
      await admin.send('GET', `/v1/proposals/${forged.id}`),
    ];
    for (const { status, body } of answers) {
      expect([status, body.code]).toEqual([404, 'proposal_not_found']);
    }
    expect(await listed()).not.toContain(forged.id);
    expect(await admin.table.head()).toBe(head);
    expect(await admin.table.get(forged.mappingId)).toBe(undefined);
  }
});
