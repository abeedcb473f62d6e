import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type KmsServer, startKmsServer } from '../../emulators/kms/kms-server.ts';
import type { RoleMapping } from '../../src/core/policy/role-mapping.ts';
import type { PolicySyncOptions } from '../../src/dynamodb/policy-sync.ts';
import type { RoleMappingTable } from '../../src/dynamodb/role-mapping-table.ts';
import type { TableSealOptions } from '../../src/dynamodb/table-seal.ts';
import { FileSigner } from '../../src/signing/file-signer.ts';
import { KmsSigner } from '../../src/signing/kms-signer.ts';
import { type KeyFiles, keyFiles } from '../support/key-files.ts';
import { startSeal, stopSeals } from '../support/started-seal.ts';
import { withEnvironment } from '../support/with-environment.ts';
import { heldLoads, wasEverAfter } from './held-loads.ts';
import { allows, probeSync, type SyncProbe, startProbe, stopProbes } from './sync-probe.ts';
import {
  anchorOf,
  denial,
  logPk,
  mapping,
  pool,
  rules,
  skOf,
  startTableFixture,
  type TableFixture,
  type TestTable,
} from './table-fixture.ts';

type Item = Record<string, AttributeValue>;

let fixture: TableFixture;
let t: TestTable;
let folder: string;
let ours: KeyFiles;
let foreign: KeyFiles;

beforeAll(async () => {
  fixture = await startTableFixture();
  folder = mkdtempSync(path.join(tmpdir(), 'table-seal-'));
  ours = keyFiles(folder, 'ours');
  foreign = keyFiles(folder, 'foreign');
});
beforeEach(async () => {
  t = await fixture.table();
});
afterEach(async () => {
  await stopProbes();
  stopSeals();
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await fixture.stop();
});

const sealOf = (options: Partial<TableSealOptions> = {}) =>
  startSeal({ name: t.name, publicKeyFiles: [ours.publicKey], ...options });

async function editorOf(options: Partial<TableSealOptions> = {}): Promise<RoleMappingTable> {
  return t.another(await sealOf({ signer: new FileSigner(ours.privateKey), ...options }));
}

/** Reads, and has no key that signs. */
async function brokerOf(
  options: Partial<TableSealOptions> = {},
  sync: Partial<PolicySyncOptions> = {},
): Promise<SyncProbe> {
  return await startProbe({ table: t.table, seal: await sealOf(options), ...sync });
}

function edit(table: RoleMappingTable, next: RoleMapping, expectedVersion: number | 'absent') {
  const { id } = next;
  return table.write({ id, expectedVersion, mapping: next, actor: 'alice', reason: 'ticket 7' });
}

async function entry(revision: number): Promise<Item> {
  const item = await t.getRaw(logPk, skOf(revision));
  if (item === undefined) throw new Error(`no entry ${revision}`);
  return item;
}

function at(revision: number, item: Item): Item {
  return { ...item, sk: { S: skOf(revision) }, revision: { N: String(revision) } };
}

const setHead = (revision: number, mappings: number) =>
  t.putRaw({ pk: 'HEAD', sk: 'HEAD', revision, mappings });

const ghost = mapping('ghost', { principal: { pool, client: 'client-mallory' } });
const frozen = { pool, client: 'client-frozen' };

/** Four sealed edits: a role, one for a caller who is then frozen, and a replacement. */
async function history(table: RoleMappingTable): Promise<void> {
  await edit(table, mapping('frozen'), 'absent');
  await edit(table, mapping('freeze', { principal: frozen, effect: 'deny', role: '*' }), 'absent');
  await edit(table, mapping('orders'), 'absent');
  await edit(table, mapping('orders', { description: 'again' }), 1);
}

function expectPolicy(probe: SyncProbe): void {
  expect(allows(probe, 'client-orders', 'orders')).toBe(true);
  expect(allows(probe, 'client-frozen', 'frozen')).toBe(false);
  expect(allows(probe, 'client-mallory', 'ghost')).toBe(false);
}

async function expectRefusedByFresh(): Promise<void> {
  const fresh = await brokerOf();
  expect(() => fresh.sync.current()).toThrow(
    expect.objectContaining({ code: 'policy_unavailable' }),
  );
  expect(fresh.sync.alarms).toContain('seal_broken');
}

/** An entry and all that belongs to it, as an edit writes them, but for the seal. */
async function forgeEdit(seal: Item): Promise<void> {
  await t.editRaw('ghost', JSON.stringify(ghost), 1);
  await t.putItem({ ...(await entry(5)), ...seal });
}

const additions: readonly (readonly [string, () => Promise<void>])[] = [
  ['no seal', () => forgeEdit({})],
  [
    'the seal of the entry before',
    async () => {
      const { chain, seal } = await entry(4);
      if (chain !== undefined && seal !== undefined) await forgeEdit({ chain, seal });
    },
  ],
  ['a seal that is none', () => forgeEdit({ chain: { S: 'AAAA' }, seal: { S: 'AAAA' } })],
  [
    'a seal by another key',
    async () => {
      const publicKeyFiles = [ours.publicKey, foreign.publicKey];
      const signer = new FileSigner(foreign.privateKey);
      await edit(await editorOf({ publicKeyFiles, signer }), ghost, 'absent');
    },
  ],
  [
    'a seal for another table',
    async () => {
      const other = await fixture.table();
      const seal = await sealOf({ name: other.name, signer: new FileSigner(ours.privateKey) });
      const table = other.another(seal);
      await history(table);
      await edit(table, ghost, 'absent');
      const forged = await other.getRaw(logPk, skOf(5));
      if (forged !== undefined) await t.putItem(forged);
      await setHead(5, 3);
    },
  ],
];

describe('an entry that somebody with all rights to the table adds', () => {
  it.each(additions)(
    'changes nothing, raises an alarm, and is nothing that an edit goes on from: %s (T110)',
    async (_, forge) => {
      await history(await editorOf());
      const probe = await brokerOf();
      await forge();

      expect(await probe.tick()).toBe('refused');

      expectPolicy(probe);
      expect(probe.sync.alarms).toEqual(['seal_broken']);
      await expectRefusedByFresh();
      // A seal over it would make it true for everybody.
      const honest = edit(await editorOf(), mapping('late'), 'absent');
      await expect(honest).rejects.toMatchObject({ code: 'change_not_sealed' });
      expect(await t.table.head()).toBe(5);
    },
  );

  it('ends its alarm once it is gone, and edits go on (T110)', async () => {
    const editor = await editorOf();
    await history(editor);
    const probe = await brokerOf();
    await forgeEdit({});
    await probe.tick();
    await t.deleteRaw(logPk, skOf(5));
    await t.deleteRaw('MAPPING#ghost', 'CURRENT');
    await setHead(4, 3);

    expect(await probe.tick()).toBe('unchanged');
    expect(probe.sync.alarms).toEqual([]);
    await edit(editor, mapping('late'), 'absent');
    expect(await probe.tick()).toBe('applied');
    expect(allows(probe, 'client-late', 'late')).toBe(true);
  });
});

async function move(from: number, to: number): Promise<void> {
  await t.putItem(at(to, await entry(from)));
}

const rewritings: readonly (readonly [string, () => Promise<void>])[] = [
  [
    'an entry that says something else',
    async () => t.putItem({ ...(await entry(2)), after: { S: JSON.stringify(ghost) } }),
  ],
  [
    'an entry taken out, the others moved up',
    async () => {
      await move(3, 2);
      await move(4, 3);
      await t.deleteRaw(logPk, skOf(4));
      await setHead(3, 2);
    },
  ],
  [
    'two entries that changed places',
    async () => {
      const [second, third] = [await entry(2), await entry(3)];
      await t.putItem(at(3, second));
      await t.putItem(at(2, third));
    },
  ],
  [
    'an entry put in between',
    async () => {
      await move(4, 5);
      await move(3, 4);
      await t.putItem({
        ...at(3, await entry(3)),
        id: { S: 'ghost' },
        after: { S: JSON.stringify(ghost) },
      });
      await setHead(5, 3);
    },
  ],
  [
    'a seal taken from an entry in the middle',
    async () => {
      const { seal, ...rest } = await entry(2);
      expect(seal).toBeDefined();
      await t.putItem(rest);
    },
  ],
  [
    'the seal taken from the newest entry',
    async () => {
      const { seal, ...rest } = await entry(4);
      expect(seal).toBeDefined();
      await t.putItem(rest);
    },
  ],
];

describe('a change log that was rewritten', () => {
  it.each(rewritings)(
    'is refused by a broker that starts, and changes nothing for one that runs: %s (T110)',
    async (_, rewrite) => {
      await history(await editorOf());
      const running = await brokerOf();
      await rewrite();

      await running.tick();
      await running.tickToReload();
      expectPolicy(running);
      await expectRefusedByFresh();
    },
  );

  it('is refused whatever attribute of an entry is another, gone or new (T110)', async () => {
    await history(await editorOf());
    const original = await entry(3);
    const named = Object.keys(original).filter(
      (name) => !['pk', 'sk', 'chain', 'seal'].includes(name),
    );
    expect(named).toEqual(
      expect.arrayContaining([
        'id',
        'version',
        'after',
        'updatedAt',
        'updatedBy',
        'actorProven',
        'reason',
        'writeId',
        'action',
      ]),
    );
    const seal = await sealOf();
    const verified = async (forged: Item) => {
      await t.putItem(forged);
      const range = { since: 0, through: 4, known: () => undefined };
      return await t.table.loggedRows(range).then(
        ({ links }) => seal.follow(seal.empty, links) !== undefined,
        () => false,
      );
    };
    expect(await verified(original)).toBe(true);
    for (const name of named) {
      const { [name]: value, ...without } = original;
      expect([name, await verified(without)]).toEqual([name, false]);
      const other = { ...original, [name]: changed(value) };
      expect([name, await verified(other)]).toEqual([name, false]);
    }
    expect(await verified({ ...original, invented: { S: '1' } })).toBe(false);
  });
});

function changed(value: AttributeValue | undefined): AttributeValue {
  if (value?.BOOL !== undefined) return { BOOL: !value.BOOL };
  return value?.N === undefined ? { S: `${value?.S} ` } : { N: String(Number(value.N) + 1) };
}

describe('a table that was put back', () => {
  async function putBack(): Promise<void> {
    await t.deleteRaw(logPk, skOf(4));
    await t.deleteRaw('MAPPING#orders', 'V#0000000002');
    await t.putRaw({
      pk: 'MAPPING#orders',
      sk: 'CURRENT',
      version: 1,
      mapping: JSON.stringify(mapping('orders')),
    });
    await setHead(3, 3);
  }

  it('is refused by a broker that has seen more, also after its restart (T111)', async () => {
    await history(await editorOf());
    const snapshotFile = path.join(folder, `${t.name}.json`);
    const probe = await brokerOf({}, { snapshotFile });
    await putBack();

    expect(await probe.tick()).toBe('refused');
    expect(probe.sync.alarms).toEqual(['rolled_back']);
    await probe.sync.stop();
    const again = await brokerOf({}, { snapshotFile });
    await again.until(() => again.alarms.includes('rolled_back'));
    expectPolicy(again);
  });

  it('is refused also where honest edits went on from there, which makes another history (T111)', async () => {
    await history(await editorOf());
    const snapshotFile = path.join(folder, `${t.name}.json`);
    const probe = await brokerOf({}, { snapshotFile });
    await putBack();
    // Whoever has not seen more cannot know.
    await edit(await editorOf(), mapping('other'), 'absent');
    await edit(await editorOf(), mapping('late'), 'absent');

    expect(await probe.tick()).toBe('refused');
    expect(probe.sync.alarms).toEqual(['seal_broken']);
    await probe.sync.stop();
    const again = await brokerOf({}, { snapshotFile });
    await again.until(() => again.alarms.includes('seal_broken'));
    expectPolicy(again);
    expect(allows(again, 'client-late', 'late')).toBe(false);
  });

  it('is nothing that an editor who has seen more goes on from (T111)', async () => {
    const editor = await editorOf();
    await history(editor);
    await edit(editor, mapping('late'), 'absent');
    await t.deleteRaw(logPk, skOf(5));
    await t.deleteRaw('MAPPING#late', 'CURRENT');
    await putBack();

    await expect(edit(editor, mapping('other'), 'absent')).rejects.toMatchObject({
      code: 'change_not_sealed',
    });
  });

  it('is taken by a restart with acceptShrink, but for what has no seal (T111)', async () => {
    await history(await editorOf());
    const snapshotFile = path.join(folder, `${t.name}.json`);
    const probe = await brokerOf({}, { snapshotFile });
    await putBack();
    await t.putRaw({
      pk: 'MAPPING#ghost',
      sk: 'CURRENT',
      version: 1,
      mapping: JSON.stringify(ghost),
    });
    await probe.sync.stop();

    const again = await brokerOf({}, { snapshotFile, acceptShrink: true });
    expect(again.sync.revision).toBe(3);
    expectPolicy(again);
  });

  it('is taken with acceptShrink, and with the deny that a row had before it could not be read (T322)', async () => {
    const editor = await editorOf();
    await history(editor);
    const off = { effect: 'deny', role: '*', enabled: false } as const;
    const conditions = { claims: { 'custom:team': ['orders'] } };
    await edit(editor, mapping('freeze', { principal: frozen, ...off, conditions }), 1);
    const narrower = { ...rules, matchableClaims: new Set<string>() };
    const table = t.another(undefined, narrower);
    const snapshotFile = path.join(folder, `${t.name}.json`);
    for (const acceptShrink of [false, true]) {
      const probe = await brokerOf({}, { snapshotFile, acceptShrink, table, rules: narrower });
      await probe.until(() => probe.sync.revision === 5);
      expect(probe.sync.quarantined()).toMatchObject([{ id: 'freeze' }]);
      expectPolicy(probe);
      await probe.sync.stop();
    }
  });

  it('is not taken behind what polls brought meanwhile (T307)', async () => {
    const editor = await editorOf();
    await history(editor);
    const snapshotFile = path.join(folder, `${t.name}.json`);
    await (await brokerOf({}, { snapshotFile })).sync.stop();
    const loads = heldLoads(t.table);
    fixture.server.setFault({ kind: 'reset' });
    const probe = await brokerOf({}, { snapshotFile, table: loads.table, acceptShrink: true });
    fixture.server.setFault();
    await probe.tick();
    await loads.loaded;
    await edit(editor, denial('stop', 'client-orders'), 'absent');
    await probe.sync.refresh();
    expect(allows(probe, 'client-orders', 'orders')).toBe(false);

    const lifted = await wasEverAfter(loads, probe, () => allows(probe, 'client-orders', 'orders'));
    expect(lifted).toBe(false);
    expect(probe.sync.revision).toBe(5);
  });
});

describe('honest edits', () => {
  it('of two racing editors keep one chain, which a fresh broker and a following one verify', async () => {
    const following = await brokerOf();
    const editors = [await editorOf(), await editorOf()];
    await Promise.all(
      editors.map(async (editor, number) => {
        for (let index = 0; index < 4; index++) {
          await edit(editor, mapping(`by-${number}-${index}`), 'absent');
        }
      }),
    );
    expect(await following.tick()).toBe('applied');
    const fresh = await brokerOf();
    for (const probe of [following, fresh]) {
      expect(probe.sync.revision).toBe(8);
      expect(probe.sync.alarms).toEqual([]);
    }
  });

  it('carry on where a table had none, and answer for all that came before', async () => {
    await history(t.table);
    const second = await entry(2);
    const snapshotFile = path.join(folder, `${t.name}.json`);
    const unsealed = probeSync({ table: t.table, snapshotFile });
    await unsealed.sync.start();
    await unsealed.sync.stop();
    await expect(edit(await editorOf(), mapping('late'), 'absent')).rejects.toThrow(/seal.anchor/);

    const from = { anchor: await anchorOf(t) };
    await t.putItem({ ...(await entry(2)), after: { S: JSON.stringify(ghost) } });
    await expect(edit(await editorOf(from), mapping('late'), 'absent')).rejects.toMatchObject({
      code: 'change_not_sealed',
    });
    await t.putItem(second);
    const following = await brokerOf(from, { snapshotFile });
    await edit(await editorOf(from), mapping('late'), 'absent');
    expect(await following.tick()).toBe('applied');
    const fresh = await brokerOf(from);
    expectPolicy(fresh);
    expect(allows(fresh, 'client-late', 'late')).toBe(true);

    // One without a seal, by an editor who was not told.
    await t.create(ghost);
    expect(await following.tick()).toBe('refused');
    expectPolicy(following);
    await t.deleteRaw(logPk, skOf(6));
    await t.deleteRaw('MAPPING#ghost', 'CURRENT');
    await setHead(5, 4);
    await t.putItem({ ...(await entry(2)), after: { S: JSON.stringify(ghost) } });
    const late = await brokerOf(from);
    expect(late.sync.alarms).toEqual(['seal_broken']);
  });

  it('may be sealed by any of the listed keys, and no longer by one that was taken off', async () => {
    const both = [ours.publicKey, foreign.publicKey];
    await history(await editorOf());
    const next = await editorOf({
      publicKeyFiles: both,
      signer: new FileSigner(foreign.privateKey),
    });
    await edit(next, mapping('late'), 'absent');

    for (const publicKeyFiles of [both, [foreign.publicKey]]) {
      expectPolicy(await brokerOf({ publicKeyFiles }));
    }
    await expectRefusedByFresh();
  });
});

describe('a key that seals', () => {
  let kms: KmsServer;
  let publicKeyFiles: string[];
  afterEach(() => kms.stop());

  async function useKms(kind: 'p256' | 'ed25519'): Promise<RoleMappingTable> {
    kms = await startKmsServer(kind);
    publicKeyFiles = [path.join(folder, `${t.name}.pub`)];
    const pem = kms.publicKey.export({ type: 'spki', format: 'pem' });
    for (const file of publicKeyFiles) writeFileSync(file, pem);
    const signer = new KmsSigner({
      keyId: 'alias/seal',
      region: 'us-east-1',
      endpoint: kms.endpoint,
      requestTimeoutMs: 1_000,
    });
    return await editorOf({ signer, publicKeyFiles });
  }

  const credentials = { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'example' };

  it.each(['p256', 'ed25519'] as const)(
    'may be in KMS, which brokers never ask: %s (T112)',
    async (kind) => {
      await withEnvironment(credentials, async () => {
        await history(await useKms(kind));
        const asked = kms.asked.length;
        expectPolicy(await brokerOf({ publicKeyFiles }));
        expect(kms.asked).toHaveLength(asked);
      });
    },
  );

  it.each([
    ['refuses', { error: 'AccessDeniedException' }],
    ['signs something else', 'forge'],
    ['says nothing', 'silent'],
  ] as const)('and %s stops edits with a clear answer, and no broker (T112)', async (_, how) => {
    await withEnvironment(credentials, async () => {
      const editor = await useKms('p256');
      await history(editor);
      const probe = await brokerOf({ publicKeyFiles });
      kms.behave(how);

      await expect(edit(editor, mapping('late'), 'absent')).rejects.toMatchObject({
        code: 'change_not_sealed',
        status: 503,
      });
      expect(await probe.tick()).toBe('unchanged');
      expectPolicy(probe);
      kms.behave('answer');
      await edit(editor, mapping('late'), 'absent');
      expect(await probe.tick()).toBe('applied');
    });
  });
});

describe('without a key that counts, nothing is changed', () => {
  it.each([
    ['no key', {}, /no key/],
    ['a key that is not listed', { signer: 'foreign' }, /publicKeyFiles/],
    ['a key file that is not there', { signer: 'absent' }, /did not sign/],
  ] as const)('%s (T112)', async (_, { signer }: { signer?: string }, why) => {
    const file = signer === 'foreign' ? foreign.privateKey : path.join(folder, 'absent.pem');
    const table = t.another(
      await sealOf(signer === undefined ? {} : { signer: new FileSigner(file) }),
    );
    const refused = edit(table, mapping('late'), 'absent');
    await expect(refused).rejects.toMatchObject({ code: 'change_not_sealed' });
    await expect(refused).rejects.toThrow(why);
    expect(await t.table.head()).toBe(0);
  });

  it('keeps a start from taking a private key for a public one (T112)', async () => {
    await expect(sealOf({ publicKeyFiles: [ours.privateKey] })).rejects.toThrow(/private key/);
  });
});
