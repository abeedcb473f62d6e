/** Spans of the requests whose callers keep a trace, taken by a receiver that reads OTLP. */

import { afterEach, describe, expect, it } from '@jest/globals';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { type IssuingBroker, startIssuingBroker } from '../support/issuing-broker.ts';
import { type OtlpReceiver, startOtlpReceiver } from '../support/otlp-receiver.ts';
import { allow, defaultMappings, roleNamed } from '../support/outside-world.ts';
import { issuerKeySet } from '../support/rsa-keys.ts';
import { startScriptedServer } from '../support/scripted-server.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';
import { withEnvironment } from '../support/with-environment.ts';

const parentId = '00f067aa0ba902b7';
const traceIdOf = (number: number) => `${number}`.padStart(32, 'c');
const traceparent = (number: number, flags = '01') =>
  `00-${traceIdOf(number)}-${parentId}-${flags}`;

const opened: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.stop();
});

function opening<One extends { stop(): Promise<void> }>(one: One): One {
  opened.push(one);
  return one;
}

let receiver: OtlpReceiver;
let broker: BrokerFixture;
let clock: TestClock;

async function start(traces: object = {}, options: Parameters<typeof startBrokerFixture>[0] = {}) {
  clock = createTestClock(Date.now());
  receiver = opening(await startOtlpReceiver());
  broker = opening(await startBrokerFixture({ clock, ...options, configure: tracing(traces) }));
}

function tracing(traces: object) {
  return <Input extends object>(config: Input): Input => ({
    ...config,
    traces: { endpoint: receiver.endpoint, ...traces },
  });
}

function ask(number: number, client: 'orders' | 'stranger' | 'reports' = 'orders', flags = '01') {
  return broker.call({
    method: 'POST',
    path: '/v1/credentials',
    token: broker.token(client),
    headers: { traceparent: traceparent(number, flags) },
  });
}

/** Moves time until the condition holds: for so long at most that a test which waits in vain says what there was. */
async function passing(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 300 && !(await condition()); turn += 1) {
    await clock.advance(500);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function spans(count: number) {
  await passing(() => receiver.spans.length >= count);
  return receiver.spans;
}

const namesOf = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);
const spansCounted = async (result: string) =>
  (await broker.metrics()).get(`tokenbroker_trace_spans_total{result="${result}"}`);
const requestsCounted = async (result: string) =>
  (await broker.metrics()).get(`tokenbroker_traced_requests_total{result="${result}"}`);

describe('a request whose caller keeps a trace', () => {
  it('has a span of the server below that of the caller, with what it waited for below that', async () => {
    await start();
    const cold = await ask(1);
    const warm = await ask(2);
    expect([cold.status, warm.status]).toEqual([200, 200]);
    const [server, sts, audit, ...others] = await spans(5);
    expect(server).toMatchObject({
      traceId: traceIdOf(1),
      parentSpanId: parentId,
      name: 'POST /v1/credentials',
      kind: 'server',
      error: false,
      service: { 'service.name': 'token-broker', 'service.version': '0.0.0-test' },
    });
    expect(server?.attributes).toEqual({
      'http.request.method': 'POST',
      'http.route': '/v1/credentials',
      'http.response.status_code': 200,
      'token_broker.request_id': cold.requestId,
    });
    const below = { traceId: traceIdOf(1), parentSpanId: server?.spanId, error: false };
    expect(sts).toMatchObject({ ...below, name: 'STS.AssumeRoleWithWebIdentity', kind: 'client' });
    expect(sts?.attributes).toEqual({
      'rpc.system.name': 'aws-api',
      'rpc.method': 'STS/AssumeRoleWithWebIdentity',
      'cloud.region': 'us-east-1',
      'aws.request_id': (broker.auditRecordOf(cold)['credentials'] as { stsRequestId: string })
        .stsRequestId,
    });
    expect(audit).toMatchObject({ ...below, name: 'audit commit', kind: 'internal' });
    for (const { start: from, end } of [sts, audit].flatMap((one) => one ?? [])) {
      expect(from >= (server?.start ?? 0n) && end <= (server?.end ?? 0n) && from <= end).toBe(true);
    }
    // The second one asked nobody.
    expect(namesOf(others)).toEqual(['POST /v1/credentials', 'audit commit']);
    expect(others.map(({ traceId }) => traceId)).toEqual([traceIdOf(2), traceIdOf(2)]);
    expect(await spansCounted('exported')).toBe(5);
    expect(await requestsCounted('traced')).toBe(2);
  });

  it('has spans of KMS where the broker issues the token, and of each record', async () => {
    receiver = opening(await startOtlpReceiver());
    const issuing: IssuingBroker = await startIssuingBroker({ configure: tracing({}) });
    broker = opening(issuing);
    expect((await ask(1)).status).toBe(200);
    await until(() => receiver.spans.length >= 5);
    expect(namesOf(receiver.spans)).toEqual([
      'POST /v1/credentials',
      'KMS.Sign',
      'audit commit',
      'STS.AssumeRoleWithWebIdentity',
      'audit commit',
    ]);
    expect(receiver.spans[1]).toMatchObject({
      kind: 'client',
      attributes: {
        'rpc.system.name': 'aws-api',
        'rpc.method': 'KMS/Sign',
        'cloud.region': 'us-east-1',
      },
    });
  });

  it('has a span of the key set that it made the broker fetch', async () => {
    await start();
    await broker.issuer.rotateKeys(issuerKeySet());
    await clock.advance(31_000);
    expect((await ask(1)).status).toBe(200);
    const received = await spans(4);
    expect(namesOf(received)).toEqual([
      'POST /v1/credentials',
      'GET',
      'STS.AssumeRoleWithWebIdentity',
      'audit commit',
    ]);
    expect(received[1]).toMatchObject({
      kind: 'client',
      attributes: {
        'http.request.method': 'GET',
        'url.full': broker.issuer.jwksUri,
        'server.address': '127.0.0.1',
        'server.port': Number(new URL(broker.issuer.jwksUri).port),
      },
    });
  });

  it('has spans of the table, for administrators', async () => {
    await start();
    const answer = await broker.call({
      listener: 'admin',
      method: 'PUT',
      path: '/v1/role-mappings/new-one',
      token: broker.token('admin'),
      headers: { traceparent: traceparent(1), 'if-none-match': '*', 'change-reason': 'a test' },
      body: allow('new-one', 'stranger'),
    });
    expect(answer.status).toBe(201);
    await spans(4);
    const [server, ...steps] = receiver.spans;
    expect(server).toMatchObject({ name: 'PUT /v1/role-mappings/{id}', kind: 'server' });
    expect(steps.find(({ name }) => name === 'DynamoDB.TransactWriteItems')).toMatchObject({
      parentSpanId: server?.spanId,
      kind: 'client',
      attributes: {
        'rpc.system.name': 'aws-api',
        'rpc.method': 'DynamoDB/TransactWriteItems',
        'cloud.region': 'us-east-1',
        'db.system.name': 'aws.dynamodb',
        'db.operation.name': 'TransactWriteItems',
        'db.collection.name': 'role-mappings',
        'aws.dynamodb.table_names': ['role-mappings'],
      },
    });
    expect(namesOf(steps)).toContain('audit commit');
  });

  it('says what failed, and not why a decision was a denial', async () => {
    const sts = opening(await startScriptedServer(() => ({ status: 500, body: 'no' })));
    receiver = opening(await startOtlpReceiver());
    const endpoints = [{ region: 'us-east-1', endpoint: sts.url }];
    const configure = tracing({});
    // On the real clock: the pauses between tries are short, and a test clock would run away from the disk meanwhile.
    broker = opening(
      await startBrokerFixture({
        configure: (config) =>
          configure({
            ...config,
            sts: { endpoints, connectTimeoutMs: 500, requestTimeoutMs: 500, totalTimeoutMs: 500 },
          }),
      }),
    );
    expect((await ask(1)).status).toBe(503);
    expect((await ask(2, 'stranger')).status).toBe(403);
    await until(() => new Set(receiver.spans.map(({ traceId }) => traceId)).size === 2);
    const [failed, ...steps] = receiver.spans.filter(({ traceId }) => traceId === traceIdOf(1));
    expect(failed).toMatchObject({ error: true, attributes: { 'error.type': 'sts_unavailable' } });
    const calls = steps.filter(({ name }) => name.startsWith('STS.'));
    expect(calls.length).toBeGreaterThan(0);
    for (const call of calls) {
      expect(call).toMatchObject({ error: true, attributes: { 'error.type': 'endpoint_down' } });
    }
    const [denied] = receiver.spans.filter(({ traceId }) => traceId === traceIdOf(2));
    expect(denied).toMatchObject({ error: false });
    expect(Object.keys(denied?.attributes ?? {})).toEqual([
      'http.request.method',
      'http.route',
      'http.response.status_code',
      'token_broker.request_id',
    ]);
  });

  it('T204: gives away nothing of token, claims, keys or role, and carries nothing of the caller on to AWS', async () => {
    const sts = opening(await startScriptedServer(() => ({ status: 403, body: 'no' })));
    receiver = opening(await startOtlpReceiver());
    clock = createTestClock(Date.now());
    const endpoints = [{ region: 'us-east-1', endpoint: sts.url }];
    const configure = tracing({});
    broker = opening(
      await startBrokerFixture({
        clock,
        configure: (config) => configure({ ...config, sts: { ...config.sts, endpoints } }),
      }),
    );
    const token = broker.token('reports');
    const headers = {
      traceparent: traceparent(1),
      tracestate: 'vendor=canary-in-tracestate',
      baggage: 'user=canary-in-baggage',
      'user-agent': 'canary-in-agent',
    };
    const role = roleNamed('reports-reader');
    await broker.call({ path: `/v1/credentials/reports-reader`, token, headers });
    await broker.call({ method: 'POST', path: '/v1/credentials', token, headers, body: { role } });
    await spans(4);
    expect(sts.requests.length).toBeGreaterThan(0);
    for (const { headers: sent, body } of sts.requests) {
      const names = Object.keys(sent);
      for (const name of ['traceparent', 'tracestate', 'baggage'])
        expect(names).not.toContain(name);
      expect(JSON.stringify([sent, body])).not.toContain('canary');
    }
    const names = Object.keys(receiver.headers[0] ?? {});
    for (const name of ['traceparent', 'tracestate', 'baggage', 'authorization']) {
      expect(names).not.toContain(name);
    }
    const bodies = receiver.bodies.join();
    const [, payload = ''] = token.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
    const secrets = [token, payload, 'canary', role, 'reports-reader'];
    const values = Object.values(claims).flatMap((value) =>
      typeof value === 'string' && value.length > 6 ? value.split(' ') : [],
    );
    for (const secret of [...secrets, ...values]) expect(bodies).not.toContain(secret);
  });
});

describe('who decides which requests are traced', () => {
  it('is this service as well: so many per second, however many callers say that theirs is (T203)', async () => {
    await start({ maxPerSecond: 3 });
    const answers = await Promise.all(Array.from({ length: 12 }, (_, index) => ask(index + 10)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(await requestsCounted('traced')).toBe(3);
    expect(await requestsCounted('over_limit')).toBe(9);
    await clock.advance(1_000);
    expect((await ask(30)).status).toBe(200);
    expect(await requestsCounted('traced')).toBe(4);
    // Not being traced makes a request no less found.
    for (const [index, answer] of answers.entries()) {
      expect(broker.auditRecordOf(answer)['traceId']).toBe(traceIdOf(index + 10));
    }
  });

  it('is never a stranger (T203)', async () => {
    await start();
    const headers = { traceparent: traceparent(1) };
    const path = '/v1/credentials';
    await broker.call({ method: 'POST', path, headers });
    await broker.call({ method: 'POST', path, headers, token: 'eyJhbGciOiJub25lIn0.e30.' });
    await broker.call({ path: '/nowhere', headers });
    await broker.call({ listener: 'admin', path: '/v1/role-mappings', headers });
    expect(await requestsCounted('unproven')).toBe(4);
    expect(await requestsCounted('traced')).toBe(0);
    await ask(2);
    expect(new Set((await spans(3)).map(({ traceId }) => traceId))).toEqual(
      new Set([traceIdOf(2)]),
    );
  });

  it.each([
    ['says that it is not sampled', traceparent(1, '00')],
    ['says something else', traceparent(1, '02')],
    ['cannot be read', `${traceparent(1)}x`],
  ])('is the caller whose traceparent %s: nothing of it is traced', async (_, text) => {
    await start();
    const answer = await broker.call({
      method: 'POST',
      path: '/v1/credentials',
      token: broker.token('orders'),
      headers: { traceparent: text },
    });
    expect(answer.status).toBe(200);
    await ask(2);
    const received = await spans(2);
    expect(new Set(received.map(({ traceId }) => traceId))).toEqual(new Set([traceIdOf(2)]));
    expect(await requestsCounted('traced')).toBe(1);
  });

  it('is never what goes on for its own sake: later work of the broker is no part of a request', async () => {
    receiver = opening(await startOtlpReceiver());
    clock = createTestClock(Date.now());
    const trace = tracing({});
    broker = opening(
      await startBrokerFixture({
        clock,
        configure: (config) =>
          trace({
            ...config,
            keys: { refreshSeconds: 60 },
            policy: { ...config.policy, pollSeconds: 5 },
          }),
      }),
    );
    // The fetch that this request causes is what the next one is planned by.
    await broker.issuer.rotateKeys(issuerKeySet());
    await clock.advance(31_000);
    await ask(1);
    expect(namesOf(await spans(4))).toContain('GET');
    const fetched = 'tokenbroker_jwks_fetches_total{pool="us-east-1_Test00001",result="ok"}';
    const before = (await broker.metrics()).get(fetched) ?? 0;
    await clock.advance(70_000);
    await until(async () => ((await broker.metrics()).get(fetched) ?? 0) > before);
    await ask(2);
    await spans(6);
    expect(receiver.spans).toHaveLength(6);
  });
});

describe('a receiver that does not do its part', () => {
  it.each([
    ['is down', 'reset', 'failed'],
    ['refuses', { status: 503 }, 'failed'],
    ['sends elsewhere', { status: 307, headers: { location: 'http://127.0.0.1:1/' } }, 'failed'],
    ['says yes and keeps none', { body: { partialSuccess: { rejectedSpans: '99' } } }, 'rejected'],
    ['says yes in words that nobody knows', { body: 'thank you' }, 'exported'],
    ['says yes without end', 'endless', 'exported'],
  ] as const)(
    'that %s costs no request anything, and its spans are counted',
    async (_, reply, result) => {
      await start();
      receiver.answer = reply;
      expect((await ask(1)).status).toBe(200);
      await until(async () => {
        await clock.advance(500);
        return (await spansCounted(result)) === 3;
      });
      const warnings = broker.logs.filter(({ msg }) => msg?.startsWith('traces are dropped'));
      expect(warnings.length).toBe(result === 'failed' ? 1 : 0);
      receiver.answer = undefined;
      expect((await ask(2)).status).toBe(200);
      await spans(2);
    },
  );

  it('and never answers holds up neither requests nor memory (T203)', async () => {
    await start({ maxPerSecond: 1000, timeoutMs: 10_000 });
    receiver.answer = 'hang';
    await ask(0);
    await passing(() => receiver.bodies.length === 1);
    expect(receiver.bodies).toHaveLength(1);
    // Each warm request has two spans.
    for (let wave = 0; wave < 9; wave += 1) {
      const answers = await Promise.all(Array.from({ length: 30 }, () => ask(1)));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    }
    expect(await spansCounted('queue_full')).toBe(2 * 270 - 512);
    expect(await requestsCounted('traced')).toBe(271);
    await receiver.stop();
  });
});

describe('the end', () => {
  it('waits for the spans of the last requests', async () => {
    await start();
    await ask(1);
    await broker.stopBroker();
    expect(namesOf(receiver.spans)).toEqual([
      'POST /v1/credentials',
      'STS.AssumeRoleWithWebIdentity',
      'audit commit',
    ]);
  });
});

describe('the configuration alone', () => {
  it('says where traces go and what is in them, whatever the environment says (T204)', async () => {
    const elsewhere = opening(await startOtlpReceiver());
    await withEnvironment(
      {
        OTEL_EXPORTER_OTLP_ENDPOINT: new URL(elsewhere.endpoint).origin,
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: elsewhere.endpoint,
        OTEL_EXPORTER_OTLP_HEADERS: 'x-canary=1',
        OTEL_SDK_DISABLED: 'true',
        OTEL_TRACES_SAMPLER: 'always_off',
        OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: '0',
        OTEL_RESOURCE_ATTRIBUTES: 'canary=1',
        OTEL_SERVICE_NAME: 'somebody-else',
      },
      async () => {
        await start();
        await ask(1);
        const [server] = await spans(3);
        expect(Object.keys(server?.attributes ?? {})).toContain('http.route');
        expect(Object.keys(server?.service ?? {})).toEqual([
          'service.name',
          'service.version',
          'service.instance.id',
        ]);
        expect(server?.service['service.name']).toBe('token-broker');
      },
    );
    expect(Object.keys(receiver.headers[0] ?? {})).not.toContain('x-canary');
    expect(elsewhere.bodies).toEqual([]);
  });
});

describe('a receiver that never answers', () => {
  it('does not keep the broker from ending (T203)', async () => {
    receiver = opening(await startOtlpReceiver());
    receiver.answer = 'hang';
    // On the real clock: a test clock waits for work to end.
    broker = opening(await startBrokerFixture({ configure: tracing({ timeoutMs: 100 }) }));
    expect((await ask(1)).status).toBe(200);
    await broker.stopBroker();
    expect(receiver.bodies.length).toBeGreaterThan(0);
  });
});

describe('without traces in the configuration', () => {
  it('nothing is traced or counted, whatever callers say', async () => {
    clock = createTestClock(Date.now());
    broker = opening(await startBrokerFixture({ clock, mappings: defaultMappings }));
    expect((await ask(1)).status).toBe(200);
    for (const result of ['traced', 'over_limit', 'unproven']) {
      expect(await requestsCounted(result)).toBe(0);
    }
    for (const result of ['exported', 'rejected', 'queue_full', 'failed']) {
      expect(await spansCounted(result)).toBe(0);
    }
  });
});
