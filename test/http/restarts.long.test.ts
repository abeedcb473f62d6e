/**
 * Services whose SDKs hold valid credentials do not notice that the broker is killed and comes back.
 *
 * AWS gives no session of less than 15 minutes, so the time of day runs fast, everywhere alike: sessions last ten
 * seconds, and SDKs renew them. The long form is `npm run conformance:sdks -- --only restarts`.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as realTime } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { brokerConfig, seededTable } from '../support/broker-fixture.ts';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import {
  allow,
  type ClientName,
  clients,
  type OutsideWorld,
  roleNamed,
  startOutsideWorld,
} from '../support/outside-world.ts';
import {
  type CallFailure,
  type CrowdResult,
  fastTime,
  type SdkCrowd,
  runSeconds as seconds,
  startSdkCrowd,
} from '../support/sdk-crowd.ts';

const factor = 90;
const pauseMs = 3_000;
/** A second of real time is enough for a call. */
const enoughMs = 1_000 * factor;

const { clock, env } = fastTime(factor);
const session = { durationSeconds: 900 };
const mappings = [
  allow('orders-writer', 'orders', { session }),
  allow('reports-reader', 'reports', { session }),
  allow('deployer', 'admin', { session }),
];
const directory = mkdtempSync(join(tmpdir(), 'token-broker-restarts-'));
const crowds: SdkCrowd[] = [];
let outside: OutsideWorld;
let broker: BrokerProcess;

beforeAll(async () => {
  const roles = mappings.map(({ role }) => role);
  outside = await startOutsideWorld({ clock, users: [], roles, stsLatencyMs: 0 });
  const { client } = await seededTable(outside, clock, mappings);
  client.destroy();
  broker = await startBrokerProcess(directory, config(), { env });
});

afterAll(async () => {
  for (const { child } of crowds) child.kill('SIGKILL');
  broker.signal('SIGKILL');
  await broker.exit;
  await outside.stop();
  rmSync(directory, { recursive: true, force: true });
});

const config = () => ({
  ...brokerConfig(outside, directory),
  keys: { directory: join(directory, 'keys') },
});

/** Comes back on the ports that it had. */
async function killAndRestart(): Promise<void> {
  const taken = Object.entries(broker.urls).map(([name, url]) => [
    name,
    { port: Number(new URL(url).port) },
  ]);
  const listeners = { ...config().listeners, ...Object.fromEntries(taken) };
  broker.signal('SIGKILL');
  await broker.exit;
  broker = await startBrokerProcess(directory, { ...config(), listeners }, { env });
}

/** In a file, as the only thing that services know of the broker besides its address. */
function tokenFile(name: ClientName, scheme = ''): string {
  const { clientId } = clients[name];
  const token = outside.issuer.issueAccessToken({ clientId, expiresInSeconds: 86_400 });
  const file = join(directory, `${name}.token`);
  writeFileSync(file, scheme + token);
  return file;
}

function startClients(): SdkCrowd[] {
  const { api } = broker.urls;
  const common = { ...env, IDENTITY_URL: outside.sts.url };
  return [
    startSdkCrowd(20, {
      ...common,
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${api}/v1/credentials`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: tokenFile('orders', 'Bearer '),
    }),
    startSdkCrowd(20, {
      ...common,
      AWS_ENDPOINT_URL_STS: `${api}/sts`,
      AWS_ROLE_ARN: roleNamed('reports-reader'),
      AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile('reports'),
    }),
    startSdkCrowd(10, { ...common, BROKER_URL: api, TOKEN_FILE: tokenFile('admin') }),
  ];
}

it(
  'no call of 50 SDK clients with valid credentials fails while the broker is killed and restarted',
  async () => {
    crowds.push(...startClients());
    await Promise.all(crowds.map(({ ready }) => ready));
    const endsAt = performance.now() + seconds * 1000;
    let kills = 0;
    // Two at least, however long a start takes here.
    for (; kills < 2 || performance.now() + pauseMs < endsAt; kills += 1) {
      await realTime(pauseMs);
      await killAndRestart();
    }
    await realTime(Math.max(0, endsAt - performance.now()));
    const results = await Promise.all(crowds.map((crowd) => crowd.stop()));

    report(kills, results);
    expect(failuresOf(results).filter(hadCredentials)).toEqual([]);
    for (const { calls, renewals } of results) {
      expect(calls).toBeGreaterThan(seconds * 10);
      expect(renewals).toBeGreaterThan(0);
    }
  },
  (seconds + 60) * 1000,
);

function failuresOf(results: readonly CrowdResult[]): readonly CallFailure[] {
  return results.flatMap(({ failures }) => failures);
}

/** Its credentials were valid throughout, or had as long to go as a call needs. */
function hadCredentials({ leftAtStartMs, leftAtEndMs }: CallFailure): boolean {
  return leftAtEndMs > 0 || leftAtStartMs > enoughMs;
}

function report(kills: number, results: readonly CrowdResult[]): void {
  const [container, sts, library] = results.map(
    ({ calls, renewals }) => `${calls} calls and ${renewals} renewals`,
  );
  const ended = failuresOf(results).filter((failure) => !hadCredentials(failure)).length;
  process.stderr.write(
    `restarts: ${kills} kills in ${seconds} s; container ${container}, STS ${sts}, library ${library}; ${ended} calls failed after the credentials had ended\n`,
  );
}
