/**
 * As first-event.long.test.ts: alerts of brokers that issue tokens and need second administrators, of one that starts on a
 * bad day, and of `cloudtrail watch`.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type KmsServer, startKmsServer } from '../../emulators/kms/kms-server.ts';
import { roleMappingSchema } from '../../src/core/policy/role-mapping.ts';
import type { RoleMappingTable } from '../../src/dynamodb/role-mapping-table.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { event } from '../cloudtrail/trail-fixture.ts';
import { deliver, minute, record } from '../cloudtrail/watcher-fixture.ts';
import { brokerConfig, type ConfigInput, seededTable } from '../support/broker-fixture.ts';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { audience, issuer, kmsKey } from '../support/issuing-broker.ts';
import {
  allow,
  clients,
  defaultMappings,
  type OutsideWorld,
  pool,
  signingKeys,
  startOutsideWorld,
} from '../support/outside-world.ts';
import { type Prometheus, startPrometheus } from '../support/prometheus.ts';
import { until } from '../support/until.ts';

const grace = {
  username: 'grace',
  sub: '7d8e2a5c-3333-4222-8333-944445555666',
  groups: ['admins', 'incident'],
};
const inTime = 60_000;
let directory: string;
let prometheus: Prometheus;
/** What was started, also where a later step failed. */
const ends: (() => unknown)[] = [];

function begin(): void {
  directory = mkdtempSync(join(tmpdir(), 'token-broker-alerts-'));
  ends.push(() => rmSync(directory, { recursive: true, force: true }));
}

async function scrape(...urls: string[]): Promise<void> {
  prometheus = await startPrometheus(join(directory, 'prometheus'), ...urls);
  ends.push(() => prometheus.stop());
  while ((await prometheus.query('sum(up)'))[0] !== urls.length);
}

async function end(): Promise<void> {
  for (const one of ends.splice(0).reverse()) await one();
}

async function isFiring(name: string): Promise<boolean> {
  return (await prometheus.firing()).some(({ labels }) => labels['alertname'] === name);
}

describe('of brokers', () => {
  let outside: OutsideWorld;
  let kms: KmsServer;
  let table: RoleMappingTable;
  let broker: BrokerProcess;
  beforeAll(async () => {
    begin();
    const roles = defaultMappings.map(({ role }) => role);
    const world = { clock: systemClock, users: [grace], roles, stsLatencyMs: 0 };
    outside = await startOutsideWorld(world);
    ends.push(() => outside.stop());
    const seeded = await seededTable(outside, systemClock, defaultMappings);
    ends.push(() => seeded.client.destroy());
    table = seeded.table;
    kms = await startKmsServer('rsa', signingKeys().current.id.privateKeyPem);
    ends.push(() => kms.stop());
    broker = await start('prompt', 0.1);
    const slow = await start('slow', 5);
    const lost = await startOn('lost', (config) => ({
      ...config,
      policy: { ...config.policy, endpoint: 'http://127.0.0.1:1' },
      audit: { ...config.audit, reserveBytes: mostOfTheDisk() },
    }));
    await scrape(broker.urls.ops, slow.urls.ops, lost.urls.ops);
  });
  afterAll(end);

  function start(name: string, pollSeconds: number): Promise<BrokerProcess> {
    return startOn(name, (config) => ({
      ...config,
      listeners: { ...config.listeners, identity: { port: 0 } },
      policy: { ...config.policy, pollSeconds },
      webIdentity: {
        issuer,
        audience,
        default: 'broker',
        signTimeoutMs: 10_000,
        keys: { current: kmsKey(kms) },
        serveDocuments: true,
      },
      admin: { pool, clients: [clients.admin.clientId], groups: ['admins'] },
      guardrails: { approval: { when: 'widens', breakGlass: ['incident'] } },
    }));
  }

  async function startOn(
    name: string,
    configure: (config: ConfigInput) => ConfigInput,
  ): Promise<BrokerProcess> {
    const own = join(directory, name);
    mkdirSync(own);
    const started = await startBrokerProcess(own, configure(brokerConfig(outside, own)));
    ends.push(() => {
      started.signal('SIGKILL');
      return started.exit;
    });
    return started;
  }

  /** So much that what is free is less than twice that. */
  function mostOfTheDisk(): number {
    const { bavail, bsize } = statfsSync(directory);
    return Math.floor(bavail * bsize * 0.8);
  }

  async function issue(): Promise<void> {
    const token = outside.issuer.issueAccessToken({ clientId: clients.orders.clientId });
    const answer = await fetch(`${broker.urls.api}/v1/credentials`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    });
    await answer.arrayBuffer();
  }

  async function breakGlass(): Promise<void> {
    const { clientId, scopes } = clients.admin;
    const token = outside.issuer.issueAccessToken({ clientId, user: grace.username, scopes });
    const answer = await fetch(`${broker.urls.admin}/v1/role-mappings/wide?breakGlass=true`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'if-none-match': '*',
        'change-reason': 'INC-1',
      },
      body: JSON.stringify(allow('wide', 'stranger')),
    });
    expect([answer.status, await answer.text()]).toEqual([201, expect.anything()]);
  }

  it(
    'one without a policy, and without much of a disk, is two alerts (T192)',
    async () => {
      await prometheus.fires('TokenBrokerNoPolicy');
      await prometheus.fires('TokenBrokerAuditDiskFilling');
    },
    inTime,
  );

  it.each([
    [
      'a key that KMS does not sign with',
      () => kms.behave({ error: 'DisabledException' }),
      'TokenBrokerTokensNotSigned',
    ],
    ['a signature that is none', () => kms.behave('forge'), 'TokenBrokerSignerLies'],
  ])(
    '%s is an alert at its first event (T192)',
    async (_, behave, name) => {
      expect(await isFiring(name)).toBe(false);
      behave();
      await issue();
      kms.behave('answer');
      await prometheus.fires(name);
    },
    inTime,
  );

  it(
    'an edit without its second administrator is an alert at its first event (T192)',
    async () => {
      expect(await isFiring('TokenBrokerBreakGlass')).toBe(false);
      await breakGlass();
      await prometheus.fires('TokenBrokerBreakGlass');
    },
    inTime,
  );

  it(
    'an instance that does not follow edits is an alert (T192)',
    async () => {
      // One edit may come right before it looks: so there is always another.
      for (let edit = 1; !(await isFiring('TokenBrokerInstancesDisagree')); edit += 1) {
        const mapping = roleMappingSchema.parse(allow(`edit-${edit}`, 'stranger'));
        const why = { actor: 'test', reason: 'made for a test' };
        await table.write({ id: mapping.id, expectedVersion: 'absent', mapping, ...why });
      }
    },
    inTime,
  );
});

describe('of the watcher of a trail', () => {
  const now = Math.floor(systemClock.now() / 1000) * 1000;
  let trail: string;
  beforeAll(async () => {
    begin();
    trail = join(directory, 'trail');
    const audit = join(directory, 'audit');
    for (const folder of [trail, audit]) mkdirSync(folder);
    await record(audit, 'A', now - 60 * minute);
    writeFileSync(join(trail, 'lines.jsonl'), 'no record\n{}\n');
    const url = await startWatcher(audit);
    const page = async () => (await fetch(`${url}/metrics`)).text();
    await until(async () => /^tokenbroker_cloudtrail_unreadable_total [1-9]/m.test(await page()));
    await scrape(url);
  });
  afterAll(end);

  async function startWatcher(audit: string): Promise<string> {
    const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
    const options = ['--audit', audit, '--trail', trail, '--state', join(directory, 'state.json')];
    const child: ChildProcess = spawn(
      process.execPath,
      [main, 'cloudtrail', 'watch', ...options, '--every', '1s', '--port', '0'],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const exit = new Promise((resolve) => child.once('close', resolve));
    ends.push(() => {
      child.kill('SIGTERM');
      return exit;
    });
    if (child.stderr === null) throw new Error('there is no log');
    for await (const line of createInterface(child.stderr)) {
      const url = /"url":"(http[^"]+)"/.exec(line)?.[1];
      if (url !== undefined) return url;
    }
    throw new Error('the watcher does not listen');
  }

  it(
    'what it could not read before it was scraped is an alert (T192)',
    () => prometheus.fires('TokenBrokerTrailUnwatched'),
    inTime,
  );

  it(
    'the first session past the brokers is an alert (T192)',
    async () => {
      expect(await isFiring('TokenBrokerBypassed')).toBe(false);
      deliver(trail, event('X', now - 30 * minute));
      await prometheus.fires('TokenBrokerBypassed', { class: 'bypass' });
    },
    inTime,
  );
});
