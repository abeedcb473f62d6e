/**
 * Callers who are served from what is remembered of them: of the token, the plan, the session, the answer and the end of the
 * record. What counts for a request and has changed since the last one shows at the next.
 */

import { hash } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type AuditedRecord,
  type BrokerFixture,
  startBrokerFixture,
  withoutClients,
} from '../support/broker-fixture.ts';
import type { Answer } from '../support/http-call.ts';
import { allow, clients, pool, roleNamed } from '../support/outside-world.ts';
import { createTestClock } from '../support/test-clock.ts';

let broker: BrokerFixture;
afterEach(() => broker.stop());

const writer = (fields = {}) =>
  allow('orders-writer', 'orders', { conditions: { scopes: ['orders/write'] }, ...fields });

interface Asked {
  readonly token: string;
  readonly body?: object;
}

const ask = ({ token, body = {} }: Asked): Promise<Answer> =>
  broker.call({
    method: 'POST',
    path: '/v1/credentials',
    token,
    body,
    headers: { 'user-agent': 'warm' },
  });

/** Asked so often that everything is remembered; the last answer. */
async function warmed(asked: Asked, status = 200): Promise<Answer> {
  let last: Answer | undefined;
  for (let times = 0; times < 3; times += 1) last = await ask(asked);
  expect(last?.status).toBe(status);
  return last as Answer;
}

const keyOf = (answer: Answer): unknown => answer.body.credentials?.accessKeyId;
const recorded = (answer: Answer): AuditedRecord => broker.auditRecordOf(answer);

describe('a caller who was served', () => {
  const changes: readonly (readonly [string, () => Promise<void>, object])[] = [
    [
      'is frozen',
      () =>
        broker.putMapping({
          id: 'freeze-orders',
          principal: { pool, client: clients.orders.clientId },
          effect: 'deny',
          role: '*',
          owner: 'incident',
        }),
      { reason: 'explicit_deny', mapping: { id: 'freeze-orders', version: 1 } },
    ],
    [
      'has a mapping that is disabled',
      () => broker.putMapping(writer({ enabled: false })),
      { reason: 'no_mapping' },
    ],
    [
      'has a mapping that asks for more',
      () => broker.putMapping(writer({ conditions: { scopes: ['orders/more'] } })),
      { reason: 'scope_missing', mapping: { id: 'orders-writer', version: 2 } },
    ],
  ];

  it.each(changes)('is denied once it %s', async (_title, change, denial) => {
    broker = await startBrokerFixture();
    const asked = { token: broker.token('orders') };
    await warmed(asked);
    await change();
    const denied = await ask(asked);
    expect(denied).toMatchObject({ status: 403, body: { code: 'access_denied' } });
    const record = recorded(denied);
    expect(record).toMatchObject({
      outcome: 'denied',
      code: 'access_denied',
      policyRevision: 5,
      ...denial,
    });
    expect(record).not.toHaveProperty('credentials');
    expect(record).not.toHaveProperty('session');
  });

  it('gets another session once its mapping is edited, and what is on record is that one', async () => {
    broker = await startBrokerFixture();
    const asked = { token: broker.token('orders') };
    const before = await warmed(asked);
    await broker.putMapping(writer({ session: { durationSeconds: 1800 } }));
    const after = await ask(asked);
    expect(after.status).toBe(200);
    expect(keyOf(after)).not.toBe(keyOf(before));
    expect(recorded(after)).toMatchObject({
      policyRevision: 5,
      mapping: { id: 'orders-writer', version: 2 },
      session: { durationSeconds: 1800 },
      credentials: { cached: false, accessKeyId: keyOf(after) },
    });
  });

  const bodies = [
    {},
    { role: roleNamed('orders-writer') },
    { role: 'orders-writer' },
    { durationSeconds: 900 },
    { durationSeconds: 3600 },
    {},
  ];

  it('has each of its requests on record as it was asked, and with the session that it got', async () => {
    broker = await startBrokerFixture();
    const token = broker.token('orders');
    await warmed({ token });
    for (const body of [...bodies, ...bodies]) {
      const answer = await ask({ token, body });
      const { durationSeconds = 3600 } = body as { readonly durationSeconds?: number };
      expect(recorded(answer)).toMatchObject({
        outcome: 'issued',
        session: { durationSeconds },
        credentials: { accessKeyId: keyOf(answer) },
      });
      expect(recorded(answer)['request']).toEqual(body);
    }
  });

  it('has each of its tokens on record, though they share a session', async () => {
    broker = await startBrokerFixture();
    const tokens = [broker.token('orders'), broker.token('orders')];
    const seen = new Set<unknown>();
    for (const token of [...tokens, ...tokens, ...tokens]) {
      const answer = await ask({ token });
      const { sha256 } = recorded(answer)['token'] as { readonly sha256: string };
      expect(sha256).toBe(hash('sha256', token, 'hex'));
      seen.add(keyOf(answer));
    }
    expect(tokens[0]).not.toBe(tokens[1]);
    expect(seen.size).toBe(1);
  });

  it('is refused once there are too many of its requests', async () => {
    broker = await startBrokerFixture({
      clock: createTestClock(Date.now()),
      configure: (config) => ({
        ...config,
        limits: { ...config.limits, perCaller: { perSecond: 1, burst: 4 } },
      }),
    });
    const asked = { token: broker.token('orders') };
    await warmed(asked);
    expect((await ask(asked)).status).toBe(200);
    const refused = await ask(asked);
    expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
    expect(recorded(refused)).toMatchObject({ outcome: 'denied', code: 'rate_limited' });
  });

  it('is refused once its token has expired', async () => {
    const clock = createTestClock(Date.now());
    broker = await startBrokerFixture({ clock });
    const asked = { token: broker.token('orders', { expiresInSeconds: 60 }) };
    await warmed(asked);
    await clock.advance(91_000);
    expect(await ask(asked)).toMatchObject({ status: 401, body: { code: 'token_expired' } });
  });

  it('is refused once its app client is no longer trusted', async () => {
    broker = await startBrokerFixture();
    const asked = { token: broker.token('orders') };
    await warmed(asked);
    broker.writeConfig(withoutClients('orders'));
    await broker.reload();
    expect(await ask(asked)).toMatchObject({ status: 401, body: { code: 'token_client_refused' } });
  });
});

describe('a caller who was denied', () => {
  it('is served once it is allowed, and denied once it is not any more', async () => {
    broker = await startBrokerFixture();
    const asked = { token: broker.token('stranger') };
    const denied = await warmed(asked, 403);
    const own = allow('strangers-own', 'stranger', { role: roleNamed('orders-writer') });
    await broker.putMapping(own);
    const served = await ask(asked);
    expect(served.status).toBe(200);
    expect(recorded(served)).toMatchObject({
      outcome: 'issued',
      mapping: { id: 'strangers-own', version: 1 },
      credentials: { accessKeyId: keyOf(served) },
    });
    await broker.putMapping({ ...own, enabled: false });
    const again = await ask(asked);
    expect(again.status).toBe(403);
    expect(again.text.replace(again.requestId ?? '', '')).toBe(
      denied.text.replace(denied.requestId ?? '', ''),
    );
    expect(recorded(again)).not.toHaveProperty('credentials');
  });

  it('has the reason of this time on record, and that role', async () => {
    broker = await startBrokerFixture();
    const asked = { token: broker.token('stranger') };
    await warmed(asked, 403);
    await broker.putMapping(
      allow('needs-more', 'stranger', { conditions: { scopes: ['orders/more'] } }),
    );
    const nearer = await ask(asked);
    expect(recorded(nearer)).toMatchObject({ reason: 'scope_missing', policyRevision: 5 });
    for (const role of ['needs-more', 'something-else']) {
      const denied = await ask({ ...asked, body: { role } });
      expect(recorded(denied)).toMatchObject({
        request: { role },
        reason: role === 'needs-more' ? 'scope_missing' : 'no_mapping',
      });
    }
  });
});
