/** A start that fails half-way, or is given up, in this process: what it had begun is undone. */

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Broker, createBroker } from '../../src/broker/broker.ts';
import { configSchema } from '../../src/config/schema.ts';
import type { Clock } from '../../src/kit/timing/clock.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { fileLog } from '../audit/audit-fixture.ts';
import { brokerConfig, type ConfigInput, seededTable } from '../support/broker-fixture.ts';
import { portion } from '../support/fuzz-budget.ts';
import { startOddBroker } from '../support/odd-broker.ts';
import { defaultMappings, type OutsideWorld, startOutsideWorld } from '../support/outside-world.ts';
import { selfSigned } from '../support/self-signed.ts';
import { createTestClock } from '../support/test-clock.ts';

/** It stands still: what waits for it waits for ever. */
const stillClock = createTestClock();
/** Timers that were set and have neither fired nor been cancelled. */
const timers = new Set<symbol>();
const clock: Clock = {
  ...stillClock,
  after(delayMs, callback) {
    const name = Symbol('timer');
    timers.add(name);
    const timer = stillClock.after(delayMs, () => {
      timers.delete(name);
      callback();
    });
    return {
      cancel() {
        timers.delete(name);
        timer.cancel();
      },
    };
  },
};

let directory: string;
let outside: OutsideWorld;
let taken: Server;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'token-broker-test-'));
  const roles = defaultMappings.map(({ role }) => role);
  outside = await startOutsideWorld({ clock: stillClock, users: [], roles, stsLatencyMs: 0 });
  const { client } = await seededTable(outside, stillClock, defaultMappings);
  client.destroy();
  taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  timers.clear();
});
afterEach(async () => {
  taken.close();
  await outside.stop();
  rmSync(directory, { recursive: true, force: true });
});

function brokerWith(change: (config: ConfigInput) => ConfigInput): Broker {
  const config = brokerConfig(outside, directory);
  const kept = {
    ...config,
    keys: { directory: join(directory, 'keys') },
    policy: { ...config.policy, snapshotFile: join(directory, 'policy.json') },
    http: { drainSeconds: 60, shutdownSeconds: 120 },
  };
  mkdirSync(join(directory, 'keys'));
  return createBroker({
    config: configSchema.parse(change(kept)),
    build: { version: '0.0.0-test', revision: 'unknown', node: process.version },
    logger: createLogger({ level: 'silent' }),
    clock,
    eventLoopDelayMs: () => 0,
  });
}

const listeningSockets = () =>
  process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap').length;

async function expectNothingLeft(listeningBefore: number): Promise<void> {
  expect([...timers]).toEqual([]);
  expect(listeningSockets()).toBe(listeningBefore);
  const { log } = fileLog(join(directory, 'audit'));
  await log.start();
  await log.stop();
}

const port = () => (taken.address() as { port: number }).port;
const withTls = (name: 'api' | 'admin' | 'ops', files: { cert?: string; key?: string }) => {
  const tls = { certFile: join(directory, 'tls.crt'), keyFile: join(directory, 'tls.key') };
  if (files.cert !== undefined) writeFileSync(tls.certFile, files.cert);
  if (files.key !== undefined) writeFileSync(tls.keyFile, files.key);
  return (config: ConfigInput): ConfigInput => ({
    ...config,
    listeners: { ...config.listeners, [name]: { port: 0, tls } },
  });
};
const withTakenPort = (name: 'api' | 'admin' | 'ops') => (config: ConfigInput) => ({
  ...config,
  listeners: { ...config.listeners, [name]: { port: port() } },
});

describe('a step of the start that fails is named, with its file, and leaves nothing behind (T80)', () => {
  const listeners = ['api', 'admin', 'ops'] as const;
  const [own, other] = [selfSigned('own'), selfSigned('other')];
  const failures: readonly [
    setting: string,
    reason: string,
    change: () => (config: ConfigInput) => ConfigInput,
    file: () => string,
  ][] = [
    [
      'audit.directory',
      'a file in its place',
      () => (config) => {
        writeFileSync(join(directory, 'audit'), '');
        return config;
      },
      () => join(directory, 'audit'),
    ],
    ...listeners.flatMap((name): typeof failures => [
      [`listeners.${name}`, 'port is taken', () => withTakenPort(name), () => String(port())],
      [
        `listeners.${name}.tls.certFile`,
        'is not there',
        () => withTls(name, { key: own.key }),
        () => join(directory, 'tls.crt'),
      ],
      [
        `listeners.${name}.tls.keyFile`,
        'is of another certificate',
        () => withTls(name, { cert: own.cert, key: other.key }),
        () => join(directory, 'tls.key'),
      ],
      [
        `listeners.${name}.tls.keyFile`,
        'is empty',
        () => withTls(name, { cert: own.cert, key: '' }),
        () => join(directory, 'tls.key'),
      ],
    ]),
  ];

  it.each(failures)('%s %s', async (setting, _reason, change, file) => {
    const broker = brokerWith(change());
    const before = listeningSockets();
    const error = await broker.start().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ name: 'StartError', setting });
    expect((error as Error).message).toContain(file());
    if (setting === 'audit.directory') rmSync(join(directory, 'audit'));
    await expectNothingLeft(before);
  });
});

describe('stop() while the start', () => {
  it.each(['keys', 'policy'] as const)('waits for %s ends both at once (T80)', async (setting) => {
    const deaf = await startOddBroker(() => undefined);
    const broker = brokerWith((config) => {
      if (setting === 'policy')
        return { ...config, policy: { ...config.policy, endpoint: deaf.url } };
      const userPools = config.identity.userPools?.map((pool) => ({ ...pool, jwksUri: deaf.url }));
      return { ...config, identity: { ...config.identity, userPools } };
    });
    const before = listeningSockets();
    const started = broker.start();
    started.catch(() => undefined);
    // Keys are stored once they are at hand.
    const others = () => setting === 'keys' || readdirSync(join(directory, 'keys')).length > 0;
    while (deaf.requests.length === 0 || !others()) await turn();
    await broker.stop();
    await expect(started).rejects.toMatchObject({ name: 'StartError', setting });
    await expectNothingLeft(before);
    await deaf.stop();
  });

  it('is at any point of its way ends both, and nothing listens (T80)', async () => {
    const outcomes = new Set<string>();
    const before = listeningSockets();
    const growth = 1 + 40 / portion(100);
    for (let turns = 0; !outcomes.has('served'); turns = Math.ceil(turns * growth + 0.5)) {
      rmSync(join(directory, 'keys'), { recursive: true, force: true });
      const broker = brokerWith((config) => ({
        ...config,
        http: { drainSeconds: 0, shutdownSeconds: 1 },
      }));
      const started = broker.start().then(
        () => 'served',
        (error: Error) => error.name,
      );
      for (let count = 0; count < turns; count += 1) await turn();
      let stopped = false;
      const stopping = broker.stop().then(() => {
        stopped = true;
      });
      // No further: a step that is being undone must not run into its deadline.
      while (!stopped) await stillClock.advance(0);
      await stopping;
      outcomes.add(await started);
      await expectNothingLeft(before);
    }
    expect(outcomes).toEqual(new Set(['StartError', 'served']));
  });
});

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
