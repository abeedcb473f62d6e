import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttributeValue, TransactWriteItem } from '@aws-sdk/client-dynamodb';
import {
  CreateTableCommand,
  DescribeContinuousBackupsCommand,
  DynamoDBClient,
  GetItemCommand,
  ListTablesCommand,
  PutItemCommand,
  ScanCommand,
  TransactionCanceledException,
  TransactWriteItemsCommand,
  UpdateContinuousBackupsCommand,
} from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { DynamoDbServer } from '../../emulators/dynamodb/dynamodb-server.ts';
import { startDynamoDbServer } from '../../emulators/dynamodb/dynamodb-server.ts';
import type { TestClock } from '../support/test-clock.ts';
import { createTestClock } from '../support/test-clock.ts';

const TableName = 'role-mappings';

let clock: TestClock;
let server: DynamoDbServer;
let dynamo: DynamoDBClient;
const cleanups: (() => unknown)[] = [];

beforeEach(() => {
  clock = createTestClock();
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(path?: string): Promise<void> {
  server = await startDynamoDbServer({ clock, ...(path === undefined ? {} : { path }) });
  dynamo = clientOf(server.url);
  const [started, client] = [server, dynamo];
  cleanups.push(async () => {
    client.destroy();
    await started.stop();
  });
}

function clientOf(endpoint: string, maxAttempts = 1): DynamoDBClient {
  return new DynamoDBClient({
    endpoint,
    region: 'us-east-1',
    maxAttempts,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
}

async function createTable(): Promise<void> {
  await dynamo.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' },
        { AttributeName: 'owner', AttributeType: 'S' },
      ],
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'by-owner',
          KeySchema: [{ AttributeName: 'owner', KeyType: 'HASH' }],
          Projection: { ProjectionType: 'ALL' },
        },
      ],
    }),
  );
}

async function startWithTable(): Promise<void> {
  await start();
  await createTable();
}

type Item = Record<string, AttributeValue>;

function keyOf(pk: string, sk = 'CURRENT'): Item {
  return { pk: { S: pk }, sk: { S: sk } };
}

function itemOf(pk: string, version: number): Item {
  return { ...keyOf(pk), version: { N: String(version) } };
}

async function put(item: Item): Promise<void> {
  await dynamo.send(new PutItemCommand({ TableName, Item: item }));
}

async function read(pk: string): Promise<Item | undefined> {
  const input = { TableName, Key: keyOf(pk), ConsistentRead: true };
  return (await dynamo.send(new GetItemCommand(input))).Item;
}

async function transact(items: TransactWriteItem[], token?: string): Promise<void> {
  await dynamo.send(
    new TransactWriteItemsCommand({ TransactItems: items, ClientRequestToken: token }),
  );
}

/** The cancellation reasons of a transaction that must not commit. */
async function cancellationOf(items: TransactWriteItem[]) {
  const error = await transact(items).then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!(error instanceof TransactionCanceledException)) throw error;
  return error;
}

const isNew = 'attribute_not_exists(pk)';

function expecting(version: number) {
  return {
    ConditionExpression: '#version = :expected',
    ExpressionAttributeNames: { '#version': 'version' },
    ExpressionAttributeValues: { ':expected': { N: String(version) } },
  };
}

describe('TransactWriteItems', () => {
  it('commits puts and deletes together', async () => {
    await startWithTable();
    await Promise.all([put(itemOf('replaced', 1)), put(itemOf('deleted', 1))]);
    await transact([
      { Put: { TableName, Item: itemOf('put', 1), ConditionExpression: isNew } },
      { Put: { TableName, Item: itemOf('replaced', 2), ...expecting(1) } },
      { Delete: { TableName, Key: keyOf('deleted'), ...expecting(1) } },
    ]);
    expect(await Promise.all(['put', 'replaced', 'deleted'].map(read))).toEqual([
      itemOf('put', 1),
      itemOf('replaced', 2),
      undefined,
    ]);
  });

  it('lets one of 30 racing transactions win, and leaves no trace of the others', async () => {
    await startWithTable();
    await put(itemOf('head', 0));
    const attempts = Array.from({ length: 30 }, (_, attempt) =>
      transact([
        { Put: { TableName, Item: { ...keyOf(`change-${attempt}`), by: { N: `${attempt}` } } } },
        { Put: { TableName, Item: itemOf('head', attempt + 1), ...expecting(0) } },
      ]).then(
        () => attempt,
        (error: unknown) => error,
      ),
    );
    const outcomes = await Promise.all(attempts);

    const winners = outcomes.filter((outcome) => typeof outcome === 'number');
    expect(winners).toHaveLength(1);
    expect(
      outcomes.filter((outcome) => outcome instanceof TransactionCanceledException),
    ).toHaveLength(29);
    const { Items = [] } = await dynamo.send(new ScanCommand({ TableName }));
    const rows = Items.map((item) => item['pk']?.S);
    expect(new Set(rows)).toEqual(new Set(['head', `change-${winners[0]}`]));
    expect(await read('head')).toEqual(itemOf('head', (winners[0] ?? 0) + 1));
  });

  it('is seen whole or not at all by readers', async () => {
    await startWithTable();
    await put(itemOf('first', 0));
    await put(itemOf('last', 0));
    const writes = Array.from({ length: 20 }, (_, version) =>
      transact([
        { Put: { TableName, Item: itemOf('first', version) } },
        { Put: { TableName, Item: itemOf('last', version) } },
      ]),
    );
    const reads = Array.from({ length: 20 }, () => dynamo.send(new ScanCommand({ TableName })));
    await Promise.all(writes);
    for (const { Items = [] } of await Promise.all(reads)) {
      expect(Items[0]?.['version']).toEqual(Items[1]?.['version']);
    }
  });

  it('gives cancellation reasons in the order of the request', async () => {
    await startWithTable();
    await put(itemOf('taken', 3));
    await put(itemOf('stale', 5));
    const error = await cancellationOf([
      { Put: { TableName, Item: itemOf('fresh', 1), ConditionExpression: isNew } },
      { Put: { TableName, Item: itemOf('taken', 1), ConditionExpression: isNew } },
      { Delete: { TableName, Key: keyOf('absent'), ConditionExpression: isNew } },
      { Delete: { TableName, Key: keyOf('stale'), ...expecting(4) } },
    ]);
    const Message = 'The conditional request failed';
    expect(error.CancellationReasons).toEqual([
      { Code: 'None' },
      { Code: 'ConditionalCheckFailed', Message },
      { Code: 'None' },
      { Code: 'ConditionalCheckFailed', Message },
    ]);
    expect(error.message).toBe(
      'Transaction cancelled, please refer cancellation reasons for specific reasons ' +
        '[None, ConditionalCheckFailed, None, ConditionalCheckFailed]',
    );
    expect(await read('fresh')).toBeUndefined();
  });

  it('is cancelled by an item that its table cannot hold, before anything is written', async () => {
    await startWithTable();
    const error = await cancellationOf([
      { Put: { TableName, Item: itemOf('fresh', 1) } },
      { Put: { TableName, Item: { pk: { S: 'no sort key' } } } },
    ]);
    expect(error.CancellationReasons?.map(({ Code }) => Code)).toEqual(['None', 'ValidationError']);
    expect(await read('fresh')).toBeUndefined();
  });

  it('keeps secondary indexes right', async () => {
    await startWithTable();
    await put({ ...keyOf('moved'), owner: { S: 'before' } });
    await transact([{ Put: { TableName, Item: { ...keyOf('moved'), owner: { S: 'after' } } } }]);
    const { Items } = await dynamo.send(new ScanCommand({ TableName, IndexName: 'by-owner' }));
    expect(Items).toEqual([{ ...keyOf('moved'), owner: { S: 'after' } }]);
  });

  const item = { Put: { TableName, Item: itemOf('a', 1) } };
  it.each<[string, TransactWriteItem[], string]>([
    ['no items', [], 'ValidationException'],
    [
      '101 items',
      Array.from({ length: 101 }, (_, n) => ({ Put: { TableName, Item: itemOf(`${n}`, 1) } })),
      'ValidationException',
    ],
    [
      'two operations on one item',
      [item, { Delete: { TableName, Key: keyOf('a') } }],
      'ValidationException',
    ],
    [
      'two operations in one entry',
      [{ ...item, Delete: { TableName, Key: keyOf('b') } }],
      'ValidationException',
    ],
    ['an entry without an operation', [{}], 'ValidationException'],
    [
      'a condition that does not parse',
      [item, { Delete: { TableName, Key: keyOf('b'), ConditionExpression: 'version ==' } }],
      'ValidationException',
    ],
    [
      'a value that no expression uses',
      [
        {
          Put: { TableName, Item: itemOf('a', 1), ExpressionAttributeValues: { ':x': { N: '1' } } },
        },
      ],
      'ValidationException',
    ],
    [
      'what nobody here needs',
      [{ ConditionCheck: { TableName, Key: keyOf('a'), ConditionExpression: isNew } }],
      'ValidationException',
    ],
    [
      'more than 4 MB',
      Array.from({ length: 11 }, (_, n) => ({
        Put: { TableName, Item: { ...keyOf(`${n}`), text: { S: 'x'.repeat(399_000) } } },
      })),
      'ValidationException',
    ],
    [
      'a table that does not exist',
      [item, { Put: { TableName: 'missing', Item: itemOf('b', 1) } }],
      'ResourceNotFoundException',
    ],
  ])('refuses %s, and writes nothing', async (_what, items, name) => {
    await startWithTable();
    await expect(transact(items)).rejects.toMatchObject({ name });
    expect((await dynamo.send(new ScanCommand({ TableName }))).Count).toBe(0);
  });

  it('takes 100 items', async () => {
    await startWithTable();
    await transact(
      Array.from({ length: 100 }, (_, n) => ({ Put: { TableName, Item: itemOf(`${n}`, 1) } })),
    );
    expect((await dynamo.send(new ScanCommand({ TableName }))).Count).toBe(100);
  });

  describe('with a client request token', () => {
    const add = (pk: string): TransactWriteItem[] => [
      { Put: { TableName, Item: itemOf(pk, 1), ConditionExpression: isNew } },
    ];

    it('is done once, however often it is sent within ten minutes', async () => {
      await startWithTable();
      await transact(add('once'), 'token-1');
      await clock.advance(10 * 60_000 - 1);
      await transact(add('once'), 'token-1');
      await clock.advance(1);
      await expect(transact(add('once'), 'token-1')).rejects.toThrow('ConditionalCheckFailed');
    });

    it('is refused when the parameters differ', async () => {
      await startWithTable();
      await transact(add('once'), 'token-1');
      await expect(transact(add('other'), 'token-1')).rejects.toMatchObject({
        name: 'IdempotentParameterMismatchException',
      });
      expect(await read('other')).toBeUndefined();
    });

    it('may be sent again after a lost answer: the SDK retries, and it counts once', async () => {
      await startWithTable();
      server.setFault({ kind: 'loseAnswer', operations: ['TransactWriteItems'], times: 1 });
      const retrying = clientOf(server.url, 3);
      await retrying.send(new TransactWriteItemsCommand({ TransactItems: add('once') }));
      retrying.destroy();
      expect(server.calls.filter((call) => call === 'TransactWriteItems')).toHaveLength(2);
      expect(await read('once')).toEqual(itemOf('once', 1));
    });
  });
});

const enableRecovery = new UpdateContinuousBackupsCommand({
  TableName,
  PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
});

async function recovery() {
  const described = await dynamo.send(new DescribeContinuousBackupsCommand({ TableName }));
  return described.ContinuousBackupsDescription?.PointInTimeRecoveryDescription;
}

describe('table settings', () => {
  it('keep point-in-time recovery', async () => {
    await startWithTable();
    expect(await recovery()).toEqual({ PointInTimeRecoveryStatus: 'DISABLED' });
    const enabledAt = new Date(clock.now());
    await dynamo.send(enableRecovery);
    await clock.advance(20 * 60_000);
    expect(await recovery()).toEqual({
      PointInTimeRecoveryStatus: 'ENABLED',
      RecoveryPeriodInDays: 35,
      EarliestRestorableDateTime: enabledAt,
      LatestRestorableDateTime: new Date(clock.now() - 5 * 60_000),
    });
  });

  it('need a table', async () => {
    await start();
    await expect(recovery()).rejects.toMatchObject({ name: 'TableNotFoundException' });
  });
});

describe('on disk', () => {
  let path: string;
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'dynamodb-'));
    cleanups.push(() => rm(path, { recursive: true }));
  });

  async function restart(): Promise<void> {
    dynamo.destroy();
    await server.stop();
    await start(path);
  }

  it('keeps every acknowledged put, transaction and setting over a restart', async () => {
    await start(path);
    await createTable();
    const names = Array.from({ length: 50 }, (_, n) => `put-${n}`);
    await Promise.all(names.map((name) => put(itemOf(name, 1))));
    await transact([{ Put: { TableName, Item: itemOf('transacted', 1) } }]);
    await dynamo.send(enableRecovery);

    await restart();
    const { Items = [] } = await dynamo.send(new ScanCommand({ TableName, ConsistentRead: true }));
    const kept = new Set(Items.map((item) => item['pk']?.S));
    expect(kept).toEqual(new Set([...names, 'transacted']));
    expect(await recovery()).toMatchObject({ PointInTimeRecoveryStatus: 'ENABLED' });
  });

  it('finishes on restart a transaction that was decided but only half written', async () => {
    await start(path);
    await createTable();
    await put(itemOf('deleted', 1));
    await put(itemOf('first', 2));
    await server.stop();
    const journal = join(path, 'transaction.json');
    await writeFile(
      journal,
      JSON.stringify([
        { operation: 'PutItem', input: { TableName, Item: itemOf('first', 2) } },
        { operation: 'PutItem', input: { TableName, Item: itemOf('second', 2) } },
        { operation: 'DeleteItem', input: { TableName, Key: keyOf('deleted') } },
      ]),
      { mode: 0o600 },
    );
    await restart();
    expect(await Promise.all(['first', 'second', 'deleted'].map(read))).toEqual([
      itemOf('first', 2),
      itemOf('second', 2),
      undefined,
    ]);
    await expect(readFile(journal)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('belongs to one server at a time', async () => {
    await start(path);
    await expect(startDynamoDbServer({ clock, path })).rejects.toThrow('is in use by process');
    await restart();
  });

  it('is refused while another process has it, and taken over when that is gone', async () => {
    const other = await startProcess();
    await writeFile(join(path, 'server.lock'), `${other.pid}\n`);
    await expect(start(path)).rejects.toThrow(`is in use by process ${other.pid}`);
    other.kill('SIGKILL');
    await once(other, 'exit');
    await start(path);
    await createTable();
  });

  it.each(['', 'not a process id', `${process.pid}`])(
    'is taken over from a lock left behind with "%s" in it',
    async (content) => {
      await writeFile(join(path, 'server.lock'), content);
      await start(path);
      expect(await readFile(join(path, 'server.lock'), 'utf8')).toBe(`${process.pid}\n`);
    },
  );

  it('is given back when the server cannot start', async () => {
    await start();
    const port = Number(new URL(server.url).port);
    await expect(startDynamoDbServer({ clock, path, port })).rejects.toThrow('EADDRINUSE');
    await start(path);
    await createTable();
  });
});

async function startProcess(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  cleanups.push(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  return child;
}

describe('bad clients', () => {
  it('may disconnect in the middle of a body: nothing is done, and others are served', async () => {
    await startWithTable();
    const { port } = new URL(server.url);
    const text = JSON.stringify({ TableName, Item: itemOf('half', 1) });
    const socket = connect(Number(port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\n' +
        'X-Amz-Target: DynamoDB_20120810.PutItem\r\n' +
        `Content-Length: ${text.length}\r\n\r\n${text.slice(0, 20)}`,
    );
    // Answered on another connection: by then the server has read what came before.
    await put(itemOf('whole', 1));
    socket.resetAndDestroy();
    await once(socket, 'close');
    const { Items } = await dynamo.send(new ScanCommand({ TableName }));
    expect(Items).toEqual([itemOf('whole', 1)]);
    expect(server.calls).toEqual(['CreateTable', 'PutItem', 'Scan']);
  });

  it('get 413 for a body over 16 MiB', async () => {
    await start();
    const res = await fetch(server.url, {
      method: 'POST',
      body: Buffer.alloc(16 * 1024 * 1024 + 1),
    });
    expect(res.status).toBe(413);
  });

  it.each([
    ['TransactWriteItems', '{}', 'MissingAuthenticationTokenException'],
    ['GetItem', '{}', 'MissingAuthenticationTokenException'],
    ['ExportTableToPointInTime', '{}', 'UnknownOperationException'],
  ])('get an error for unsigned or unknown operations (%s)', async (operation, body, type) => {
    await start();
    const res = await fetch(server.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-target': `DynamoDB_20120810.${operation}`,
      },
      body,
    });
    expect(res.status).toBe(400);
    expect(await res.json()).toMatchObject({ __type: `com.amazon.coral.service#${type}` });
  });

  it('are refused when a web page sent them', async () => {
    await start();
    const headers = { origin: 'https://evil.example' };
    expect((await fetch(server.url, { method: 'POST', headers })).status).toBe(403);
    expect((await fetch(server.url, { method: 'OPTIONS', headers })).status).toBe(403);
  });

  it('cannot be elsewhere than on this machine', async () => {
    await start();
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:/);
  });
});

describe('faults', () => {
  it('answer with any error, for the named operations only', async () => {
    await startWithTable();
    server.setFault({
      kind: 'error',
      type: 'ProvisionedThroughputExceededException',
      status: 400,
      operations: ['GetItem'],
    });
    await expect(read('a')).rejects.toMatchObject({
      name: 'ProvisionedThroughputExceededException',
    });
    await put(itemOf('a', 1));
    server.setFault();
    expect(await read('a')).toEqual(itemOf('a', 1));
  });

  it('cut connections before anything is done', async () => {
    await startWithTable();
    server.setFault({ kind: 'reset', times: 1 });
    await expect(put(itemOf('a', 1))).rejects.toThrow('ECONNRESET');
    expect(await read('a')).toBeUndefined();
  });

  it('let requests hang, without holding up others, until the client or the server gives up', async () => {
    await startWithTable();
    server.setFault({ kind: 'hang', operations: ['PutItem'] });
    const abort = new AbortController();
    const given = expect(
      dynamo.send(new PutItemCommand({ TableName, Item: itemOf('a', 1) }), {
        abortSignal: abort.signal,
      }),
    ).rejects.toMatchObject({ name: 'AbortError' });
    expect(await read('a')).toBeUndefined();
    abort.abort();
    await given;
    const hanging = expect(put(itemOf('b', 1))).rejects.toThrow();
    expect(await read('b')).toBeUndefined();
    await server.stop();
    await hanging;
  });

  it('leave items out of a scan that looks whole', async () => {
    await startWithTable();
    await Promise.all(Array.from({ length: 10 }, (_, n) => put(itemOf(`row-${n}`, 1))));
    server.setFault({ kind: 'shrinkScan', dropFraction: 0.3 });
    const page = await dynamo.send(new ScanCommand({ TableName }));
    expect(page.Items).toHaveLength(7);
    expect(page.Count).toBe(7);
    expect(page.LastEvaluatedKey).toBeUndefined();
  });

  it('end an answer half-way', async () => {
    await startWithTable();
    await put(itemOf('a', 1));
    server.setFault({ kind: 'truncatePage', operations: ['Scan'] });
    await expect(dynamo.send(new ScanCommand({ TableName }))).rejects.toThrow();
    expect(await read('a')).toEqual(itemOf('a', 1));
  });
});

describe('the log of calls', () => {
  it('names the operations in order, and keeps the last 1,000', async () => {
    await startWithTable();
    await put(itemOf('a', 1));
    await read('a');
    expect(server.calls).toEqual(['CreateTable', 'PutItem', 'GetItem']);
    server.setFault({ kind: 'error', type: 'InternalServerError', status: 400 });
    const asked = Array.from({ length: 1000 }, () =>
      dynamo.send(new ListTablesCommand({})).catch(() => {}),
    );
    await Promise.all(asked);
    expect(server.calls).toHaveLength(1000);
    expect(new Set(server.calls)).toEqual(new Set(['ListTables']));
  });
});
