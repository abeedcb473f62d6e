/** A request is found again by the id of its caller's trace, which anybody can choose and nothing is decided by. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { auditFind } from '../../src/cli/audit-find.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { createTestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';
const valid = `00-${traceId}-${spanId}-01`;

function traced(traceparent: string, client: 'orders' | 'stranger' = 'orders') {
  return broker.call({
    method: 'POST',
    path: '/v1/credentials',
    token: broker.token(client),
    headers: { traceparent },
  });
}

async function found(traceIdAsked: string): Promise<readonly string[]> {
  let text = '';
  await auditFind({
    directory: [broker.auditDirectory],
    now: Date.now(),
    traceId: traceIdAsked,
    json: true,
    out: (part) => {
      text += part;
    },
  });
  const records = text.split('\n').filter((line) => line.startsWith('{"'));
  return records.map((line) => (JSON.parse(line) as { requestId: string }).requestId);
}

let broker: BrokerFixture;

describe('the id of a trace', () => {
  beforeAll(async () => {
    broker = await startBrokerFixture();
  });
  afterAll(() => broker.stop());

  it('is on record and in the log of a request that names one, and finds it', async () => {
    const traceId = 'a3ce929d0e0e47364bf92f3577b34da6';
    const issued = await traced(`00-${traceId}-${spanId}-01`);
    const denied = await traced(`00-${traceId}-${spanId}-00`, 'stranger');
    expect([issued.status, denied.status]).toEqual([200, 403]);
    expect(broker.auditRecordOf(issued)).toMatchObject({ outcome: 'issued', traceId });
    expect(broker.auditRecordOf(denied)).toMatchObject({ outcome: 'denied', traceId });
    const lines = broker.logs.filter((line) => line['requestId'] === denied.requestId);
    expect(lines).toMatchObject([{ msg: 'refused', traceId }]);
    expect(await found(traceId)).toEqual([issued.requestId, denied.requestId]);
  });

  it('is on record of what administrators do', async () => {
    const token = broker.token('admin');
    const headers = { traceparent: valid };
    const path = '/v1/role-mappings';
    const answer = await broker.call({ listener: 'admin', path, token, headers });
    expect(answer.status).toBe(200);
    expect(broker.auditRecordOf(answer)).toMatchObject({ type: 'access', traceId });
  });

  it('is taken from a later version of the header as well', async () => {
    const answer = await traced(`cc-${traceId}-${spanId}-01-what-the-future-brings`);
    expect(broker.auditRecordOf(answer)).toMatchObject({ traceId });
  });

  it.each([
    ['upper case', valid.toUpperCase()],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${spanId}-01`],
    ['a span of zeros', `00-${traceId}-${'0'.repeat(16)}-01`],
    ['the version that is none', `ff-${traceId}-${spanId}-01`],
    ['more than version 00 has', `${valid}-more`],
    ['less', valid.slice(0, -1)],
    ['more digits', `${valid}1`],
    ['other letters', `00-${traceId.replace('4', 'g')}-${spanId}-01`],
    ['two of them', `${valid}, ${valid}`],
    ['words of a log', '","outcome":"issued","x":"'],
    ['a token', 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln'],
  ])(
    'T202: is nothing but 32 hex digits: %s leave no trace, and change no answer',
    async (_, traceparent) => {
      const answer = await traced(traceparent);
      expect(answer.status).toBe(200);
      const record = broker.auditRecordOf(answer);
      expect(record).toMatchObject({ outcome: 'issued' });
      expect(record).not.toHaveProperty('traceId');
      const kept = [broker.logText, JSON.stringify(broker.auditRecords())].join();
      expect(kept).not.toContain(traceparent);
    },
  );
});

describe('denials of one caller', () => {
  afterEach(() => broker.stop());

  it('share a record, whatever traces they say they belong to (T201)', async () => {
    const clock = createTestClock(Date.now());
    broker = await startBrokerFixture({ clock });
    const token = broker.token('stranger');
    const ids = Array.from({ length: 20 }, (_, index) => `${index + 10}`.padEnd(32, 'a'));
    for (const id of ids) {
      const headers = { 'user-agent': 'one client', traceparent: `00-${id}-${spanId}-01` };
      await broker.call({ method: 'POST', path: '/v1/credentials', token, headers });
    }
    const records = () => broker.auditRecords().filter(({ type }) => type === 'exchange');
    expect(records()).toMatchObject([{ outcome: 'denied', traceId: ids[0] }]);
    await clock.advance(10_000);
    await until(() => records().length === 2);
    expect(records()[1]).toMatchObject({ repeats: { count: 19 } });
    expect(records()[1]).not.toHaveProperty('traceId');
  });
});
