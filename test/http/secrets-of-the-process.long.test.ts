/** The broker as operators run it: whatever happens to it, what it leaves on this machine has no secret in it. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { brokerConfig, seededTable } from '../support/broker-fixture.ts';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { type Answer, type Call, send } from '../support/http-call.ts';
import {
  allow,
  type ClientName,
  clients,
  defaultMappings,
  type OutsideWorld,
  roleNamed,
  startOutsideWorld,
} from '../support/outside-world.ts';
import { secretsIn } from '../support/secrets-in.ts';
import { formOf, formType, webIdentity } from '../support/sts-call.ts';
import { until } from '../support/until.ts';

/** What the broker itself signs its requests to DynamoDB with. */
const ownKeys = {
  AWS_ACCESS_KEY_ID: 'AKIAEXAMPLEOFTHEBROKER',
  AWS_SECRET_ACCESS_KEY: 'canary/secret/access/key/of/the/broker/itself',
  AWS_SESSION_TOKEN: 'canary/session/token/of/the/broker/itself',
};

let directory: string;
let outside: OutsideWorld;
let broker: BrokerProcess;
/** Parts of every token that was sent and of every session that was handed out. */
let secrets: string[];
/** Everything the broker said, but for the credentials themselves. */
let said: Answer[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'token-broker-test-'));
  secrets = [ownKeys.AWS_SECRET_ACCESS_KEY, ownKeys.AWS_SESSION_TOKEN];
  said = [];
  const roles = defaultMappings.map(({ role }) => role);
  outside = await startOutsideWorld({ clock: systemClock, users: [], roles, stsLatencyMs: 0 });
  const { client } = await seededTable(outside, systemClock, defaultMappings);
  client.destroy();
  const config = brokerConfig(outside, directory);
  const changed = {
    ...config,
    log: { level: 'debug' as const },
    keys: { directory: join(directory, 'keys'), cooldownSeconds: 1 },
    policy: { ...config.policy, snapshotFile: join(directory, 'policy.json') },
    sts: { ...config.sts, requestTimeoutMs: 200, totalTimeoutMs: 300 },
  };
  broker = await startBrokerProcess(directory, changed, { env: ownKeys });
});
afterEach(async () => {
  broker.signal('SIGKILL');
  await broker.exit;
  await outside.stop();
  rmSync(directory, { recursive: true, force: true });
});

function token(name: ClientName): string {
  const jwt = outside.issuer.issueAccessToken({ clientId: clients[name].clientId });
  remember(...jwt.split('.').slice(1));
  return jwt;
}

/** Half a secret is too much as well. */
function remember(...texts: readonly string[]): void {
  for (const text of texts) secrets.push(text.slice(0, 40), text.slice(-40));
}

async function call({ listener = 'api', ...rest }: Call): Promise<Answer> {
  const answer = await send(broker.urls[listener] ?? '', { listener, ...rest });
  said.push(answer);
  return answer;
}

async function issue(name: ClientName, body?: unknown): Promise<void> {
  const jwt = token(name);
  await takeCredentials({ method: 'POST', path: '/v1/credentials', token: jwt, body });
  await takeCredentials({ path: '/v1/credentials', token: jwt });
  const form = formOf(webIdentity(jwt));
  const headers = { 'content-type': formType };
  await takeCredentials({ method: 'POST', path: '/sts', headers, body: form });
}

/** Credentials belong into the answer that hands them out, whose other parts are searched. */
async function takeCredentials(request: Call): Promise<void> {
  const answer = await send(broker.urls.api, request);
  if (answer.status !== 200) {
    said.push(answer);
    return;
  }
  const found = [
    .../"(?:secretAccessKey|sessionToken|SecretAccessKey|Token)":"([^"]+)"/g[Symbol.matchAll](
      answer.text,
    ),
    .../<(?:SecretAccessKey|SessionToken)>([^<]+)</g[Symbol.matchAll](answer.text),
  ].map(([, secret = '']) => secret);
  expect(found).toHaveLength(2);
  remember(...found);
  said.push({ ...answer, text: '', body: undefined });
}

async function succeed(): Promise<void> {
  await issue('orders');
  await issue('orders');
  await issue('reports', { role: 'reports-reader' });
  await call({ path: '/v1/caller', token: token('orders') });
}

async function beDenied(): Promise<void> {
  const jwt = token('orders');
  await issue('stranger');
  await issue('legacy');
  await issue('orders', { [jwt]: jwt });
  await issue('orders', { role: jwt.slice(0, 500) });
  await call({ method: 'POST', path: '/v1/credentials', token: `${jwt.slice(0, -20)}AAAA` });
  await call({ method: 'POST', path: `/v1/credentials?token=${jwt}` });
  await call({ path: `/v1/${jwt}` });
  const headers = { cookie: jwt, 'x-request-id': jwt, authorization: `Basic ${jwt}` };
  await call({ method: 'POST', path: '/v1/credentials', headers });
  for (const parameters of [{ RoleArn: jwt }, { RoleSessionName: jwt }, { Policy: jwt }]) {
    const body = formOf(webIdentity(jwt, parameters));
    await call({ method: 'POST', path: '/sts', headers: { 'content-type': formType }, body });
  }
}

async function meetOutages(): Promise<void> {
  const jwt = token('orders');
  const quoting = `<html>${jwt}</html>`;
  const faults = [
    { kind: 'error', status: 400, code: 'InvalidIdentityToken', message: `bad: ${jwt}` },
    { kind: 'error', status: 500, code: 'InternalFailure', message: jwt },
    { kind: 'body', status: 200, contentType: 'text/html', body: quoting },
    { kind: 'answer', rewrite: <It>(it: It) => ({ ...it, secretAccessKey: jwt, accessKeyId: '' }) },
    { kind: 'reset' },
    { kind: 'hang' },
  ] as const;
  for (const fault of faults) {
    outside.sts.setFault(fault);
    await issue('reports', { role: 'reports-publisher' });
  }
  outside.sts.setFault(undefined);
  outside.issuer.setFault({ kind: 'body', body: `{"keys":"${jwt}"}` });
  const [head = '', ...others] = jwt.split('.');
  const unknownKey = Buffer.from(head, 'base64url')
    .toString()
    .replace(/"kid":"/, '"kid":"x');
  const forged = [Buffer.from(unknownKey).toString('base64url'), ...others].join('.');
  await call({ method: 'POST', path: '/v1/credentials', token: forged });
  outside.issuer.setFault(undefined);
}

async function administer(): Promise<void> {
  const admin = token('admin');
  const listener = 'admin';
  const id = 'orders-auditor';
  const path = `/v1/role-mappings/${id}`;
  const reason = { 'change-reason': 'a test needs it' };
  const created = await call({
    listener,
    method: 'PUT',
    path,
    token: admin,
    headers: { ...reason, 'if-none-match': '*' },
    body: allow(id, 'orders', { role: roleNamed('orders-writer') }),
  });
  expect(created.status).toBe(201);
  const body = { token: token('orders') };
  await call({ listener, method: 'POST', path: '/v1/explain', token: admin, body });
  await call({ listener, method: 'POST', path: '/v1/freezes', token: admin, body });
  await call({ listener, path: '/v1/changes', token: admin });
  await call({ listener, path, token: token('orders') });
  outside.dynamodb.setFault({ kind: 'error', type: 'InternalServerError', status: 500 });
  await call({ listener, path, token: admin });
  outside.dynamodb.setFault(undefined);
}

function filesIn(place: string): ReadonlyMap<string, string> {
  const files = readdirSync(place, { recursive: true })
    .map(String)
    .filter((name) => statSync(join(place, name)).isFile());
  return new Map(files.map((name) => [name, readFileSync(join(place, name), 'latin1')]));
}

describe('the process, with everything logged (T33)', () => {
  it('leaves no token, secret key or session token in its log, files, metrics, answers, environment, command line or a core file', async () => {
    await succeed();
    await beDenied();
    await meetOutages();
    await administer();
    await call({ listener: 'ops', path: '/metrics' });
    await call({ listener: 'ops', path: '/readyz' });
    expect(new Set(said.map(({ status }) => status))).toEqual(
      new Set([200, 201, 400, 401, 403, 404, 422, 502, 503]),
    );
    await until(() => broker.logText.includes('table_unavailable'));

    const ofProcess = (file: string) => readFileSync(`/proc/${broker.pid}/${file}`, 'latin1');
    const environment = ofProcess('environ');
    const commandLine = ofProcess('cmdline');
    expect(commandLine).toContain('config.yaml');
    expect(environment).toContain(ownKeys.AWS_ACCESS_KEY_ID);
    // Its own keys are there because its environment gave them.
    const kept = environment.replace(/AWS_(?:SECRET_ACCESS_KEY|SESSION_TOKEN)=[^\0]*\0/g, '');

    broker.signal('SIGSEGV');
    expect(await broker.exit).toBe('SIGSEGV');
    const files = filesIn(directory);
    expect([...files.keys()].filter((name) => /core/.test(name))).toEqual([]);
    expect([...files.keys()]).toEqual(
      expect.arrayContaining(['audit/audit.jsonl', 'policy.json', 'ready.json']),
    );
    expect([...files.keys()].some((name) => name.startsWith('keys/'))).toBe(true);

    const places = { log: broker.logText, environment: kept, commandLine, said, files };
    expect(secrets.length).toBeGreaterThan(60);
    expect(secretsIn(places, secrets)).toEqual([]);
  });
});
