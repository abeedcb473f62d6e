/** A configuration that changes again and again while callers ask: each answer is by the one or by the other. */

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  type BrokerFixture,
  startBrokerFixture,
  withoutClients,
} from '../support/broker-fixture.ts';
import type { ClientName } from '../support/outside-world.ts';

let broker: BrokerFixture;
const tokens = new Map<ClientName, string>();
beforeAll(async () => {
  broker = await startBrokerFixture();
  for (const name of ['orders', 'reports'] as const) tokens.set(name, broker.token(name));
});
afterAll(() => broker.stop());

async function ask(name: ClientName): Promise<number> {
  const answer = await fetch(`${broker.urls.api}/v1/credentials`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens.get(name)}`, 'content-type': 'application/json' },
    body: JSON.stringify(name === 'reports' ? { role: 'reports-reader' } : {}),
  });
  await answer.arrayBuffer();
  return answer.status;
}

function allowedAnswers(listed: boolean | undefined): readonly number[] {
  if (listed === undefined) return [200, 401];
  return listed ? [200] : [401];
}

/** What callers are told while the configuration changes under them. */
class Crowd {
  /** Whether the client is listed for certain: undefined while a reload is under way. */
  listed: boolean | undefined = true;
  over: boolean = false;
  readonly wrong: string[] = [];
  /** Answers about which there was no doubt. */
  readonly certain = { in: 0, out: 0 };

  async askOnAndOn(name: ClientName): Promise<void> {
    while (!this.over) {
      const before = this.listed;
      const status = await ask(name);
      if (name === 'orders') this.#judge(before, status);
      else if (status !== 200) this.wrong.push(`${name}, who is always listed: ${status}`);
    }
  }

  /** A request that a reload met may be answered either way, and no other. */
  #judge(before: boolean | undefined, status: number): void {
    const listed = before === this.listed ? before : undefined;
    if (!allowedAnswers(listed).includes(status)) this.wrong.push(`listed: ${listed}: ${status}`);
    if (listed !== undefined) this.certain[listed ? 'in' : 'out'] += 1;
  }
}

it('T275: under 200 reloads that take a client out and let it in, nobody is wrongly served or refused', async () => {
  const crowd = new Crowd();
  const names = ['orders', 'orders', 'reports', 'reports'] as const;
  const callers = names.map((name) => crowd.askOnAndOn(name));
  for (let number = 1; number <= 200; number += 1) {
    const keeps = number % 2 === 0;
    crowd.listed = undefined;
    broker.writeConfig(keeps ? (config) => config : withoutClients('orders'));
    await broker.reload();
    crowd.listed = keeps;
    const kind = keeps ? 'in' : 'out';
    const seen = crowd.certain[kind];
    while (crowd.certain[kind] === seen) await ask('reports');
  }
  crowd.over = true;
  await Promise.all(callers);
  expect(crowd.wrong).toEqual([]);
  const records = broker.auditRecords().filter(({ type }) => type === 'config_reload');
  expect(records).toHaveLength(200);
}, 300_000);
