/** What `mappings apply` leaves behind: a record of each change, and whether it is proven who made it. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type AccessTokenOptions,
  type Issuer,
  startIssuer,
} from '../../emulators/issuer/issuer.ts';
import { verifyAuditLog } from '../../src/audit/verify.ts';
import { type Config, configSchema } from '../../src/config/schema.ts';
import { Lease } from '../../src/kit/files/lease.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { brokenTokenFiles } from '../support/broken-token-files.ts';
import {
  type ApplyArguments,
  type MappingStack,
  mappedClients,
  mappingText,
  pool,
  row,
  startMappingStack,
  type TableUnderTest,
  temporaryFolders,
} from '../support/mapping-folder.ts';
import { signingKeys } from '../support/outside-world.ts';
import { secretsIn } from '../support/secrets-in.ts';

const folders = temporaryFolders();
const scopes = ['broker/admin.read', 'broker/admin.write'];
const pipeline = '6pipeline0example0client00';
const customers = '1orders0example0client0id0';
const graceSub = '7d8e2a5c-2222-4222-8333-944445555666';
let stack: MappingStack;
let issuer: Issuer;
let otherIssuer: Issuer;

beforeAll(async () => {
  const client = (clientId: string) => ({
    ...{ clientId, clientSecret: `secret of ${clientId}`, name: clientId, scopes },
    aud: 'none' as const,
  });
  const user = (username: string, sub: string, groups: readonly string[]) => ({
    ...{ username, sub, groups },
  });
  const people = [
    user('grace', graceSub, ['platform-admins']),
    user('cleo', '7d8e2a5c-3333-4222-8333-944445555666', ['customers']),
  ];
  const parts = {
    clock: systemClock,
    clients: [client(pipeline), client(customers)],
    keys: signingKeys(),
  };
  [stack, issuer, otherIssuer] = await Promise.all([
    startMappingStack(),
    startIssuer({ ...parts, poolId: pool, users: people }),
    startIssuer({ ...parts, poolId: 'us-east-1_Other0001', users: people }),
  ]);
});

afterAll(async () => {
  await Promise.all([stack.stop(), issuer.stop(), otherIssuer.stop()]);
  folders.remove();
});

/** The table's configuration, with administrators. */
function withAdmins(config: Config, fields: object = {}): Config {
  const { url, jwksUri } = issuer;
  const clients = [pipeline, customers, ...mappedClients];
  return configSchema.parse({
    ...config,
    identity: { ...config.identity, userPools: [{ pool, issuer: url, jwksUri, clients }] },
    admin: { pool, clients: [pipeline], groups: ['platform-admins'], machines: true, ...fields },
  });
}

/** A path that holds the token. */
function tokenFile(options: Partial<AccessTokenOptions> = {}, from: Issuer = issuer) {
  const token = from.issueAccessToken({ clientId: pipeline, ...options });
  return { token, file: join(folders.folder({ 'admin.jwt': `${token}\n` }), 'admin.jwt') };
}

const applied = (config: Config) => join(config.audit.directory ?? '', 'apply');

// biome-ignore lint/suspicious/noExplicitAny: tests look into it as they please
function records(config: Config): any[] {
  return readFileSync(join(applied(config), 'audit.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type === 'mapping_change');
}

async function applyOne(table: TableUnderTest, id: string, options: ApplyArguments = {}) {
  return await table.apply(folders.folder({ 'a.yaml': mappingText(id) }), options);
}

describe('the record of an apply', () => {
  it('T58: says of every change what it was, before it is made, in a chain that is intact', async () => {
    const table = await stack.newTable();
    await table.put(row('changed', { precedence: 7 }));
    await table.put(row('gone'));
    const files = { 'a.yaml': mappingText('added'), 'c.yaml': mappingText('changed') };
    const reason = 'CHG-7: moved';
    const { code } = await table.apply(folders.folder(files), { prune: true, reason });
    expect(code).toBe(0);
    const byId = new Map(records(table.config).map((record) => [record.mappingId, record]));
    const common = { outcome: 'authorized', route: 'mappings apply', reason };
    expect(new Set(byId.keys())).toEqual(new Set(['added', 'changed', 'gone']));
    expect(byId.get('added')).toMatchObject({
      ...common,
      action: 'create',
      before: null,
      after: row('added'),
    });
    expect(byId.get('changed')).toMatchObject({
      ...common,
      action: 'replace',
      baseVersion: 1,
      before: row('changed', { precedence: 7 }),
      after: row('changed'),
    });
    expect(byId.get('gone')).toMatchObject({ ...common, action: 'delete', after: null });
    const verified = await verifyAuditLog({ location: applied(table.config) });
    expect(verified.intact).toBe(true);
  });

  it('proposes what needs a second administrator, and only with a token (T216)', async () => {
    const table = await stack.newTable();
    const { guardrails } = table.config;
    const approval = { ...guardrails.approval, when: 'widens' as const };
    const config = withAdmins({ ...table.config, guardrails: { ...guardrails, approval } });
    const unnamed = await applyOne(table, 'a', { config });
    expect([unnamed.code, unnamed.err.includes('give the token')]).toEqual([1, true]);

    await table.put(row('gone'));
    const files = folders.folder({ 'a.yaml': mappingText('a') });
    const { file } = tokenFile();
    const { code, out } = await table.apply(files, { config, tokenFile: file, prune: true });
    const [proposal] = await table.table.proposals.list({ limit: 10 });
    expect(code).toBe(3);
    expect(out).toContain(`a: /v1/proposals/${proposal?.id}`);
    expect(proposal).toMatchObject({ mappingId: 'a', author: { machine: true }, after: row('a') });
    expect(await table.table.get('a')).toBe(undefined);
    expect(await table.table.get('gone')).toBe(undefined);
    expect(records(config).map(({ outcome }) => outcome)).toEqual(
      expect.arrayContaining(['refused', 'proposed', 'authorized']),
    );
  });

  it('T58: goes on in the same chain with the next apply', async () => {
    const table = await stack.newTable();
    await applyOne(table, 'a');
    await applyOne(table, 'b');
    expect(records(table.config).map(({ mappingId }) => mappingId)).toEqual(['a', 'b']);
    const lines = readFileSync(join(applied(table.config), 'audit.jsonl'), 'utf8').trim();
    const chains = lines.split('\n').map((line) => JSON.parse(line).chain);
    expect(new Set(chains).size).toBe(1);
    expect((await verifyAuditLog({ location: applied(table.config) })).intact).toBe(true);
  });

  it('T58: that cannot be written means that nothing is', async () => {
    const table = await stack.newTable();
    const taken = folders.folder({ audit: 'a file' });
    const held = folders.folder();
    const lock = new Lease({
      path: join(held, 'audit.lock'),
      clock: systemClock,
      leaseMs: 10_000,
    });
    await lock.acquire();
    const { directory: _none, ...audit } = { ...table.config.audit, stdout: true };
    const cases: readonly (readonly [ApplyArguments, number, string])[] = [
      [{ auditDirectory: join(taken, 'audit') }, 1, 'name another place with --audit-directory'],
      [{ auditDirectory: held }, 1, 'another process writes to it'],
      [{ config: { ...table.config, audit } }, 2, 'say with --audit-directory'],
    ];
    for (const [options, expected, words] of cases) {
      const { code, err } = await applyOne(table, 'a', options);
      expect([code, err]).toEqual([expected, expect.stringContaining(words)]);
    }
    expect(await table.table.head()).toBe(0);
    await lock.release();
    const elsewhere = { config: { ...table.config, audit }, auditDirectory: held };
    expect((await applyOne(table, 'a', elsewhere)).code).toBe(0);
    expect(readFileSync(join(held, 'audit.jsonl'), 'utf8')).toContain('"mappingId":"a"');
  });

  it('T58: exists for a change that is refused: by a guardrail, or because the row has moved', async () => {
    const table = await stack.newTable();
    await table.put(row('moved'));
    const text = (id: string) => mappingText(id, 'precedence: 9');
    const plan = folders.path('refused.json');
    const planOf = async (id: string, change: (text: string) => string) => {
      await table.plan(folders.folder({ 'a.yaml': text(id) }), { out: plan });
      writeFileSync(plan, change(readFileSync(plan, 'utf8')));
      return (await table.apply(undefined, { plan })).code;
    };
    const forbidden = (json: string) => json.replaceAll('role/broker/evil', 'role/OrgAdmin');
    expect(await planOf('evil', forbidden)).toBe(1);
    const stale = (json: string) => json.replace('"version": 1', '"version": 9');
    expect(await planOf('moved', stale)).toBe(1);
    expect(records(table.config)).toMatchObject([
      { outcome: 'refused', code: 'mapping_invalid', mappingId: 'evil' },
      { outcome: 'refused', code: 'precondition_failed', mappingId: 'moved' },
    ]);
    expect(await table.table.head()).toBe(1);
  });
});

describe('who applied', () => {
  it('T59: is not proven without a token, and record, history and change log say so', async () => {
    const table = await stack.newTable();
    await applyOne(table, 'a');
    const [record] = records(table.config);
    expect(record).toMatchObject({ actor: 'cli:tester@host', actorProven: false });
    expect(record.token).toBeUndefined();
    const unproven = { updatedBy: 'cli:tester@host', actorProven: false };
    expect(await table.table.changesSince(0)).toMatchObject([unproven]);
    expect(await table.table.versions('a')).toMatchObject([unproven]);
    expect(await table.table.get('a')).toMatchObject(unproven);
  });

  it('T59: is proven by a token of an administrator, a person or a machine, which is kept as its digest', async () => {
    for (const [options, name] of [
      [{ user: 'grace', scopes }, `${pool}/${pipeline}/${graceSub}`],
      [{}, `${pool}/${pipeline}`],
    ] as const) {
      const table = await stack.newTable();
      const config = withAdmins(table.config);
      const { token, file } = tokenFile(options);
      const { code, err, out } = await applyOne(table, 'a', { config, tokenFile: file });
      expect([code, err]).toEqual([0, expect.stringMatching(/^(?:.*: warning: .*\n)*$/)]);
      const [record] = records(config);
      expect(record).toMatchObject({
        outcome: 'authorized',
        actor: name,
        actorProven: true,
        token: { pool, clientId: pipeline, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      });
      const proven = { updatedBy: name, actorProven: true };
      expect(await table.table.changesSince(0)).toMatchObject([proven]);
      expect(await table.table.get('a')).toMatchObject(proven);
      const log = readFileSync(join(applied(config), 'audit.jsonl'), 'utf8');
      expect(secretsIn(`${log}${out}${err}`, [token])).toEqual([]);
    }
  });

  it('T59: a token that is no administrator’s stops the apply, on record, with nothing written', async () => {
    const table = await stack.newTable();
    const config = withAdmins(table.config);
    const [head, claims] = tokenFile().token.split('.');
    const forged = folders.folder({ 'forged.jwt': `${head}.${claims}.AAAA` });
    const cases: readonly (readonly [string, string])[] = [
      [tokenFile({ user: 'cleo', scopes }).file, 'access_denied'],
      [tokenFile({ clientId: customers }).file, 'access_denied'],
      [tokenFile({ user: 'grace', scopes: ['broker/admin.read'] }).file, 'scope_insufficient'],
      [tokenFile({}, otherIssuer).file, 'token_issuer_unknown'],
      [join(forged, 'forged.jwt'), 'token_signature_invalid'],
    ];
    for (const [file, reason] of cases) {
      const { code, err } = await applyOne(table, 'a', { config, tokenFile: file });
      expect([code, err]).toEqual([1, expect.stringContaining('Stopped after 0 of 1 changes')]);
      expect(records(config).at(-1)).toMatchObject({ outcome: 'refused', code: reason });
    }
    expect(await table.table.head()).toBe(0);
  });

  it('T59: a person’s sign-in may be no older for a command than for the listener', async () => {
    const table = await stack.newTable();
    const config = withAdmins(table.config, { maxSignInAgeSeconds: 900 });
    const signedInAt = systemClock.now() - 1_000_000;
    const { file } = tokenFile({ user: 'grace', scopes, signedInAt });
    expect((await applyOne(table, 'a', { config, tokenFile: file })).code).toBe(1);
    expect(records(config)).toMatchObject([{ outcome: 'refused', code: 'sign_in_insufficient' }]);
    expect(await table.table.head()).toBe(0);
  });

  it('T59, T157: a token that cannot be judged is not passed over: nothing is written', async () => {
    const table = await stack.newTable();
    const absent = folders.path('absent.jwt');
    const cases: readonly (readonly [Config, string, string])[] = [
      [table.config, tokenFile().file, 'no "admin" section'],
      [withAdmins(table.config), absent, 'cannot be read (ENOENT)'],
      ...brokenTokenFiles.map(([, spoilt, why]): [Config, string, string] => {
        const file = join(folders.folder({ 'broken.jwt': '' }), 'broken.jwt');
        writeFileSync(file, spoilt(Buffer.from(tokenFile().token)));
        return [withAdmins(table.config), file, `${file} ${why}`];
      }),
    ];
    for (const [config, file, words] of cases) {
      const { code, err } = await applyOne(table, 'a', { config, tokenFile: file });
      expect([code, err]).toEqual([1, expect.stringContaining(words)]);
      expect(err).toContain('Nothing was written.');
    }
    expect(await table.table.head()).toBe(0);
  });
});
