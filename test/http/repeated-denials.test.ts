/** A caller that is denied costs no more than one that is served: its retries share an audit record. */

import { afterEach, describe, expect, it } from '@jest/globals';
import { auditFind } from '../../src/cli/audit-find.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import type { Answer } from '../support/http-call.ts';
import { allow, roleNamed } from '../support/outside-world.ts';
import { createTestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';

let broker: BrokerFixture;
afterEach(() => broker.stop());

async function start() {
  const clock = createTestClock(Date.now());
  broker = await startBrokerFixture({ clock });
  return clock;
}

/** As one client with one token would. */
function asker(token: string, path = '/v1/credentials') {
  return (): Promise<Answer> =>
    broker.call({
      method: path.includes('/credentials/') ? 'GET' : 'POST',
      path,
      token,
      headers: { 'user-agent': 'one client' },
    });
}

const exchanges = () => broker.auditRecords().filter(({ type }) => type === 'exchange');

async function times(count: number, ask: () => Promise<Answer>): Promise<readonly Answer[]> {
  const answers = [];
  for (let number = 0; number < count; number++) answers.push(await ask());
  return answers;
}

describe('a caller that is denied again and again', () => {
  it('leaves one record at once and one after ten seconds, and each request id is found', async () => {
    const clock = await start();
    const answers = await times(8, asker(broker.token('stranger')));
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(403));
    expect(exchanges()).toMatchObject([{ outcome: 'denied', requestId: answers[0]?.requestId }]);

    await clock.advance(10_000);
    await until(() => exchanges().length === 2);
    const [first, summary] = exchanges();
    expect(first?.repeats).toBe(undefined);
    expect(summary?.repeats).toMatchObject({
      count: 7,
      requestIds: answers.slice(1).map(({ requestId }) => requestId),
    });
    for (const answer of answers) expect(broker.auditRecordOf(answer).code).toBe('access_denied');
    let text = '';
    const code = await auditFind({
      directory: [broker.auditDirectory],
      now: Date.now(),
      requestId: String(answers[5]?.requestId),
      json: false,
      out: (part) => {
        text += part;
      },
    });
    expect([code, text]).toEqual([0, expect.stringContaining('again times 7, ')]);
    expect((await broker.metrics()).get('tokenbroker_audit_repeated_denials_total')).toBe(7);
  });

  it('is counted exactly, however many ask at once', async () => {
    const clock = await start();
    const ask = asker(broker.token('stranger'));
    const other = asker(broker.token('stranger'), '/v1/credentials/orders-writer');
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) => (index % 4 === 0 ? other() : ask())),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([403]));
    expect(exchanges()).toHaveLength(2);
    await clock.advance(10_000);
    await until(() => exchanges().length === 4);
    const counts = exchanges().map(({ route, repeats }) => `${route} ${repeats?.count ?? 1}`);
    expect(new Set(counts)).toEqual(
      new Set([
        '/v1/credentials 1',
        '/v1/credentials 74',
        'GET /v1/credentials 1',
        'GET /v1/credentials 24',
      ]),
    );
    const refusals = 'tokenbroker_refusals_total{code="access_denied",reason="no_mapping"}';
    expect((await broker.metrics()).get(refusals)).toBe(100);
  });

  it('is served as soon as a mapping allows it, and recorded in full when that is gone', async () => {
    broker = await startBrokerFixture({ refusalWindowMs: 10_000 });
    const ask = asker(broker.token('stranger'));
    await times(3, ask);
    const mapping = allow('for-stranger', 'stranger', { role: roleNamed('orders-writer') });
    await broker.putMapping(mapping);
    expect((await ask()).status).toBe(200);
    await broker.putMapping({ ...mapping, enabled: false });
    const denied = await times(2, ask);
    expect(exchanges().map(({ outcome }) => outcome)).toEqual(['denied', 'issued', 'denied']);
    expect(broker.auditRecordOf(denied[0] as Answer)['policyRevision']).toBe(6);
  });

  it('shares no record with another token of the same caller', async () => {
    broker = await startBrokerFixture({ refusalWindowMs: 10_000 });
    await times(3, asker(broker.token('stranger')));
    await times(3, asker(broker.token('stranger')));
    await broker.stopBroker();
    expect(exchanges().map(({ repeats }) => repeats?.count ?? 1)).toEqual([1, 1, 2, 2]);
  });
});

describe('a broker that ends', () => {
  it('writes the counts of its open windows first', async () => {
    broker = await startBrokerFixture({ refusalWindowMs: 10_000 });
    const answers = await times(5, asker(broker.token('stranger')));
    await broker.stopBroker();
    for (const answer of answers) broker.auditRecordOf(answer);
    expect(exchanges().map(({ repeats }) => repeats?.count ?? 1)).toEqual([1, 4]);
  });
});
