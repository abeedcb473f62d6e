/** Many proposals at the same instant, by two brokers of one table: what is counted is counted for both. */

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { PutItemCommand } from '@aws-sdk/client-dynamodb';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals';
import { type Broker, createBroker } from '../../../src/broker/broker.ts';
import { configSchema } from '../../../src/config/schema.ts';
import { proposalLifetimeMs, timePart } from '../../../src/core/editing/proposal.ts';
import { createDynamoDbClient } from '../../../src/dynamodb/dynamodb-client.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import {
  type BrokerFixture,
  type ConfigInput,
  linesIn,
  startBrokerFixture,
} from '../../support/broker-fixture.ts';
import { portion } from '../../support/fuzz-budget.ts';
import { type Answer, send } from '../../support/http-call.ts';
import { allow, clients, pool, roleNamed } from '../../support/outside-world.ts';
import { patientClock, patientTable } from '../../support/patience.ts';

const people = ['ada', 'grace', 'cleo', 'dan'] as const;
type Person = (typeof people)[number];
const subOf = (person: Person) =>
  `7d8e2a5c-${1111 * (people.indexOf(person) + 1)}-4222-8333-944445555666`;

let first: BrokerFixture;
let second: Broker;
let secondAudit: string;
let admins: readonly string[];
const warnings: string[] = [];
const onWarning = ({ name }: Error) => void warnings.push(name);

beforeAll(async () => {
  let config: ConfigInput | undefined;
  first = await startBrokerFixture({
    tableTimeouts,
    users: people.map((username) => ({ username, sub: subOf(username), groups: [] })),
    configure: (given) => {
      config = {
        ...given,
        admin: { pool, clients: [clients.admin.clientId], users: people.map(subOf) },
        guardrails: { approval: { when: 'widens' } },
      };
      return config;
    },
  });
  if (config === undefined) throw new Error('there is no configuration');
  secondAudit = join(first.directory, 'second');
  second = createBroker({
    config: configSchema.parse({ ...config, audit: { ...config.audit, directory: secondAudit } }),
    build: { version: '0.0.0-test', revision: 'unknown', node: process.version },
    logger: createLogger({ level: 'silent' }),
    clock: patientClock,
    tableTimeouts,
  });
  const urls = await second.start();
  admins = [first.urls.admin, urls.admin].map(String);
  process.on('warning', onWarning);
});
afterAll(async () => {
  process.off('warning', onWarning);
  await second.stop();
  await first.stop();
});
beforeEach(() => putCount('#ALL', []));
afterEach(() => expect(warnings).toEqual([]));

/** Proposals are counted one after the other, and what a machine makes of them in a second is not to decide. */
const stormMs = 300_000;
const tableTimeouts = { ...patientTable, writeTimeoutMs: stormMs };
jest.setTimeout(stormMs);

const atOnce = portion(50);
let count = 0;
const newId = () => `burst-${++count}`;

/** In turn at one broker and at the other, all at the same instant. */
function burst(person: Person, idOf: () => string, length = atOnce): Promise<readonly Answer[]> {
  const token = first.token('admin', { user: person, scopes: ['broker/admin.write'] });
  return Promise.all(
    Array.from({ length }, (_, index) => {
      const id = idOf();
      return send(admins[index % 2] as string, {
        listener: 'admin',
        method: 'PUT',
        path: `/v1/role-mappings/${id}`,
        token,
        headers: { 'if-none-match': '*', 'change-reason': 'all at once' },
        body: allow(id, 'orders', { role: roleNamed('orders-writer') }),
      });
    }),
  );
}

/** As the table keeps the counts: docs/table.md. */
async function putCount(sk: string, made: readonly string[]): Promise<void> {
  const { dynamodb } = first;
  const client = createDynamoDbClient({
    region: 'us-east-1',
    endpoint: dynamodb.url,
    timeouts: patientTable,
  });
  const Item = { pk: 'PROPOSALS', sk, latest: 'earlier', made: JSON.stringify(made) };
  const attributes = Object.entries(Item).map(([name, text]) => [name, { S: text }]);
  await client.send(
    new PutItemCommand({ TableName: 'role-mappings', Item: Object.fromEntries(attributes) }),
  );
  client.destroy();
}

const authorKey = (person: Person) => {
  const counted = JSON.stringify([first.issuer.url, subOf(person)]);
  return `#AUTHOR#${createHash('sha256').update(counted).digest('hex')}`;
};
const earlier = (length: number, ageMs: number) =>
  Array.from({ length }, (_, index) => {
    const id = `${timePart(Date.now() - ageMs)}-${String(index).padStart(16, '0')}`;
    return `${id} ${'0'.repeat(64)}`;
  });

const tally = (answers: readonly Answer[]) => {
  const found: Record<string, number> = {};
  for (const { status, body } of answers) {
    const name = status === 202 ? '202' : `${status} ${body.code}`;
    found[name] = (found[name] ?? 0) + 1;
  }
  return found;
};

describe('many at the same instant, at two brokers', () => {
  it('of the same edit by the same author are one proposal (T240)', async () => {
    const id = newId();
    const answers = await burst('ada', () => id);
    expect(tally(answers)).toEqual({ 202: atOnce });
    const addresses = new Set(answers.map(({ headers }) => headers['location']));
    expect(addresses.size).toBe(1);
    const waiting = await first.table.proposals.list({ limit: 100 });
    expect(waiting.filter(({ mappingId }) => mappingId === id)).toHaveLength(1);

    // What each was told is the last that is on record of it.
    const last = new Map<string, string>();
    for (const line of [first.auditDirectory, secondAudit].flatMap(linesIn)) {
      const record = JSON.parse(line);
      if (record.type === 'mapping_change') last.set(record.requestId, record.proposal?.id);
    }
    const told = answers.map(({ requestId }) => `/v1/proposals/${last.get(String(requestId))}`);
    expect(new Set(told)).toEqual(addresses);
  });

  it('of different edits do not pass the limit of their author, whom others do not notice (T240)', async () => {
    await putCount(authorKey('grace'), earlier(190, 1_000));
    expect(tally(await burst('grace', newId))).toEqual({
      202: 10,
      '409 proposals_too_many': atOnce - 10,
    });
    expect(tally(await burst('cleo', newId, 2))).toEqual({ 202: 2 });
  });

  it('do not pass the limit of all (T240)', async () => {
    const made = earlier(990, 1_000).map((one) => one.slice(0, 12));
    await putCount('#ALL', made);
    expect(tally(await burst('dan', newId))).toEqual({
      202: 10,
      '409 proposals_too_many': atOnce - 10,
    });
  });

  it('find room once those before them have passed (T240)', async () => {
    await putCount(
      '#ALL',
      earlier(1_000, proposalLifetimeMs + 1).map((one) => one.slice(0, 12)),
    );
    await putCount(authorKey('dan'), earlier(200, proposalLifetimeMs + 1));
    expect(tally(await burst('dan', newId, 2))).toEqual({ 202: 2 });
  });
});
