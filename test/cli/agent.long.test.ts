/** `agent` as AWS SDKs meet it: a process of its own, or the same server in this one by a clock of the test. */

import type { ChildProcess } from 'node:child_process';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { type IncomingHttpHeaders, type RequestListener, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Agent, type AgentOptions, startAgent } from '../../src/agent/agent.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { type CommandResult, main, resultOf, runCommand, spawnNode } from '../support/command.ts';
import { answering, issuedDocument, startOddBroker } from '../support/odd-broker.ts';
import { account, clients, defaultMappings, roleNamed } from '../support/outside-world.ts';
import { arnOfSdkProgram } from '../support/sdk-program.ts';
import { secretsIn } from '../support/secrets-in.ts';
import { createTestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';

const minutes = 60_000;
const stops: (() => Promise<unknown>)[] = [];
let broker: BrokerFixture;
let directory: string;

beforeAll(async () => {
  broker = await startBrokerFixture();
});
afterAll(() => broker.stop());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'token-broker-agent-test-'));
});
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  rmSync(directory, { recursive: true, force: true });
});

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: a test says itself what it expects in there
  readonly body: any;
}

interface Question {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** With the right authorization, unless the headers say otherwise. */
function ask(
  { credentialsUrl, authorization }: Pick<Agent, 'credentialsUrl' | 'authorization'>,
  { path, method = 'GET', headers = {} }: Question = {},
): Promise<Answer> {
  const url = path === undefined ? new URL(credentialsUrl) : new URL(path, credentialsUrl);
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: { authorization, ...headers }, agent: false });
    sent.once('error', reject);
    sent.once('response', (res) => {
      let text = '';
      res.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      res.once('end', () => {
        const body: unknown = text === '' ? undefined : JSON.parse(text);
        resolve({ status: res.statusCode, headers: res.headers, body });
      });
    });
    sent.end();
  });
}

interface Started extends Agent {
  readonly clock: ReturnType<typeof createTestClock>;
  /** Messages logged so far. */
  readonly said: readonly string[];
  readonly logText: () => string;
}

/** In this process; its clock stands still until it is moved. */
async function start(options: Partial<AgentOptions> = {}): Promise<Started> {
  const lines: string[] = [];
  const said: string[] = [];
  const clock = createTestClock(Date.now());
  const agent = await startAgent({
    broker: broker.urls.api,
    role: undefined,
    durationSeconds: undefined,
    tokens: { token: () => Promise.resolve(broker.token('orders')) },
    port: 0,
    clock,
    logger: createLogger({
      level: 'debug',
      stream: {
        write(line) {
          lines.push(line);
          said.push((JSON.parse(line) as { msg: string }).msg);
        },
      },
    }),
    ...options,
  });
  stops.push(agent.stop);
  return { ...agent, clock, said, logText: () => lines.join('') };
}

describe('the agent answers', () => {
  it('in the container-credentials protocol, to the letter', async () => {
    const agent = await start();
    const { status, headers, body } = await ask(agent);
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'no-store',
    });
    expect(body).toEqual({
      AccessKeyId: expect.stringMatching(/^ASIA/),
      SecretAccessKey: expect.any(String),
      Token: expect.any(String),
      Expiration: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      AccountId: account,
      RoleArn: roleNamed('orders-writer'),
    });
  });

  it('for the role that is named, in each way to name one', async () => {
    const tokens = { token: () => Promise.resolve(broker.token('reports')) };
    const agent = await start({ tokens });
    const roleOf = async (path: string) => (await ask(agent, { path })).body.RoleArn;
    expect(await roleOf('/v1/credentials/reports-reader')).toBe(roleNamed('reports-reader'));
    const publisher = roleNamed('reports-publisher');
    expect(await roleOf(`/v1/credentials?role=${publisher}`)).toBe(publisher);
    expect(await roleOf('/v1/credentials?role=reports-publisher')).toBe(publisher);
    expect(await ask(agent)).toMatchObject({
      status: 400,
      body: { Code: 'ValidationError', Message: expect.stringContaining('reports-reader') },
    });
  });

  it('for its own role alone, where it has one', async () => {
    const tokens = { token: () => Promise.resolve(broker.token('reports')) };
    const agent = await start({ tokens, role: 'reports-reader' });
    expect((await ask(agent)).body.RoleArn).toBe(roleNamed('reports-reader'));
    expect((await ask(agent, { path: '/v1/credentials/reports-reader' })).status).toBe(200);
    const other = await ask(agent, { path: '/v1/credentials/reports-publisher' });
    expect(other).toMatchObject({ status: 403, body: { code: 'AccessDenied' } });
  });

  it('on localhost as well', async () => {
    const agent = await start();
    const { port } = new URL(agent.credentialsUrl);
    expect((await ask(agent, { headers: { host: `localhost:${port}` } })).status).toBe(200);
  });

  it('with one request to the broker, however many ask', async () => {
    const odd = await startOddBroker(answering(200, issuedDocument()));
    stops.push(odd.stop);
    const agent = await start({ broker: odd.url });
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(agent)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(odd.requests).toHaveLength(1);
  });

  it('after 0.8 s in any case, because the SDK for Java waits for one second', async () => {
    const hanging = await startOddBroker(() => {});
    stops.push(hanging.stop);
    const agent = await start({ broker: hanging.url });
    const answer = ask(agent);
    await until(() => hanging.requests.length === 1);
    await agent.clock.advance(800);
    expect(await answer).toMatchObject({ status: 503, body: { code: 'ServiceUnavailable' } });
  });

  it('for no more than 100 roles at a time', async () => {
    const odd = await startOddBroker(answering(200, issuedDocument()));
    stops.push(odd.stop);
    const agent = await start({ broker: odd.url });
    const role = (n: number) => ask(agent, { path: `/v1/credentials/role-${n}` });
    for (let n = 0; n <= 100; n += 1) await role(n);
    await role(100);
    expect(odd.requests).toHaveLength(101);
    await role(0);
    expect(odd.requests).toHaveLength(102);
  });
});

describe('the agent refuses', () => {
  let agent: Started;
  let before: number;
  beforeEach(async () => {
    agent = await start({ role: 'orders-writer' });
    await ask(agent);
    before = broker.auditRecords().length;
  });
  afterEach(() => {
    expect(broker.auditRecords()).toHaveLength(before);
    expect(agent.logText()).not.toContain(agent.authorization.slice(7));
  });

  async function refused(question: Question): Promise<Answer> {
    const answer = await ask(agent, question);
    expect(JSON.stringify(answer.body ?? '')).not.toMatch(/ASIA|SecretAccessKey/);
    if (question.method !== 'HEAD') {
      const { Code, Message, code, message } = answer.body;
      expect([Code, Message]).toEqual([code, message]);
      expect(Message).toMatch(/\.$/);
    }
    expect(answer.headers['content-type']).toBe('application/json');
    return answer;
  }

  it.each([
    ['an empty one', () => ''],
    ['another one', () => `Bearer ${'A'.repeat(43)}`],
    ['one without its scheme', (right: string) => right.replace('Bearer ', '')],
    ['one in other letters', (right: string) => right.replace('Bearer', 'bearer')],
    ['one that is cut off', (right: string) => right.slice(0, -1)],
    ['one that goes on', (right: string) => `${right}A`],
  ])('a caller with %s for authorization', async (_what, wrong) => {
    const headers = { authorization: wrong(agent.authorization) };
    expect((await refused({ headers })).status).toBe(401);
  });

  it('a caller without authorization', async () => {
    const answer = await fetch(agent.credentialsUrl);
    expect(answer.status).toBe(401);
    expect(await answer.text()).toContain('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE');
  });

  it.each(['rebound.example.com', '127.0.0.1', '127.0.0.1:1', 'localhost', '[::1]:80'])(
    'a request for host "%s"',
    async (host) => {
      expect((await refused({ headers: { host } })).status).toBe(421);
    },
  );

  it.each(['http://127.0.0.1', 'null', 'https://example.com'])(
    'a browser on a page of %s',
    async (origin) => {
      expect((await refused({ headers: { origin } })).status).toBe(403);
    },
  );

  it.each(['POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS'])('the method %s', async (method) => {
    const { status, headers } = await refused({ method });
    expect({ status, allow: headers.allow }).toEqual({ status: 405, allow: 'GET' });
  });

  it.each([
    [404, '/'],
    [404, '/v1/credentials/'],
    [404, '/v1/credentials/orders-writer/more'],
    [404, '/v1//credentials'],
    [404, '/latest/meta-data/iam/security-credentials/'],
    [404, '/v1/credentials?role=orders-writer?role=orders-writer'],
    [400, '/v1/credentials/Orders%2fWriter'],
    [400, '/v1/credentials?role='],
    [400, '/v1/credentials?role=arn:aws:iam::123456789012:user/orders'],
    [400, '/v1/credentials?role=orders-writer&role=orders-writer'],
    [400, '/v1/credentials?other=orders-writer'],
    [400, '/v1/credentials/orders-writer?role=orders-writer'],
  ])('with %i what is asked for by %s', async (status, path) => {
    expect((await refused({ path })).status).toBe(status);
  });
});

describe('the agent keeps credentials', () => {
  /** A broker that issues by the clock of the agent, until it is told to do something else. */
  async function scripted(role: string | undefined = 'orders-writer') {
    let answer: RequestListener | undefined;
    let lifeMs = 60 * minutes;
    let now = () => Date.now();
    const odd = await startOddBroker((req, res) => {
      const issue = answering(200, issuedDocument(new Date(now() + lifeMs)));
      (answer ?? issue)(req, res);
    });
    stops.push(odd.stop);
    const agent = await start({ broker: odd.url, role });
    now = agent.clock.now;
    const settled = (count: number) => until(() => agent.said.length >= count);
    return {
      agent,
      asked: () => odd.requests.length,
      answerWith: (listener: RequestListener | undefined) => {
        answer = listener;
      },
      issueFor: (ms: number) => {
        lifeMs = ms;
      },
      /** Moves time; resolves once what that set off has been logged. */
      async pass(ms: number, events: number) {
        const before = agent.said.length;
        await agent.clock.advance(ms);
        await settled(before + events);
      },
      settled,
    };
  }

  const down: RequestListener = (_req, res) => res.destroy();
  const denial = answering(403, {
    code: 'access_denied',
    title: 'No role mapping allows this',
    detail: 'No role mapping allows this caller this role.',
    request_id: 'request-1',
  });

  it('before anybody asks, and renews them after 50 to 75 % of their life', async () => {
    const { agent, asked, pass, settled } = await scripted();
    await settled(1);
    expect(asked()).toBe(1);
    await pass(29 * minutes, 0);
    expect(asked()).toBe(1);
    await pass(16.1 * minutes, 1);
    expect(asked()).toBe(2);
    expect(agent.said).toEqual(['renewed', 'renewed']);
  });

  it('of short sessions as well', async () => {
    const { asked, issueFor, pass, settled, agent } = await scripted(undefined);
    issueFor(15 * minutes);
    await ask(agent);
    await settled(1);
    await pass(7.4 * minutes, 0);
    expect(asked()).toBe(1);
    await pass(4 * minutes, 1);
    expect(asked()).toBe(2);
  });

  it('through an outage, down to their last minute, and comes back by itself', async () => {
    const { agent, answerWith, pass, settled } = await scripted();
    await settled(1);
    const { body } = await ask(agent);
    answerWith(down);
    await pass(46 * minutes, 1);
    // Each pause is 30 s at most once it has grown.
    for (let minute = 46; minute < 58; minute += 1) await pass(minutes, 1);
    expect(await ask(agent)).toMatchObject({ status: 200, body });
    expect(agent.said.slice(1)).toContain('not renewed');
    await pass(1.1 * minutes, 0);
    expect(await ask(agent)).toMatchObject({ status: 503, body: { Code: 'ServiceUnavailable' } });
    answerWith(undefined);
    await agent.clock.advance(minutes);
    expect((await ask(agent)).status).toBe(200);
  });

  it('and asks a broker that is down no more often than it must', async () => {
    const { agent, asked, answerWith } = await scripted(undefined);
    answerWith(down);
    for (let n = 0; n < 20; n += 1) expect((await ask(agent)).status).toBe(503);
    expect(asked()).toBe(1);
    await agent.clock.advance(1_000);
    expect((await ask(agent)).status).toBe(503);
    expect(asked()).toBe(2);
    answerWith(
      answering(503, { code: 'overloaded', title: 't', request_id: 'r' }, { 'retry-after': '20' }),
    );
    await agent.clock.advance(2_000);
    expect((await ask(agent)).status).toBe(503);
    expect(asked()).toBe(3);
    await agent.clock.advance(19_000);
    expect((await ask(agent)).status).toBe(503);
    expect(asked()).toBe(3);
    answerWith(undefined);
    await agent.clock.advance(1_001);
    expect((await ask(agent)).status).toBe(200);
  });

  it('no longer once the broker denies them, and gets new ones when it allows them again', async () => {
    const { agent, answerWith, pass, settled } = await scripted();
    await settled(1);
    answerWith(denial);
    await pass(46 * minutes, 1);
    expect(agent.said.at(-1)).toBe('denied');
    expect(await ask(agent)).toMatchObject({
      status: 403,
      body: {
        Code: 'AccessDenied',
        Message: 'No role mapping allows this caller this role. (request request-1)',
      },
    });
    answerWith(undefined);
    await agent.clock.advance(30_000);
    expect((await ask(agent)).status).toBe(200);
  });

  it('when something in between refuses in the name of the broker', async () => {
    const { agent, answerWith, pass, settled } = await scripted();
    await settled(1);
    answerWith(answering(403, { message: 'blocked by a firewall' }));
    await pass(46 * minutes, 1);
    expect((await ask(agent)).status).toBe(200);
  });

  it('of a machine that slept through the time to renew them', async () => {
    const { agent, asked, settled } = await scripted();
    await settled(1);
    const { clock } = agent;
    // Wall-clock time goes on, timers do not.
    const now = clock.now;
    Object.assign(clock, { now: () => now() + 50 * minutes });
    expect((await ask(agent)).status).toBe(200);
    await settled(2);
    expect(asked()).toBe(2);
  });

  it('and hands out none that have ended, by a clock that was set back since', async () => {
    const { agent, answerWith, settled } = await scripted();
    await settled(1);
    answerWith(down);
    const { clock } = agent;
    const now = clock.now;
    Object.assign(clock, { now: () => now() - 30 * minutes });
    await clock.advance(60 * minutes);
    expect((await ask(agent)).status).toBe(503);
  });

  it('and takes none that would live longer than STS lets them, so renewing never runs wild', async () => {
    const { agent, issueFor, asked } = await scripted(undefined);
    issueFor(40 * 24 * 60 * minutes);
    const { status, body } = await ask(agent);
    expect(status).toBe(503);
    expect(body.Message).toContain('compare the clocks');
    expect((await ask(agent)).status).toBe(503);
    expect(asked()).toBe(1);
  });

  it('and hands out none of another role than was asked for', async () => {
    const { agent } = await scripted('arn:aws:iam::123456789012:role/broker/another');
    const { status, body } = await ask(agent);
    expect(status).toBe(503);
    expect(body.Message).toContain('another role');
  });

  it('and hands out none that end within a minute', async () => {
    const { agent, issueFor } = await scripted(undefined);
    issueFor(59_000);
    const { status, body } = await ask(agent);
    expect(status).toBe(503);
    expect(body.Message).toBe(
      'The credentials end within a minute: check the clock of this machine.',
    );
  });
});

describe('a denial by a real broker', () => {
  it('reaches the SDK with its reason, and ends with the mapping that allows it', async () => {
    const own = await startBrokerFixture();
    stops.push(own.stop);
    const tokens = { token: () => Promise.resolve(own.token('stranger')) };
    const agent = await start({ broker: own.urls.api, tokens });
    const { status, body } = await ask(agent);
    expect({ status, code: body.Code }).toEqual({ status: 403, code: 'AccessDenied' });
    expect(body.Message).toMatch(/\(request [\w-]+\)$/);
    const mapping = defaultMappings[0] as (typeof defaultMappings)[0];
    const { pool } = mapping.principal as { readonly pool: string };
    const principal = { pool, client: clients.stranger.clientId };
    await own.putMapping({ ...mapping, id: 'stranger-too', principal });
    await agent.clock.advance(1_000);
    expect((await ask(agent)).status).toBe(200);
  });
});

interface AgentProcess {
  readonly child: ChildProcess;
  readonly ready: {
    readonly url: string;
    readonly env: Readonly<Record<string, string>>;
    readonly envForOlderSdks: Readonly<Record<string, string>>;
  };
  readonly result: Promise<CommandResult>;
}

async function startProcess(...args: readonly string[]): Promise<AgentProcess> {
  const readyFile = join(directory, 'ready.json');
  const appeared = new Promise<void>((resolve) => {
    const watcher = watch(directory, (_event, name) => {
      if (name !== 'ready.json') return;
      watcher.close();
      resolve();
    });
  });
  const child = spawnNode([main, 'agent', ...args, '--ready-file', readyFile]);
  const result = resultOf(child);
  stops.push(async () => {
    child.kill('SIGKILL');
    await result;
  });
  const ended = result.then(({ code, err }) => {
    throw new Error(`the agent ended with ${code}: ${err}`);
  });
  ended.catch(() => undefined);
  await Promise.race([appeared, ended]);
  const ready = JSON.parse(readFileSync(readyFile, 'utf8')) as AgentProcess['ready'];
  return { child, ready, result };
}

function ownTokens(): readonly string[] {
  const secretFile = join(directory, 'secret');
  writeFileSync(secretFile, `${clients.orders.clientSecret}\n`, { mode: 0o600 });
  return [
    ...['--broker', broker.urls.api, '--token-endpoint', broker.issuer.tokenEndpoint],
    ...['--client-id', clients.orders.clientId, '--client-secret-file', secretFile],
    ...['--authorization-file', join(directory, 'authorization')],
  ];
}

describe('token-broker agent', () => {
  it('gives a stock SDK credentials by two environment variables, and ends when it is told to', async () => {
    const agent = await startProcess(...ownTokens(), '--role', 'orders-writer');
    for (const env of [agent.ready.env, agent.ready.envForOlderSdks]) {
      expect(await arnOfSdkProgram(broker.sts.url, env)).toBe(
        `arn:aws:sts::${account}:assumed-role/orders-writer/${clients.orders.clientId}`,
      );
    }
    agent.child.kill('SIGTERM');
    expect(await agent.result).toMatchObject({ code: 0, out: '' });
    expect(readdirSync(directory)).toEqual(['secret']);
  });

  it('writes the authorization for its user alone, as one header value', async () => {
    const file = join(directory, 'authorization');
    writeFileSync(file, 'of an agent before', { mode: 0o644 });
    const { ready } = await startProcess(...ownTokens());
    expect(readFileSync(file, 'latin1')).toMatch(/^Bearer [\w-]{43}$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(ready).toEqual({
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      env: {
        AWS_CONTAINER_CREDENTIALS_FULL_URI: `${ready.url}/v1/credentials`,
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file,
      },
      envForOlderSdks: {
        AWS_CONTAINER_CREDENTIALS_FULL_URI: `${ready.url}/v1/credentials`,
        AWS_CONTAINER_AUTHORIZATION_TOKEN: readFileSync(file, 'latin1'),
      },
    });
    expect(statSync(join(directory, 'ready.json')).mode & 0o777).toBe(0o600);
  });

  it('listens on one loopback address and nowhere else', async () => {
    const { ready } = await startProcess(...ownTokens());
    const port = Number(new URL(ready.url).port);
    const outcome = (host: string) =>
      new Promise<string>((resolve) => {
        const socket = connect({ host, port });
        socket.once('connect', () => resolve('connected')).once('error', () => resolve('refused'));
        stops.push(async () => socket.destroy());
      });
    expect(await outcome('127.0.0.1')).toBe('connected');
    // Linux answers on the whole of 127.0.0.0/8 for a server that listens on every address.
    expect(await outcome('127.0.0.2')).toBe('refused');
    expect(await outcome('::1')).toBe('refused');
  });

  it('tells no secret in its log, nor in its arguments', async () => {
    const agent = await startProcess(...ownTokens(), '--role', 'orders-writer');
    const authorization = readFileSync(join(directory, 'authorization'), 'latin1');
    const credentialsUrl = `${agent.ready.url}/v1/credentials`;
    const { body } = await ask({ credentialsUrl, authorization });
    await ask(
      { credentialsUrl, authorization },
      { headers: { authorization: 'Bearer wrong-guess' } },
    );
    agent.child.kill('SIGTERM');
    const { err } = await agent.result;
    const lines = err.trim().split('\n');
    const events = lines.map((line) => JSON.parse(line) as { msg: string });
    const said = events.map(({ msg }) => msg);
    expect(new Set(said.slice(0, 2))).toEqual(new Set(['serving', 'renewed']));
    expect(said.slice(2)).toEqual(['stopping', 'stopped']);
    const secrets = [
      ...[authorization.slice(7), 'wrong-guess', clients.orders.clientSecret],
      ...[body.SecretAccessKey, body.Token, 'eyJ'],
    ];
    expect(secretsIn([events, agent.child.spawnargs], secrets)).toEqual([]);
  });

  it('starts, and ends when it is told to, while the broker hangs', async () => {
    const hanging = await startOddBroker(() => {});
    stops.push(hanging.stop);
    const broken = ['--broker', hanging.url, '--role', 'orders-writer'];
    const agent = await startProcess(...ownTokens(), ...broken);
    const authorization = readFileSync(join(directory, 'authorization'), 'latin1');
    const credentialsUrl = `${agent.ready.url}/v1/credentials`;
    expect(await ask({ credentialsUrl, authorization })).toMatchObject({ status: 503 });
    agent.child.kill('SIGTERM');
    expect(await agent.result).toMatchObject({ code: 0, out: '' });
  });

  it('T157: reads a token file again each time, and says what is wrong with it', async () => {
    const tokenFile = join(directory, 'token');
    writeFileSync(tokenFile, `Bearer ${broker.token('orders')}\n`);
    const agent = await startProcess(
      ...['--broker', broker.urls.api, '--token-file', tokenFile],
      ...['--authorization-file', join(directory, 'authorization')],
    );
    const authorization = readFileSync(join(directory, 'authorization'), 'latin1');
    const url = agent.ready.url;
    const of = (path: string) =>
      ask({ credentialsUrl: `${url}/v1/credentials`, authorization }, { path });
    const spoilt = await of('/v1/credentials/orders-writer');
    expect([spoilt.status, JSON.stringify(spoilt)]).toEqual([
      503,
      expect.stringContaining(`${tokenFile} has \\"Bearer \\" in front of the token`),
    ]);
    writeFileSync(tokenFile, `${broker.token('orders')}\n`);
    expect((await of(`/v1/credentials?role=${roleNamed('orders-writer')}`)).status).toBe(200);
  });

  it('ends with 1 if it cannot say how to reach it, or if its port is taken', async () => {
    const nowhere = join(directory, 'missing', 'authorization');
    const unwritable = ['agent', ...ownTokens(), '--authorization-file', nowhere];
    expect(await runCommand(unwritable)).toMatchObject({ code: 1 });
    const { ready } = await startProcess(...ownTokens());
    const taken = ['agent', ...ownTokens(), '--port', new URL(ready.url).port];
    const { code, err } = await runCommand(taken);
    expect(code).toBe(1);
    expect(err).toContain('EADDRINUSE');
  });

  it('ends with 2 for wrong usage', async () => {
    const { code, err } = await runCommand(['agent', '--broker', 'https://broker.example.com']);
    expect({ code, lines: err.split('\n').length }).toEqual({ code: 2, lines: 2 });
  });
});
