/**
 * An edit storm on ministack's DynamoDB: ten editors, each with connections and a queue of its own as ten processes would have, make a
 * hundred edits each of five role mappings. Every edit needs the one head of the table, so nearly all of them race; none may be lost, in the
 * mappings, in their versions or in the change log. (moto's DynamoDB loses equal conditional transactions that race.)
 */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { defaultGuardrails } from '../../dist/core/policy/guardrails.js';
import { roleMappingSchema } from '../../dist/core/policy/role-mapping.js';
import { createDynamoDbClient } from '../../dist/dynamodb/dynamodb-client.js';
import { RoleMappingTable } from '../../dist/dynamodb/role-mapping-table.js';
import { systemClock } from '../../dist/kit/timing/clock.js';
import { pythonTool } from '../virtual-environment.js';
import { emulatorsEnvironment, withServer } from './python-server.js';

const writers = 10;
const editsEach = 100;
const mappings = writers / 2;
const total = writers * editsEach;
const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };

export const ministack = {
  name: 'ministack',
  tools: [pythonTool],
  async run({ directory, say }) {
    const bin = await emulatorsEnvironment(join(directory, '..'), say);
    const start = (port) => ({
      command: join(bin, 'ministack'),
      env: { GATEWAY_PORT: String(port), SERVICES: 'dynamodb', LOG_LEVEL: 'WARNING' },
    });
    return await withServer({ directory, start }, storm);
  },
};

async function storm(endpoint) {
  const table = tableAt(endpoint);
  await table.create({ pointInTimeRecovery: false, deletionProtection: false });
  for (let index = 0; index < mappings; index += 1) {
    await table.write(editOf(idOf(index), 'absent', { description: '0', reason: 'first' }));
  }
  const seen = { races: 0, unknown: 0 };
  await Promise.all(
    Array.from({ length: writers }, (_, writer) => editMany(tableAt(endpoint), writer, seen)),
  );
  await assertNoneLost(table);
  return `${total} edits by ${writers} editors, none lost; ${seen.races} repeated on a newer version, ${seen.unknown} looked up after no answer`;
}

function tableAt(endpoint) {
  const client = createDynamoDbClient({ region: 'us-east-1', endpoint, credentials });
  const rules = { matchableClaims: new Set(), guardrails: defaultGuardrails, pools: undefined };
  return new RoleMappingTable({ client, tableName: 'storm', rules, clock: systemClock });
}

async function editMany(table, writer, seen) {
  const id = idOf(writer % mappings);
  for (let done = 0; done < editsEach; ) {
    const { version, mapping } = await table.get(id);
    const reason = `edit ${done} of editor ${writer}`;
    const description = String(Number(mapping.description) + 1);
    const code = await table.write(editOf(id, version, { description, reason })).then(
      () => 'done',
      (error) => error.code,
    );
    if (code === 'precondition_failed') seen.races += 1;
    else if (code === 'table_unavailable') {
      seen.unknown += 1;
      // What its editor would do: look whether it was made.
      const now = await table.version(id, version + 1).catch(() => undefined);
      if (now?.reason === reason) done += 1;
    } else {
      assert.equal(code, 'done');
      done += 1;
    }
  }
}

async function assertNoneLost(table) {
  for (let index = 0; index < mappings; index += 1) {
    const { version, mapping } = await table.get(idOf(index));
    assert.deepEqual(
      [Number(mapping.description), version],
      [total / mappings, total / mappings + 1],
    );
  }
  const changes = await table.changesSince(0, { limit: 2 * total });
  const revisions = changes.map(({ revision }) => revision);
  assert.deepEqual(
    revisions,
    Array.from({ length: total + mappings }, (_, index) => index + 1),
  );
  const reasons = new Set(changes.map(({ reason }) => reason));
  assert.equal(reasons.size, total + 1);
  assert.equal(await table.head(), total + mappings);
}

function idOf(index) {
  return `storm-${index}`;
}

function editOf(id, expectedVersion, { description, reason }) {
  const mapping = roleMappingSchema.parse({
    ...{ id, description, effect: 'allow', owner: 'storm' },
    principal: { pool: 'us-east-1_AbCdEf123', client: '4abc0exampleclientid' },
    role: `arn:aws:iam::123456789012:role/broker/${id}`,
  });
  return { id, expectedVersion, mapping, actor: 'storm', reason };
}
