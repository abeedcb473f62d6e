/** SIGHUP as a process gets it, with the file that it was started with. */

import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, it } from '@jest/globals';
import { configText } from '../../emulators/config-text.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';
import {
  brokerConfig,
  type ConfigInput,
  seededTable,
  seriesOf,
  withoutClients,
} from '../support/broker-fixture.ts';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { defaultMappings, type OutsideWorld, startOutsideWorld } from '../support/outside-world.ts';
import { until } from '../support/until.ts';

const directory = mkdtempSync(join(tmpdir(), 'token-broker-reload-'));
let outside: OutsideWorld;
let seeded: Awaited<ReturnType<typeof seededTable>>;
let broker: BrokerProcess | undefined;
let config: ConfigInput;

beforeAll(async () => {
  const roles = defaultMappings.map(({ role }) => role);
  outside = await startOutsideWorld({ clock: systemClock, users: [], roles, stsLatencyMs: 5 });
  seeded = await seededTable(outside, systemClock, defaultMappings);
  config = brokerConfig(outside, directory);
});
afterEach(async () => {
  broker?.signal('SIGKILL');
  await broker?.exit;
});
afterAll(async () => {
  seeded.client.destroy();
  await outside.stop();
  rmSync(directory, { recursive: true, force: true });
});

function write(changed: ConfigInput): void {
  const file = join(directory, 'config.yaml');
  writeFileSync(`${file}.new`, configText(changed));
  renameSync(`${file}.new`, file);
}

async function count(url: string, outcome: string): Promise<number> {
  const page = seriesOf(await (await fetch(`${url}/metrics`)).text());
  return page.get(`tokenbroker_config_reloads_total{outcome="${outcome}"}`) ?? 0;
}

it('makes a process take over what its file says by now', async () => {
  const started = await startBrokerProcess(directory, config);
  broker = started;
  write(withoutClients('orders')(config));
  started.signal('SIGHUP');
  while ((await count(started.urls.ops, 'reloaded')) === 0);
  await until(() => started.logText.includes('the configuration was read again'));
});
