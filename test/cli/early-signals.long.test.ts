/** Signals that come before a process is ready for anything, which the file that a loader runs beside it sends; and while it ends. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../src/kit/timing/clock.ts';
import {
  brokerConfig,
  type ConfigInput,
  seededTable,
  seriesOf,
} from '../support/broker-fixture.ts';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { defaultMappings, type OutsideWorld, startOutsideWorld } from '../support/outside-world.ts';
import { until } from '../support/until.ts';

let directory: string;
let outside: OutsideWorld;
let seeded: Awaited<ReturnType<typeof seededTable>>;
let config: ConfigInput;
let broker: BrokerProcess | undefined;

beforeAll(async () => {
  const roles = defaultMappings.map(({ role }) => role);
  outside = await startOutsideWorld({ clock: systemClock, users: [], roles, stsLatencyMs: 5 });
  seeded = await seededTable(outside, systemClock, defaultMappings);
});
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'token-broker-signals-'));
  config = { ...brokerConfig(outside, directory), http: { drainSeconds: 0 } };
});
afterEach(async () => {
  broker?.signal('SIGKILL');
  await broker?.exit;
  broker = undefined;
  rmSync(directory, { recursive: true, force: true });
});
afterAll(async () => {
  seeded.client.destroy();
  await outside.stop();
});

/**
 * Environment of a process that gets the signal when Node is about to load the first file after `dist/main.js`, and from then
 * on every two milliseconds until `enough` is there. The thread of the loader sends it, whatever the process is busy with.
 */
function signalled(signal: NodeJS.Signals, enough: string): Record<string, string> {
  const hooks = join(directory, 'hooks.mjs');
  const preload = join(directory, 'preload.mjs');
  writeFileSync(
    hooks,
    `import { existsSync } from 'node:fs';
    let sending;
    export async function load(url, context, next) {
      const isOurs = url.includes('/dist/') && !url.endsWith('/dist/main.js');
      if (isOurs && sending === undefined) {
        process.kill(process.pid, '${signal}');
        sending = setInterval(() => {
          if (existsSync(${JSON.stringify(enough)})) clearInterval(sending);
          else process.kill(process.pid, '${signal}');
        }, 2);
        sending.unref();
      }
      return next(url, context);
    }`,
  );
  writeFileSync(
    preload,
    `import { register } from 'node:module';\nregister(${JSON.stringify(pathToFileURL(hooks))});`,
  );
  return { NODE_OPTIONS: `--import=${pathToFileURL(preload)}` };
}

async function reloads(url: string): Promise<number> {
  const page = seriesOf(await (await fetch(`${url}/metrics`)).text());
  return page.get('tokenbroker_config_reloads_total{outcome="unchanged"}') ?? 0;
}

describe('a broker', () => {
  it('is ended by no SIGHUP from its first line on, and reads its configuration again once it serves', async () => {
    const enough = join(directory, 'enough');
    const started = await startBrokerProcess(directory, config, {
      env: signalled('SIGHUP', enough),
    });
    broker = started;
    await until(async () => (await reloads(started.urls.ops)) > 0);
    writeFileSync(enough, '');
    started.signal('SIGTERM');
    expect(await started.exit).toBe(0);
  });

  it('is ended by no SIGHUP to its last moment, and has said all that it has to say', async () => {
    // As long as a process takes to go, and so often that one comes in each part of it.
    for (let times = 0; times < 5; times += 1) {
      const started = await startBrokerProcess(directory, config);
      broker = started;
      let code: number | string | undefined;
      const ended = started.exit.then((how) => {
        code = how;
      });
      started.signal('SIGTERM');
      while (code === undefined) {
        started.signal('SIGHUP');
        await new Promise((resolve) => setImmediate(resolve));
      }
      await ended;
      expect(code).toBe(0);
      expect(started.logText).toContain('"msg":"stopped"');
    }
  });

  it('ends by itself, with 0 and nothing left open, where SIGTERM came with its first line', async () => {
    // Once: the second SIGTERM ends a process that does not end.
    const enough = join(directory, 'hooks.mjs');
    const start = startBrokerProcess(directory, config, { env: signalled('SIGTERM', enough) });
    await expect(start).rejects.toThrow(/ended with 0: .*stopped before it served/s);
  });
});
