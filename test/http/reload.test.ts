/** A configuration that changes while the broker runs: what it takes over, when, and that it is all of it or nothing. */

import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { signJwt } from '../../emulators/issuer/jwt-signer.ts';
import { Reloader, reloadOutcomes } from '../../src/broker/reloader.ts';
import { settingsOf } from '../../src/broker/running-settings.ts';
import { reloadingOf } from '../../src/config/reloading.ts';
import { configSchema } from '../../src/config/schema.ts';
import { listSettings } from '../../src/config/settings.ts';
import { checkIntervalMs } from '../../src/http/tls-files.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';
import {
  type BrokerFixture,
  type ConfigInput,
  startBrokerFixture,
  withoutClients,
} from '../support/broker-fixture.ts';
import type { Answer, Call } from '../support/http-call.ts';
import { startOddBroker } from '../support/odd-broker.ts';
import { allow, clients, defaultMappings, pool, signingKeys } from '../support/outside-world.ts';
import { type SelfSigned, selfSigned } from '../support/self-signed.ts';
import { formOf, formType, webIdentity } from '../support/sts-call.ts';
import { until } from '../support/until.ts';

const ada = '7d8e2a5c-1111-4222-8333-944445555666';
const grace = '7d8e2a5c-2222-4222-8333-944445555666';
const scopes = ['broker/admin.read', 'broker/admin.write', 'broker/admin.freeze'];
const weekMs = 7 * 86_400_000;
const narrow = { perSecond: 1, burst: 3 };
let broker: BrokerFixture;
let gate: Gate;
/** How late the event loop claims to be. */
let lateMs = 0;
let certificates: readonly SelfSigned[];
const fileOf = (name: string) => `${broker.directory}/${name}`;

beforeAll(async () => {
  certificates = [selfSigned('first'), selfSigned('second'), selfSigned('third')];
  broker = await startBrokerFixture({
    async beforeStart({ sts }) {
      gate = await startGate(sts.url);
    },
    eventLoopDelayMs: () => lateMs,
    // A look at the certificates between a change of them and the reload would take them over.
    after: (ms, callback) => systemClock.after(ms === checkIntervalMs ? weekMs : ms, callback),
    users: [
      { username: 'ada', sub: ada, groups: ['platform', 'approvers'] },
      { username: 'grace', sub: grace, groups: ['platform', 'approvers'] },
    ],
    mappings: [
      ...defaultMappings,
      allow('from-proxies', 'legacy', {
        conditions: { sourceCidrs: ['192.0.2.0/24'] },
        session: { durationSeconds: 900, maxDurationSeconds: 900 },
      }),
    ],
    logLevel: 'info',
    configure(config) {
      const directory = String(config.audit.directory).replace(/\/audit$/, '');
      for (const [index, { cert, key }] of certificates.entries()) {
        writeFileSync(`${directory}/${index}.crt`, cert);
        writeFileSync(`${directory}/${index}.key`, key);
      }
      const tls = { certFile: `${directory}/0.crt`, keyFile: `${directory}/0.key` };
      return {
        ...config,
        sts: { ...config.sts, endpoints: [{ region: 'us-east-1', endpoint: gate.url }] },
        listeners: { ...config.listeners, ops: { port: 0 }, identity: { port: 0, tls } },
        webIdentity: { issuer: 'https://identity.example.com', serveDocuments: true },
        guardrails: { approval: { when: 'widens', approvers: ['approvers'] } },
        admin: { ...config.admin, pool, clients: [clients.admin.clientId], groups: ['platform'] },
      };
    },
  });
});
afterAll(async () => {
  await broker.stop();
  await gate.stop();
});

type Change = (config: ConfigInput) => ConfigInput;
const same: Change = (config) => config;

async function reload(change: Change): Promise<void> {
  broker.writeConfig(change);
  await broker.reload();
}

const withAdmin =
  (change: Partial<NonNullable<ConfigInput['admin']>>): Change =>
  (config) => ({
    ...config,
    admin: { ...(config.admin as NonNullable<ConfigInput['admin']>), ...change },
  });

const limited =
  (limits: ConfigInput['limits']): Change =>
  (config) => ({ ...config, limits: { ...config.limits, ...limits } });

const records = (of = broker) => of.auditRecords().filter(({ type }) => type === 'config_reload');
const lastRecord = () => records().at(-1);
const lastLog = (of = broker) =>
  of.logs.filter(({ msg }) => msg?.includes('the configuration')).at(-1);
const outcomes = async (of = broker) => {
  const page = await of.metrics();
  const count = (name: string) => page.get(`tokenbroker_config_reloads_total{outcome="${name}"}`);
  return Object.fromEntries(reloadOutcomes.map((name) => [name, count(name)]));
};

/** In front of STS: lets nobody through while it is shut. */
interface Gate {
  readonly url: string;
  /** Who came so far. */
  readonly came: number;
  shut(): () => void;
  stop(): Promise<void>;
}

async function startGate(stsUrl: string): Promise<Gate> {
  let open: Promise<void> = Promise.resolve();
  const front = await startOddBroker(async (asked, answer) => {
    const body = await text(asked);
    await open;
    const headers = { 'content-type': formType };
    const answered = await fetch(stsUrl, { method: 'POST', headers, body });
    answer.writeHead(answered.status, { 'content-type': 'text/xml' });
    answer.end(await answered.text());
  });
  return {
    url: front.url,
    get came() {
      return front.requests.length;
    },
    shut() {
      let release = () => {};
      open = new Promise((resolve) => {
        release = resolve;
      });
      return release;
    },
    stop: front.stop,
  };
}

const codeOf = ({ status, body }: Answer) => [status, body?.code ?? body?.error];
const as = (user: string) => broker.token('admin', { user, scopes });
const adminCall = (call: Partial<Call> & Pick<Call, 'path'>, token: string) =>
  broker.call({ listener: 'admin', token, ...call });

it('has every outcome at zero before anybody asks, and the start as the last success', async () => {
  const fresh = await startBrokerFixture();
  try {
    const page = await fresh.metrics();
    expect(await outcomes(fresh)).toEqual(
      Object.fromEntries(reloadOutcomes.map((name) => [name, 0])),
    );
    expect(page.get('tokenbroker_config_last_reload_successful')).toBe(1);
    const at = page.get('tokenbroker_config_last_reload_success_timestamp_seconds') ?? 0;
    expect(at).toBeGreaterThan(0);
    expect(at).toBeLessThanOrEqual(Date.now() / 1000);
  } finally {
    await fresh.stop();
  }
});

it('finds the file as it started unchanged, which is a success without a record', async () => {
  const before = (await outcomes())['unchanged'] ?? 0;
  const recorded = records();
  const from = Date.now() / 1000;
  await reload(same);
  expect((await outcomes())['unchanged']).toBe(before + 1);
  const at = 'tokenbroker_config_last_reload_success_timestamp_seconds';
  expect((await broker.metrics()).get(at)).toBeGreaterThanOrEqual(from);
  expect(records()).toEqual(recorded);
});

describe('an app client that is taken out', () => {
  const doors = (token: string): readonly Call[] => [
    { method: 'POST', path: '/v1/credentials', token, body: {} },
    { path: '/v1/credentials/orders-writer', token },
    { path: '/v1/caller', token },
    {
      method: 'POST',
      path: '/sts',
      headers: { 'content-type': formType },
      body: formOf(webIdentity(token)),
    },
  ];

  it('T275: is refused at every door from the next request on, with a token that was verified and a session that is warm', async () => {
    const token = broker.token('orders');
    for (const call of doors(token)) {
      expect((await broker.call(call)).status).toBe(200);
    }
    await reload(withoutClients('orders'));
    for (const call of doors(token)) {
      const answer = await broker.call(call);
      expect([call.path, answer.status < 200 || answer.status > 299]).toEqual([call.path, true]);
      expect(broker.auditRecordOf(answer)).toMatchObject({ code: 'token_client_refused' });
    }
    expect((await broker.metrics()).get('tokenbroker_credential_cache_entries')).toBe(0);
    expect((await broker.issue('reports', { role: 'reports-reader' })).status).toBe(200);

    await reload(same);
    for (const call of doors(token)) {
      expect((await broker.call(call)).status).toBe(200);
    }
  });

  it('T275: leaves those alone who stay: verified tokens and warm sessions are not asked for again', async () => {
    const token = broker.token('orders');
    const ask = () => broker.call({ path: '/v1/credentials/orders-writer', token });
    const before = (await ask()).body.AccessKeyId;
    await reload(withoutClients('legacy'));
    const asked = gate.came;
    expect((await ask()).body.AccessKeyId).toBe(before);
    expect(gate.came).toBe(asked);
    await reload(same);
  });

  it('T275: gets nothing for the request that waits for STS, and nothing of it is kept', async () => {
    const asked = gate.came;
    const release = gate.shut();
    const waiting = broker.issue('orders', { durationSeconds: 1234 });
    await until(() => gate.came > asked);
    await reload(withoutClients('orders'));
    release();
    const answer = await waiting;
    expect(codeOf(answer)).toEqual([401, 'token_client_refused']);
    expect(broker.auditRecordOf(answer)).toMatchObject({
      outcome: 'denied',
      code: 'token_client_refused',
      credentials: { cached: false },
    });
    await reload(same);
    const again = gate.came;
    expect((await broker.issue('orders', { durationSeconds: 1234 })).status).toBe(200);
    expect(gate.came).toBe(again + 1);
  });

  it('T278: is on record by its name, before it is out', async () => {
    await reload(withoutClients('stranger'));
    expect(lastRecord()).toMatchObject({
      by: 'SIGHUP',
      outcome: 'authorized',
      fileSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      settings: [
        {
          setting: 'identity.userPools.0.clients',
          added: [],
          removed: [clients.stranger.clientId],
        },
      ],
      count: 1,
    });
    expect(lastLog()).toMatchObject({ settings: ['identity.userPools.0.clients'] });
    await reload(same);
  });
});

describe('an administrator who is taken out', () => {
  const document = (id: string) => ({ ...allow(id, 'console'), enabled: true });
  const put = (id: string, token: string) =>
    adminCall(
      {
        method: 'PUT',
        path: `/v1/role-mappings/${id}`,
        headers: { 'change-reason': 'needed', 'if-none-match': '*' },
        body: document(id),
      },
      token,
    );

  it('T276: neither reads nor edits from the next request on, and whoever is added does', async () => {
    const token = as('ada');
    expect((await adminCall({ path: '/v1/changes' }, token)).status).toBe(200);
    await reload(withAdmin({ groups: [], users: [grace] }));
    expect(codeOf(await adminCall({ path: '/v1/changes' }, token))).toEqual([403, 'access_denied']);
    expect(codeOf(await put('late', token))).toEqual([403, 'access_denied']);
    expect((await adminCall({ path: '/v1/changes' }, as('grace'))).status).toBe(200);
    expect(lastRecord()).toMatchObject({
      settings: expect.arrayContaining([
        { setting: 'admin.groups', added: [], removed: ['platform'] },
        { setting: 'admin.users', added: [grace], removed: [] },
      ]),
    });
    await reload(same);
  });

  /** Begins a request, takes its sender out, and sends the rest of the body only then. */
  async function takenOutMidway(call: Pick<Call, 'method' | 'path' | 'headers'>, body: string) {
    const slow = request(`${broker.urls.admin}${call.path}`, {
      method: call.method,
      headers: {
        ...call.headers,
        authorization: `Bearer ${as('ada')}`,
        'content-type': 'application/json',
        'content-length': String(body.length),
      },
    });
    const answered = new Promise<IncomingMessage>((resolve) => {
      slow.on('response', resolve);
    });
    slow.write(body.slice(0, 20));
    // It has begun, and waits for the rest of its body; the look at the page counts as well.
    while ((await broker.metrics()).get('tokenbroker_http_requests_in_flight') !== 2);
    await reload(withAdmin({ groups: [], users: [grace] }));
    slow.end(body.slice(20));
    const answer = await answered;
    const requestId = answer.headers['x-request-id'];
    const told = JSON.parse(await text(answer)) as { readonly code?: string };
    await reload(same);
    const left = broker.auditRecords().filter((record) => record.requestId === requestId);
    return { status: answer.statusCode, code: told.code, last: left.at(-1) };
  }

  it('T276: writes nothing by a request whose body is still coming', async () => {
    const head = await broker.table.head();
    expect((await adminCall({ path: '/v1/changes' }, as('ada'))).status).toBe(200);
    const path = '/v1/role-mappings/in-flight';
    const headers = { 'change-reason': 'needed', 'if-none-match': '*' };
    const { status, last } = await takenOutMidway(
      { method: 'PUT', path, headers },
      JSON.stringify(document('in-flight')),
    );
    expect(status).toBe(403);
    expect(await broker.table.head()).toBe(head);
    expect(last).toMatchObject({ outcome: 'refused', code: 'access_denied' });
  });

  const known = JSON.stringify({ ...defaultMappings[0], enabled: true });
  const replacing = { 'change-reason': 'needed', 'if-match': '"1"' };
  const mapping = '/v1/role-mappings/orders-writer';
  const principal = { pool, client: clients.orders.clientId };

  it.each<[string, Pick<Call, 'method' | 'path' | 'headers'>, string]>([
    [
      'an explanation',
      { method: 'POST', path: '/v1/explain' },
      JSON.stringify({ caller: { ...principal, scopes: ['orders/write'] } }),
    ],
    [
      'what is wrong with a question',
      { method: 'POST', path: '/v1/explain' },
      JSON.stringify({ caller: { no: 'such caller' } }),
    ],
    ['a preview', { method: 'PUT', path: `${mapping}?dryRun=true`, headers: replacing }, known],
    [
      'what is wrong with an edit',
      { method: 'PUT', path: mapping, headers: replacing },
      JSON.stringify({ no: 'such mapping' }),
    ],
    ['a mapping that says so already', { method: 'PUT', path: mapping, headers: replacing }, known],
    [
      'what a freeze would take away',
      { method: 'POST', path: '/v1/freezes?dryRun=true', headers: { 'change-reason': 'needed' } },
      JSON.stringify({ principal, role: '*' }),
    ],
    [
      'whether there is such a proposal',
      { method: 'POST', path: '/v1/proposals/000000000000-0000000000000000/approve' },
      JSON.stringify({ sha256: '0'.repeat(64), reason: 'read' }),
    ],
    [
      'whether one can be withdrawn',
      { method: 'POST', path: '/v1/proposals/000000000000-0000000000000000/withdraw' },
      JSON.stringify({ reason: 'not needed any more' }),
    ],
  ])('T340: is not told %s for which the request was still coming', async (_what, call, body) => {
    const { status, code, last } = await takenOutMidway(call, body);
    expect([status, code]).toEqual([403, 'access_denied']);
    expect(last).toMatchObject({ outcome: 'refused', code: 'access_denied' });
  });

  it('T276, T319: approves nothing that waits, and neither does whoever is no approver any more', async () => {
    const proposed = await put('proposed', as('ada'));
    expect(proposed.status).toBe(202);
    const path = String(proposed.headers['location']);
    const { body } = await adminCall({ path }, as('grace'));
    const approve = () =>
      adminCall(
        {
          method: 'POST',
          path: `${path}/approve`,
          body: { sha256: body.sha256, reason: 'read' },
        },
        as('grace'),
      );
    await reload(withAdmin({ groups: [], users: [ada] }));
    expect(codeOf(await approve())).toEqual([403, 'access_denied']);
    // T319: nor what one left behind.
    await reload(withAdmin({ groups: [], users: [grace] }));
    expect(codeOf(await approve())).toEqual([409, 'proposal_author_removed']);
    await reload((config) => ({
      ...config,
      guardrails: { approval: { when: 'widens', approvers: ['others'] } },
    }));
    expect(codeOf(await approve())).toEqual([403, 'approver_refused']);
    await reload(same);
    expect((await approve()).status).toBe(201);
  });
});

describe('every setting that a reload takes over', () => {
  const from = (address: string, token?: string) =>
    broker.call({
      path: '/v1/caller',
      headers: { 'x-forwarded-for': address },
      ...(token === undefined ? {} : { token }),
    });
  const behindProxy: Change = (config) => ({
    ...config,
    http: { ...config.http, trustedProxies: ['127.0.0.0/8'] },
  });
  const loopbackSource = async (answer: Answer) => broker.auditRecordOf(answer)['sourceIp'];
  const refusedAdmin = async (change: Change, token: () => string, code: string) => {
    expect((await adminCall({ path: '/v1/changes' }, token())).status).toBe(200);
    await reload(change);
    expect((await adminCall({ path: '/v1/changes' }, token())).body.code).toBe(code);
    await reload(same);
    expect((await adminCall({ path: '/v1/changes' }, token())).status).toBe(200);
  };
  let made = 0;
  const spend = (address: string) =>
    Promise.all(Array.from({ length: 6 }, () => from(address, badToken())));
  const badToken = () => `bad.${++made}.token`;
  afterEach(() => reload(same));
  /** Bad tokens from these two addresses: whether the second one pays for the first. */
  const sharesBudget = async (change: Change, one: string, other: string) => {
    await reload((config) => limited({ failedTokensPerAddress: narrow })(behindProxy(config)));
    const own = badToken();
    await spend(one);
    expect((await from(other, own)).status).toBe(401);
    await reload((config) =>
      change(limited({ failedTokensPerAddress: narrow })(behindProxy(config))),
    );
    // It counts once, however often it is sent: others have spent what it is refused for.
    while ((await from(other, own)).status !== 429) await spend(one);
  };
  const commonName = (port: string) =>
    new Promise<string>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: Number(port), rejectUnauthorized: false });
      socket.once('error', reject);
      socket.once('secureConnect', () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.destroy();
      });
    });
  const tls =
    (certFile: string, keyFile: string): Change =>
    (config) => ({
      ...config,
      listeners: {
        ...config.listeners,
        identity: { port: 0, tls: { certFile: fileOf(certFile), keyFile: fileOf(keyFile) } },
      },
    });

  const proofs: Readonly<Record<string, () => Promise<void>>> = {
    'listeners.*.tls.certFile': async () => {
      const { port } = new URL(String(broker.urls.identity));
      expect(await commonName(port)).toBe('first');
      await reload(tls('1.crt', '1.key'));
      expect(await commonName(port)).toBe('second');
      // Looked at by their new names from now on.
      writeFileSync(fileOf('1.crt'), certificates[2]?.cert ?? '');
      writeFileSync(fileOf('1.key'), certificates[2]?.key ?? '');
      await reload(tls('1.crt', '1.key'));
      expect(await commonName(port)).toBe('third');
      expect(lastRecord()).toMatchObject({ settings: [{ setting: 'listeners.identity.tls' }] });
      await reload(same);
      expect(await commonName(port)).toBe('first');
    },
    'listeners.*.tls.keyFile': async () => {
      await reload(tls('0.crt', '2.key'));
      expect(lastLog()).toMatchObject({
        outcome: 'invalid',
        faults: [expect.stringContaining('is not the key of the certificate')],
      });
      writeFileSync(fileOf('same.key'), certificates[0]?.key ?? '');
      await reload(tls('0.crt', 'same.key'));
      expect(lastRecord()).toMatchObject({
        outcome: 'authorized',
        settings: [{ setting: 'listeners.identity.tls.keyFile' }],
      });
    },
    'http.trustedProxies': async () => {
      const token = broker.token('orders');
      const ask = () => from('192.0.2.7', token);
      expect(await loopbackSource(await ask())).toBe('127.0.0.1');
      await reload(behindProxy);
      expect(await loopbackSource(await ask())).toBe('192.0.2.7');
      await reload(same);
      expect(await loopbackSource(await ask())).toBe('127.0.0.1');
    },
    'limits.perCaller.perSecond': async () => {
      await reload(limited({ perCaller: { perSecond: 1, burst: 2 } }));
      const token = broker.token('legacy');
      const ask = () => broker.call({ path: '/v1/caller', token });
      while ((await ask()).status === 200);
      // Whoever has spent everything does not get it back by a reload, …
      await reload(limited({ perCaller: { perSecond: 1_000_000, burst: 2 } }));
      expect((await ask()).status).toBe(200);
    },
    'limits.perCaller.burst': async () => {
      const token = broker.token('stranger');
      const ask = () => broker.call({ path: '/v1/caller', token });
      expect((await ask()).status).toBe(200);
      await reload(limited({ perCaller: { perSecond: 1, burst: 2 } }));
      const answers = await Promise.all(Array.from({ length: 20 }, ask));
      expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThan(0);
    },
    'limits.failedTokensPerAddress.perSecond': async () => {
      await reload((config) => limited({ failedTokensPerAddress: narrow })(behindProxy(config)));
      while ((await spend('203.0.113.1')).every(({ status }) => status !== 429));
      const fast = { perSecond: 1_000_000, burst: 3 };
      await reload((config) => limited({ failedTokensPerAddress: fast })(behindProxy(config)));
      expect((await from('203.0.113.1', badToken())).status).toBe(401);
    },
    'limits.failedTokensPerAddress.burst': async () => {
      await reload(behindProxy);
      expect((await spend('203.0.113.2')).map(({ status }) => status)).not.toContain(429);
      await reload((config) => limited({ failedTokensPerAddress: narrow })(behindProxy(config)));
      while ((await spend('203.0.113.2')).every(({ status }) => status !== 429));
    },
    'limits.addressBitsIpv4': () =>
      sharesBudget(limited({ addressBitsIpv4: 24 }), '198.51.100.1', '198.51.100.2'),
    'limits.addressBitsIpv6': () =>
      sharesBudget(limited({ addressBitsIpv6: 48 }), '2001:db8:7:1::1', '2001:db8:7:2::1'),
    'limits.maxInFlight': async () => {
      await reload(limited({ maxInFlight: 1 }));
      const asked = gate.came;
      const release = gate.shut();
      const waiting = broker.issue('orders', { durationSeconds: 1300 });
      await until(() => gate.came > asked);
      expect((await broker.issue('reports')).status).toBe(503);
      await reload(same);
      expect((await broker.issue('stranger')).status).toBe(403);
      release();
      expect((await waiting).status).toBe(200);
    },
    'limits.maxEventLoopDelayMs': async () => {
      const began = () => broker.logText.split('more requests than can be answered').length;
      const before = began();
      lateMs = 100;
      await reload(limited({ maxEventLoopDelayMs: 50 }));
      while (began() === before) await broker.metrics();
      lateMs = 0;
      await reload(same);
      while (!broker.logText.includes('requests are no longer refused unread')) {
        await broker.metrics();
      }
    },
    'identity.userPools[].clients': async () => {
      await reload(withoutClients('stranger'));
      expect((await broker.issue('stranger')).status).toBe(401);
      await reload(same);
      expect((await broker.issue('stranger')).status).toBe(403);
    },
    'guardrails.approval.approvers': async () => {
      await reload((config) => ({
        ...config,
        guardrails: { approval: { when: 'widens', approvers: ['others'] } },
      }));
      expect(lastRecord()).toMatchObject({
        settings: [
          { setting: 'guardrails.approval.approvers', added: ['others'], removed: ['approvers'] },
        ],
      });
    },
    'guardrails.approval.breakGlass': async () => {
      const edit = (id: string) =>
        adminCall(
          {
            method: 'PUT',
            path: `/v1/role-mappings/${id}?breakGlass=true`,
            headers: { 'change-reason': 'INC-1', 'if-none-match': '*' },
            body: allow(id, 'console'),
          },
          as('ada'),
        );
      expect(codeOf(await edit('glass'))).toEqual([403, 'approval_required']);
      await reload((config) => ({
        ...config,
        guardrails: {
          approval: { when: 'widens', approvers: ['approvers'], breakGlass: ['platform'] },
        },
      }));
      expect((await edit('glass')).status).toBe(201);
      await reload(same);
      expect(codeOf(await edit('glass-2'))).toEqual([403, 'approval_required']);
    },
    'admin.clients': () =>
      refusedAdmin(
        withAdmin({ clients: [clients.console.clientId] }),
        () => as('ada'),
        'access_denied',
      ),
    'admin.groups': () =>
      refusedAdmin(withAdmin({ groups: ['others'] }), () => as('ada'), 'access_denied'),
    'admin.users': async () => {
      await reload(withAdmin({ groups: [], users: [grace], machines: false }));
      expect((await adminCall({ path: '/v1/changes' }, as('grace'))).status).toBe(200);
      expect((await adminCall({ path: '/v1/changes' }, as('ada'))).status).toBe(403);
    },
    'admin.machines': () =>
      refusedAdmin(withAdmin({ machines: false }), () => broker.token('admin'), 'access_denied'),
    'admin.maxTokenAgeSeconds': async () => {
      const key = signingKeys().current.access;
      const [, payload = ''] = as('ada').split('.');
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
      const header = { kid: key.kid, alg: 'RS256' } as const;
      const token = signJwt({ key, header, claims: { ...claims, iat: claims.iat - 90 } });
      await refusedAdmin(withAdmin({ maxTokenAgeSeconds: 60 }), () => token, 'token_expired');
    },
    'admin.maxSignInAgeSeconds': async () => {
      const signedInAt = Date.now() - 90_000;
      const token = broker.token('admin', { user: 'ada', scopes, signedInAt });
      await refusedAdmin(
        withAdmin({ maxSignInAgeSeconds: 60 }),
        () => token,
        'sign_in_insufficient',
      );
    },
    'admin.requiredAmr': () =>
      refusedAdmin(withAdmin({ requiredAmr: ['mfa'] }), () => as('ada'), 'sign_in_insufficient'),
    'log.level': async () => {
      const lines = () => broker.logText.split('the configuration was read again').length;
      const before = lines();
      await reload((config) => ({ ...config, log: { level: 'error' } }));
      expect(lines()).toBe(before);
      await reload(same);
      expect(lines()).toBe(before + 1);
    },
  };

  it.each(Object.entries(proofs))('%s', (_setting, proof) => proof());

  it('is among these, and every other one needs a restart', () => {
    const reloaded = listSettings()
      .map(({ path }) => path)
      .filter((path) => reloadingOf(path) === 'reload')
      .map((path) => path.replace(/^listeners\.\w+/, 'listeners.*'));
    expect(new Set(reloaded)).toEqual(new Set(Object.keys(proofs)));
  });
});

describe('all of it or nothing', () => {
  const unharmed = async () => {
    expect((await broker.issue('orders')).status).toBe(200);
    expect((await adminCall({ path: '/v1/changes' }, as('ada'))).status).toBe(200);
  };
  /** Which would take these two out, if any of it counted. */
  const harm: Change = (config) =>
    withAdmin({ groups: ['others'] })(withoutClients('orders')(config));

  it('T277: names everything that needs a restart, and takes over nothing', async () => {
    const before = await outcomes();
    await reload((config) => ({
      ...harm(config),
      policy: { ...config.policy, table: 'another', pollSeconds: 3 },
      cache: { maxEntries: 77 },
      listeners: { ...config.listeners, ops: { port: 0, maxConnections: 9 } },
    }));
    expect(lastLog()).toMatchObject({
      level: 'error',
      outcome: 'needs_restart',
      faults: expect.arrayContaining([
        'needs a restart: policy.table',
        'needs a restart: policy.pollSeconds',
        'needs a restart: cache.maxEntries',
        'needs a restart: listeners.ops.maxConnections',
      ]),
    });
    expect(lastRecord()).toMatchObject({ outcome: 'refused', reason: 'needs_restart', count: 4 });
    expect(JSON.stringify(lastRecord())).not.toContain('another');
    expect(await outcomes()).toEqual({
      ...before,
      needs_restart: (before['needs_restart'] ?? 0) + 1,
    });
    expect((await broker.metrics()).get('tokenbroker_config_last_reload_successful')).toBe(0);
    await unharmed();
  });

  it.each<[string, Change]>([
    [
      'a section that comes',
      (config) => ({ ...harm(config), keys: { directory: '/var/lib/keys' } }),
    ],
    ['a section that goes', ({ admin: _admin, ...config }) => withoutClients('orders')(config)],
    [
      'certificates that come',
      (config) => ({
        ...harm(config),
        listeners: {
          ...config.listeners,
          api: { port: 0, tls: { certFile: fileOf('0.crt'), keyFile: fileOf('0.key') } },
        },
      }),
    ],
    [
      'a pool that comes',
      (config) => ({
        ...harm(config),
        identity: {
          ...config.identity,
          userPools: [
            ...(config.identity.userPools ?? []),
            { pool: 'us-east-1_Test00002', issuer: 'http://127.0.0.1:1/x', clients: ['a'] },
          ],
        },
      }),
    ],
  ])('refuses %s', async (_what, change) => {
    await reload(change);
    expect(lastLog()).toMatchObject({ outcome: 'needs_restart' });
    await unharmed();
  });

  it.each<[string, (text: string) => string]>([
    ['no YAML', () => 'identity: [}'],
    ['a setting that there is not', (text) => `${text}\nretries: 3\n`],
    ['half of a file', (text) => text.slice(0, text.length / 2)],
    ['nothing', () => ''],
    ['two documents', (text) => `${text}\n---\n${text}`],
    ['a rule that does not hold', (text) => text.replace('groups:', 'users: []\n  readers:')],
  ])('T277: refuses a file with %s, and says where', async (_what, spoil) => {
    broker.writeConfig(harm);
    writeFileSync(broker.configFile, spoil(readFileSync(broker.configFile, 'utf8')));
    await broker.reload();
    const { outcome, faults } = lastLog() as unknown as { outcome: string; faults: string[] };
    expect(outcome).toBe('invalid');
    expect(faults.length).toBeGreaterThan(0);
    for (const line of faults) expect(line).toContain(broker.configFile);
    expect(lastRecord()).toMatchObject({ outcome: 'refused', reason: 'invalid' });
    await unharmed();
  });

  it('T341: refuses a file with more faults than anybody reads in a line of the log, and says how many', async () => {
    broker.writeConfig(
      withAdmin({ users: Array.from({ length: 20_000 }, (_, index) => `u${index}`) }),
    );
    await broker.reload();
    const told = lastLog();
    expect(told).toMatchObject({ outcome: 'invalid', faultCount: 1_001 });
    expect((told as unknown as { faults: string[] }).faults).toHaveLength(50);
    writeFileSync(broker.configFile, `? "${'k'.repeat(100_000)}"\n: 1\n`);
    await broker.reload();
    expect(lastRecord()).toMatchObject({ outcome: 'refused', reason: 'invalid' });
    for (const text of [JSON.stringify(lastLog()), JSON.stringify(lastRecord())]) {
      expect(text.length).toBeLessThan(5_000);
    }
    await unharmed();
  });

  it('T341: takes over a list of very many app clients without holding up anybody', async () => {
    const many = Array.from({ length: 30_000 }, (_, index) => `${index}`.padStart(26, 'c'));
    const withClients =
      (more: readonly string[]): Change =>
      ({ identity, ...config }) => {
        const [known, ...others] = identity.userPools as { clients: string[] }[];
        const userPools = [{ ...known, clients: [...(known?.clients ?? []), ...more] }, ...others];
        return { ...config, identity: { ...identity, userPools } } as ConfigInput;
      };
    await reload(withClients(many));
    broker.writeConfig(withClients(many.slice(1)));
    const started = process.cpuUsage();
    await broker.reload();
    // To compare each with each takes some ten seconds.
    expect(process.cpuUsage(started).user).toBeLessThan(4_000_000);
    expect(lastRecord()).toMatchObject({
      settings: [{ setting: 'identity.userPools.0.clients', added: [], removed: [many[0]] }],
    });
    await reload(same);
    await unharmed();
  });

  it('refuses a file that is gone, a folder, and a link that leads nowhere', async () => {
    rmSync(broker.configFile);
    await broker.reload();
    expect(lastLog()).toMatchObject({
      outcome: 'invalid',
      faults: [expect.stringContaining('ENOENT')],
    });
    symlinkSync(fileOf('nowhere'), broker.configFile);
    await broker.reload();
    expect(lastLog()).toMatchObject({ outcome: 'invalid' });
    rmSync(broker.configFile);
    symlinkSync(broker.directory, broker.configFile);
    await broker.reload();
    expect(lastLog()).toMatchObject({ outcome: 'invalid' });
    rmSync(broker.configFile);
    await unharmed();
  });

  it('T277: waits for whoever is writing the file, and takes the whole of it', async () => {
    broker.writeConfig(withoutClients('orders', 'reports', 'legacy', 'stranger'));
    const cutShort = readFileSync(broker.configFile);
    broker.writeConfig(withoutClients('stranger'));
    const whole = readFileSync(broker.configFile);
    writeFileSync(broker.configFile, cutShort);
    const reloading = broker.reload();
    writeFileSync(broker.configFile, whole);
    await reloading;
    await unharmed();
    await reload(same);
  });

  it('takes one reload after the other, and the last file counts', async () => {
    broker.writeConfig(withoutClients('orders'));
    const first = broker.reload();
    broker.writeConfig(same);
    const others = [broker.reload(), broker.reload(), broker.reload()];
    await Promise.all([first, ...others]);
    await unharmed();
  });
});

it('T343: is in force for whoever comes after its record in the log, also where both are kept together', async () => {
  let written: ConfigInput | undefined;
  broker.writeConfig((config) => {
    written = config;
    return config;
  });
  const settings = (change: Change) =>
    settingsOf(configSchema.parse(change(written as ConfigInput)));
  const running = { now: settings(same) };
  const next = settings(withAdmin({ groups: ['others'] }));
  let keep = () => {};
  const kept = new Promise<void>((resolve) => {
    keep = resolve;
  });
  let inForceThen: unknown;
  const reloader = new Reloader({
    read: async () => ({ config: next.config, fileSha256: '' }),
    running,
    certificates: new Map(),
    audit: {
      record() {
        // Of the record that comes next, somebody's edit.
        queueMicrotask(() => {
          void kept.then(() => {
            inForceThen = running.now.access?.groups;
          });
          keep();
        });
        return kept;
      },
    },
    clock: systemClock,
    onReplaced: () => undefined,
    observer: () => undefined,
  });
  await reloader.reload('SIGHUP');
  expect(inForceThen).toEqual(new Set(['others']));
});

it('is not read again by a broker that is ending', async () => {
  const ending = await startBrokerFixture();
  try {
    await ending.stopBroker();
    const before = ending.auditRecords().length;
    ending.writeConfig(withoutClients('orders'));
    await ending.reload();
    expect(ending.auditRecords().length).toBe(before);
    expect(lastLog(ending)).toMatchObject({
      msg: expect.stringContaining('this process is ending'),
    });
  } finally {
    await ending.stop();
  }
});
