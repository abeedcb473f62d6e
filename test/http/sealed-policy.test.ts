/** A broker whose change log is sealed, and `mappings apply` to such a table, with files for keys. */

import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { configSchema } from '../../src/config/schema.ts';
import { createDynamoDbClient } from '../../src/dynamodb/dynamodb-client.ts';
import { RoleMappingTable } from '../../src/dynamodb/role-mapping-table.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { anchorOf, rules as tableRules } from '../dynamodb/table-fixture.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import {
  type MappingStack,
  mappingText,
  startMappingStack,
  temporaryFolders,
} from '../support/mapping-folder.ts';
import { allow, defaultMappings, roleNamed } from '../support/outside-world.ts';
import { patientTable } from '../support/patience.ts';

const folders = temporaryFolders();
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const keys = folders.folder({
  'seal.pub': publicKey.export({ type: 'spki', format: 'pem' }) as string,
});
const publicKeyFiles = [join(keys, 'seal.pub')];
const keyFile = join(keys, 'seal.pem');
const alarm = 'tokenbroker_policy_alarm_active{kind="seal_broken"}';
let broker: BrokerFixture;
let stack: MappingStack;

beforeAll(async () => {
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  writeFileSync(keyFile, pem, { mode: 0o600 });
  let anchor: { revision: number; chain: string } | undefined;
  [broker, stack] = await Promise.all([
    startBrokerFixture({
      async beforeStart({ dynamodb }) {
        const client = createDynamoDbClient({
          region: 'us-east-1',
          endpoint: dynamodb.url,
          timeouts: patientTable,
        });
        const shared = { rules: tableRules, clock: systemClock };
        const name = 'role-mappings';
        const table = new RoleMappingTable({ ...shared, client, tableName: name });
        const found = await anchorOf({ table, name });
        anchor = found && { revision: found.revision, chain: found.digest };
        client.destroy();
      },
      configure: (config) => ({
        ...config,
        policy: { ...config.policy, seal: { publicKeyFiles, keyFile, anchor } },
      }),
    }),
    startMappingStack(),
  ]);
});

afterAll(async () => {
  await Promise.all([broker.stop(), stack.stop()]);
  folders.remove();
});

/** Whether what the table has under this id is what the broker decides by, as an editor is told. */
const shownInForce = async (id: string) => {
  const path = `/v1/role-mappings/${id}`;
  const { status, body } = await broker.call({
    listener: 'admin',
    token: broker.token('admin'),
    path,
  });
  return [status, body.inForce];
};

const put = (id: string) =>
  broker.call({
    listener: 'admin',
    token: broker.token('admin'),
    method: 'PUT',
    path: `/v1/role-mappings/${id}`,
    headers: { 'if-none-match': '*', 'change-reason': 'ticket 7' },
    body: allow(id, 'orders', { role: roleNamed('orders-writer') }),
  });

it('an edit by the API is sealed; one by somebody without the key grants nothing, and stops the next (T110)', async () => {
  expect((await put('sealed')).status).toBe(201);
  const revision = (await broker.metrics()).get('tokenbroker_policy_revision');
  expect(revision).toBe(defaultMappings.length + 1);
  expect((await broker.metrics()).get(alarm)).not.toBe(1);

  // As an editor would write it, by somebody with all rights to the table.
  const { id, ...ghost } = allow('ghost', 'legacy');
  const mapping = (await broker.table.get('sealed'))?.mapping;
  if (mapping === undefined) throw new Error('the sealed mapping is not there');
  await broker.table.write({
    id,
    expectedVersion: 'absent',
    mapping: { ...mapping, id, principal: { ...mapping.principal, ...ghost.principal } },
    actor: 'mallory',
    reason: 'none',
  });
  while ((await broker.metrics()).get(alarm) !== 1);
  expect(await shownInForce('sealed')).toEqual([200, true]);
  expect(await shownInForce('ghost')).toEqual([200, false]);

  expect((await broker.metrics()).get('tokenbroker_policy_revision')).toBe(revision);
  const next = await put('late');
  expect([next.status, next.body.code]).toEqual([503, 'change_not_sealed']);
  expect((await broker.issue('orders', { role: 'sealed' })).status).toBe(200);
});

it('an apply from files seals; one that does not seal, or has no key, changes nothing (T112)', async () => {
  const table = await stack.newTable();
  const sealed = (fields: object) =>
    configSchema.parse({
      ...table.config,
      policy: { ...table.config.policy, seal: { publicKeyFiles, ...fields } },
    });
  const folder = folders.folder({ 'a.yaml': mappingText('a') });

  const refused = await table.apply(folder, { config: sealed({}) });
  expect(refused.code).not.toBe(0);
  expect(refused.err).toContain('has no key');
  expect(await table.table.head()).toBe(0);

  expect((await table.apply(folder, { config: sealed({ keyFile }) })).code).toBe(0);
  const { links } = await table.table.loggedRows({ since: 0, through: 1, known: () => undefined });
  expect(links).toEqual([expect.objectContaining({ seal: expect.any(String) })]);
});
