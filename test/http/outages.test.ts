/** Something that the broker stands on is away: it says so, gives nothing out that it should not, and recovers. */

import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { StsFault } from '../../emulators/sts/sts-fault.ts';
import {
  type BrokerFixture,
  type BrokerFixtureOptions,
  startBrokerFixture,
} from '../support/broker-fixture.ts';
import type { Answer } from '../support/http-call.ts';
import { createTestClock } from '../support/test-clock.ts';

let broker: BrokerFixture;
async function start(options: BrokerFixtureOptions = {}): Promise<BrokerFixture> {
  broker = await startBrokerFixture(options);
  started.push(broker);
  return broker;
}
const started: BrokerFixture[] = [];
afterEach(async () => {
  for (const one of started.splice(0)) await one.stop();
});

function said({ status, body, headers }: Answer): string {
  const retryAfter = headers['retry-after'];
  return `${status} ${body.code}${retryAfter === undefined ? '' : ` after ${retryAfter} s`}`;
}

/** The status, and which checks fail. */
async function readiness(of: BrokerFixture): Promise<string> {
  const { status, text } = await of.call({ listener: 'ops', path: '/readyz' });
  const failed = text.split('\n').filter((line) => line.startsWith('[-]'));
  return [status, ...failed.map((line) => line.slice(3).replace(' failed', ''))].join(' ');
}

const ready = () => readiness(broker);

describe('STS', () => {
  let shared: BrokerFixture;
  beforeAll(async () => {
    shared = await startBrokerFixture();
  });
  afterAll(() => shared.stop());

  /** For a session that nobody has asked for before. */
  const coldRequest = () => ({ durationSeconds: 900 + 60 * shared.auditRecords().length });

  const hasty: NonNullable<BrokerFixtureOptions['configure']> = (config) => ({
    ...config,
    sts: { ...config.sts, requestTimeoutMs: 300, totalTimeoutMs: 400 },
  });
  const html = '<html><body>CANARY 502 Bad Gateway</body></html>';
  const error = (status: number, code: string): StsFault => ({
    kind: 'error',
    status,
    code,
    message: 'CANARY of the message',
  });

  it.each<[string, StsFault, string]>([
    ['breaks the connection', { kind: 'reset' }, '503 sts_unavailable after 2 s'],
    ['fails', error(500, 'InternalFailure'), '503 sts_unavailable after 2 s'],
    ['limits the rate', error(400, 'Throttling'), '503 sts_throttled after 2 s'],
    ['cannot fetch the keys', error(400, 'IDPCommunicationError'), '503 sts_unavailable after 2 s'],
    ['says that the token has expired', error(400, 'ExpiredTokenException'), '401 token_expired'],
    ['refuses the token', error(400, 'InvalidIdentityToken'), '401 sts_token_rejected'],
    ['refuses by the trust policy', error(403, 'AccessDenied'), '403 sts_access_denied'],
    ['refuses the policy', error(400, 'MalformedPolicyDocument'), '502 sts_request_rejected'],
    [
      'is a proxy that failed',
      { kind: 'body', status: 502, contentType: 'text/html', body: html },
      '503 sts_unavailable after 2 s',
    ],
    [
      'is a proxy that answers 200',
      { kind: 'body', status: 200, contentType: 'text/html', body: html },
      '502 sts_bad_response',
    ],
    [
      'answers nothing with 200',
      { kind: 'body', status: 200, contentType: 'text/xml', body: '' },
      '502 sts_bad_response',
    ],
    [
      'names another role',
      {
        kind: 'answer',
        rewrite: (it) => ({
          ...it,
          assumedRoleArn: 'arn:aws:sts::123456789012:assumed-role/admin/CANARY',
        }),
      },
      '502 sts_bad_response',
    ],
    [
      'leaves the session token out',
      { kind: 'answer', rewrite: (it) => ({ ...it, sessionToken: undefined }) },
      '502 sts_bad_response',
    ],
    [
      'gives credentials that have expired',
      { kind: 'answer', rewrite: (it) => ({ ...it, expiration: '2001-01-01T00:00:00Z' }) },
      '502 sts_bad_response',
    ],
  ])('that %s is not believed, and not for longer than that', async (_what, fault, expected) => {
    shared.sts.setFault(fault);

    const answer = await shared.issue('orders', coldRequest());

    expect(said(answer)).toBe(expected);
    expect(answer.text).not.toMatch(/CANARY|ASIA|html/);
    const { outcome, code, credentials } = shared.auditRecordOf(answer);
    expect({ outcome, code, credentials }).toEqual({
      outcome: answer.status < 500 ? 'denied' : 'failed',
      code: answer.body.code,
      credentials: undefined,
    });
    expect(await readiness(shared)).toBe('200');
    shared.sts.setFault(undefined);
    expect((await shared.issue('orders', coldRequest())).status).toBe(200);
  });

  it.each([
    ['needs escapes in JSON', 'a"session\\token-that-is-odd'],
    ['is the name of the role as well', 'arn:aws:iam::123456789012:role/broker/orders-writer'],
    ['is an access key id as well', 'ASIAIOSFODNN7EXAMPLE'],
  ])('gives a session token that %s, and it is answered as it is', async (_what, sessionToken) => {
    shared.sts.setFault({
      kind: 'answer',
      rewrite: (it) => ({ ...it, accessKeyId: 'ASIAIOSFODNN7EXAMPLE', sessionToken }),
    });
    const request = coldRequest();
    const answers = [await shared.issue('orders', request), await shared.issue('orders', request)];
    shared.sts.setFault(undefined);
    for (const { status, body } of answers) {
      expect(status).toBe(200);
      expect(body.credentials).toMatchObject({ accessKeyId: 'ASIAIOSFODNN7EXAMPLE', sessionToken });
      expect(body.role).toMatch(/^arn:aws:iam::/);
    }
  });

  it('that hangs is given up in time', async () => {
    await start({ configure: hasty });
    broker.sts.setFault({ kind: 'hang' });

    expect(said(await broker.issue('orders'))).toBe('503 sts_unavailable after 2 s');
    expect(await ready()).toBe('200');
  });

  it('that is away takes nothing from those whose session is cached', async () => {
    await start({ configure: hasty });
    const before = await broker.issue('orders');
    broker.sts.setFault({ kind: 'hang' });

    expect((await broker.issue('orders')).body).toEqual(before.body);
    expect(said(await broker.issue('reports', { role: 'reports-reader' }))).toMatch(/^503/);

    broker.sts.setFault(undefined);
    expect((await broker.issue('orders')).status).toBe(200);
  });

  it('that is slow is asked no more than so often at once', async () => {
    await start({
      stsLatencyMs: 100,
      configure: (config) => ({ ...config, sts: { ...config.sts, maxConcurrent: 1 } }),
    });
    const answers = await Promise.all([
      broker.issue('reports', { role: 'reports-reader' }),
      broker.issue('reports', { role: 'reports-publisher' }),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 503]);
    const refused = answers.find(({ status }) => status === 503) as Answer;
    expect(said(refused)).toBe('503 overloaded after 1 s');
  });
});

describe('the audit log', () => {
  it('that cannot be written lets no credentials out, cached ones included, until it can', async () => {
    const clock = createTestClock(Date.now());
    await start({ clock });
    expect((await broker.issue('orders')).status).toBe(200);
    const aside = `${broker.auditDirectory}-aside`;
    renameSync(broker.auditDirectory, aside);
    writeFileSync(broker.auditDirectory, 'not a directory');
    // Where the file is gets looked at once a second.
    await clock.advance(1_000);

    const answers = [
      await broker.issue('orders'),
      await broker.issue('orders'),
      await broker.issue('reports', { role: 'reports-reader' }),
      // What is refused must be on record as well.
      await broker.issue('stranger'),
      await broker.call({ method: 'POST', path: '/v1/credentials' }),
    ];
    for (const answer of answers) {
      expect(said(answer)).toBe('503 audit_unavailable after 5 s');
      expect(answer.text).not.toContain('ASIA');
    }
    expect(await ready()).toBe('503 audit');

    rmSync(broker.auditDirectory);
    renameSync(aside, broker.auditDirectory);
    await clock.advance(1_000);
    while ((await ready()) !== '200') await clock.advance(100);

    const answer = await broker.issue('orders');
    expect(answer.status).toBe(200);
    expect(broker.auditRecordOf(answer).outcome).toBe('issued');
    expect(broker.auditRecords().filter(({ outcome }) => outcome === 'issued')).toHaveLength(2);
  });

  it('that cannot be opened keeps the broker from starting', async () => {
    await start();
    const file = `${broker.directory}/file`;
    writeFileSync(file, '');
    const starting = startBrokerFixture({
      configure: (config) => ({ ...config, audit: { directory: `${file}/audit` } }),
    });
    await expect(starting).rejects.toThrow('audit.directory');
  });
});

describe('the role-mapping table (T27)', () => {
  it('that is away from the start leaves the broker not ready, and nothing is issued until it is back', async () => {
    await start({ beforeStart: ({ dynamodb }) => dynamodb.setFault({ kind: 'reset' }) });

    expect(await ready()).toBe('503 policy');
    expect(said(await broker.issue('orders'))).toBe('503 policy_unavailable after 5 s');
    const caller = { path: '/v1/caller', token: broker.token('orders') };
    expect(said(await broker.call(caller))).toBe('503 policy_unavailable after 5 s');
    expect(broker.sts.requests).toHaveLength(0);

    broker.dynamodb.setFault(undefined);
    while ((await ready()) !== '200');
    expect((await broker.issue('orders')).status).toBe(200);
  });

  it('that goes away later changes nothing for callers', async () => {
    await start();
    broker.dynamodb.setFault({ kind: 'error', type: 'InternalServerError', status: 500 });
    expect((await broker.issue('orders')).status).toBe(200);
    expect(await ready()).toBe('200');
  });

  it('that is away for longer than configured stops everything', async () => {
    const clock = createTestClock(Date.now());
    await start({
      clock,
      configure: (config) => ({ ...config, policy: { ...config.policy, maxAgeSeconds: 60 } }),
    });
    expect((await broker.issue('orders')).status).toBe(200);
    broker.dynamodb.setFault({ kind: 'reset' });
    await clock.advance(61_000);

    expect(said(await broker.issue('orders'))).toBe('503 policy_stale after 30 s');
    expect(await ready()).toBe('503 policy');
  });
});

describe('the keys of the issuer', () => {
  it('that cannot be fetched from the start are asked for again, and nothing is issued until then', async () => {
    const clock = createTestClock(Date.now());
    await start({
      clock,
      beforeStart: ({ issuer }) => issuer.setFault({ kind: 'status', status: 500 }),
    });

    expect(await ready()).toBe('503 keys');
    expect(said(await broker.issue('orders'))).toBe('503 keys_unavailable after 5 s');
    expect(broker.sts.requests).toHaveLength(0);

    broker.issuer.setFault();
    while ((await ready()) !== '200') await clock.advance(1_000);
    expect((await broker.issue('orders')).status).toBe(200);
  });

  it('that cannot be fetched any more are relied on as long as configured, and no longer', async () => {
    const clock = createTestClock(Date.now());
    await start({
      clock,
      configure: (config) => ({
        ...config,
        keys: { refreshSeconds: 30, maxAgeSeconds: 300 },
        policy: { ...config.policy, pollSeconds: 5 },
      }),
    });
    const call = { method: 'POST', path: '/v1/credentials', token: broker.token('orders') };
    expect((await broker.call(call)).status).toBe(200);
    broker.issuer.setFault({ kind: 'reset' });

    await clock.advance(295_000);
    expect((await broker.call(call)).status).toBe(200);
    expect(await ready()).toBe('200');

    await clock.advance(10_000);
    expect(said(await broker.call(call))).toBe('503 keys_unavailable after 5 s');
    expect(await ready()).toBe('503 keys');
  });
});

describe('time', () => {
  it('ends a token, cached session or not', async () => {
    const clock = createTestClock(Date.now());
    await start({ clock });
    const token = broker.token('orders', { expiresInSeconds: 60 });
    const call = { method: 'POST', path: '/v1/credentials', token };
    expect((await broker.call(call)).status).toBe(200);
    await clock.advance(60_000 + 31_000);

    const answer = await broker.call(call);
    expect(said(answer)).toBe('401 token_expired');
    expect(answer.headers['www-authenticate']).toContain('error="invalid_token"');
  });
});
