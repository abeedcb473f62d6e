import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, it } from '@jest/globals';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { formOf, formType, webIdentity } from '../support/sts-call.ts';
import { createTestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';
import { checkTrail } from './trail-fixture.ts';

let broker: BrokerFixture | undefined;
afterEach(() => broker?.stop());

const minute = 60_000;

it('a session that is taken from STS with the caller’s token is found among those of a broker, renewals included (T225)', async () => {
  const trail: object[] = [];
  const clock = createTestClock();
  const started = await startBrokerFixture({
    clock,
    onStsEvent: (event) => void trail.push(event),
  });
  broker = started;
  const file = path.join(started.directory, 'cloudtrail.jsonl');
  const check = async () => {
    writeFileSync(file, trail.map((event) => `${JSON.stringify(event)}\n`).join(''));
    const { code, found } = await checkTrail(started.auditDirectory, file);
    return { code, found };
  };

  expect((await started.issue('orders')).status).toBe(200);
  // The last second in which it is answered from the cache: by then each is due.
  await clock.jump(45 * minute - 1_000);
  // Answered from the cache; the session is renewed behind it, and nobody asks for the new one.
  expect((await started.issue('orders')).status).toBe(200);
  await until(() => started.auditRecords().some(({ type }) => type === 'renewal'));
  expect(trail).toHaveLength(2);
  await clock.jump(10 * minute);
  await started.issue('stranger');
  expect(await check()).toEqual({ code: 0, found: [] });

  const answer = await fetch(started.sts.url, {
    method: 'POST',
    headers: { 'content-type': formType },
    body: formOf(webIdentity(started.token('orders'))),
  });
  expect(answer.status).toBe(200);
  await clock.jump(10 * minute);
  await started.issue('stranger');
  expect(await check()).toMatchObject({
    code: 2,
    found: [{ class: 'bypass', sessionName: 'botocore-session-1795353980' }],
  });
});
