/** A freeze that comes while exchanges are under way, through all three wire forms. */

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import type { Answer, Call } from '../support/http-call.ts';
import { clients, pool } from '../support/outside-world.ts';
import { formOf, formType, webIdentity } from '../support/sts-call.ts';
import { until } from '../support/until.ts';

let broker: BrokerFixture;
beforeAll(async () => {
  broker = await startBrokerFixture({ stsLatencyMs: 1_000 });
}, 30_000);
afterAll(() => broker.stop());

const forms: readonly ((token: string, durationSeconds: number) => Call)[] = [
  (token, durationSeconds) => ({
    method: 'POST',
    path: '/v1/credentials',
    token,
    body: { durationSeconds },
  }),
  (token) => ({ path: '/v1/credentials/orders-writer', token }),
  (token, durationSeconds) => ({
    method: 'POST',
    path: '/sts',
    headers: { 'content-type': formType },
    body: formOf(webIdentity(token, { DurationSeconds: String(durationSeconds) })),
  }),
];

it('T66: nothing is answered after it was acknowledged, and the records say so', async () => {
  const token = broker.token('orders');
  const asked = broker.sts.requests.length;
  const freeze: { acknowledged: boolean } = { acknowledged: false };
  const late: Answer[] = [];
  const asking = [0, 1, 2].flatMap((round) =>
    forms.map(async (form) => {
      const answer = await broker.call(form(token, 900 + 60 * round));
      if (freeze.acknowledged) late.push(answer);
      return answer;
    }),
  );
  await until(() => broker.sts.requests.length >= asked + 4);

  const frozen = await broker.call({
    listener: 'admin',
    method: 'POST',
    path: '/v1/freezes',
    token: broker.token('admin'),
    headers: { 'change-reason': 'INC-3' },
    body: { principal: { pool, client: clients.orders.clientId }, role: '*' },
  });
  freeze.acknowledged = true;
  expect(frozen.status).toBe(201);

  await Promise.all(asking);
  expect(late.length).toBeGreaterThan(0);
  expect(late.map(({ status }) => status)).toEqual(late.map(() => 403));
  for (const answer of late) {
    // One that was on record as issued when the freeze came has a second record, which takes it back.
    const records = broker.auditRecords().filter(({ requestId }) => requestId === answer.requestId);
    expect(records.at(-1)).toMatchObject({ outcome: 'denied', reason: 'explicit_deny' });
    expect(records.slice(0, -1).map(({ outcome }) => outcome)).toEqual(
      records.length === 1 ? [] : ['issued'],
    );
  }
  expect((await broker.metrics()).get('tokenbroker_credential_cache_entries')).toBe(0);
}, 20_000);
