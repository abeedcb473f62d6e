/** What the real process refuses to run with, and what it does not let itself be talked into while it runs. */

import { spawnSync } from 'node:child_process';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { brokerConfig, seededTable } from '../support/broker-fixture.ts';
import { startBrokerProcess } from '../support/broker-process.ts';
import { main } from '../support/command.ts';
import { defaultMappings, startOutsideWorld } from '../support/outside-world.ts';
import { until } from '../support/until.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'token-broker-test-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const pool = 'us-east-1_AbCdEf123';
const issuer = `https://cognito-idp.us-east-1.amazonaws.com/${pool}`;
const production = {
  profile: 'production',
  identity: { userPools: [{ pool, issuer, clients: ['one'] }] },
  policy: { table: 'role-mappings', region: 'us-east-1' },
  sts: { endpoints: [{ region: 'us-east-1' }] },
  audit: { directory: '/var/log/token-broker' },
};

interface Start {
  readonly config?: object;
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeOptions?: readonly string[];
}

/** Starts the process with nothing in its environment but `env`; it must end by itself. */
function serve({ config = {}, env = {}, nodeOptions = [] }: Start) {
  const file = join(directory, 'config.yaml');
  writeFileSync(file, JSON.stringify({ ...production, ...config }));
  const words = [...nodeOptions, main, 'serve', '--config', file];
  const { status, stderr } = spawnSync(process.execPath, words, {
    env,
    encoding: 'utf8',
    timeout: 30_000,
  });
  return { status, faults: stderr.split('\n') };
}

describe('serve in the production profile ends with 78 and names', () => {
  it('plaintext, loopback and addresses among its endpoints and listeners, and a missing audit log (T34, T35, T42, T47)', () => {
    const config = {
      listeners: { api: { host: '0.0.0.0' } },
      identity: {
        userPools: [
          { pool, issuer: 'https://localhost', jwksUri: 'https://10.0.0.1', clients: ['one'] },
        ],
      },
      policy: { ...production.policy, endpoint: 'http://table.example.com' },
      sts: { endpoints: [{ region: 'us-east-1', endpoint: 'http://sts.example.com' }] },
      audit: {},
    };
    const { status, faults } = serve({ config });
    expect(status).toBe(78);
    expect(faults).toEqual(
      expect.arrayContaining(
        [
          'identity.userPools.0.issuer: is no issuer of this pool',
          'identity.userPools.0.jwksUri: must be left out',
          'policy.endpoint: must be https',
          'sts.endpoints.0.endpoint: must be https',
          'listeners.api: would speak plain HTTP',
          'audit: needs a directory',
        ].map((fault) => expect.stringContaining(fault)),
      ),
    );
  });

  it('an empty list of app clients (T11)', () => {
    const { status, faults } = serve({
      config: { identity: { userPools: [{ pool, issuer, clients: [] }] } },
    });
    expect(status).toBe(78);
    expect(faults[0]).toContain('identity.userPools.0.clients: must list at least one app client');
  });

  it('administrators by app client alone, and says what to write instead (T56)', () => {
    const { status, faults } = serve({ config: { admin: { pool, clients: ['one'] } } });
    expect(status).toBe(78);
    expect(faults[0]).toContain(
      'admin: names nobody: add groups or users (by their "sub") of the pool for people, or machines: true',
    );
  });

  it('what its environment switches on: inspector, lenient parser, debug log, unchecked certificates (T33, T34, T36, T48)', () => {
    const { status, faults } = serve({
      env: {
        NODE_OPTIONS: '--inspect=0 --insecure-http-parser',
        NODE_DEBUG: 'http',
        NODE_TLS_REJECT_UNAUTHORIZED: '0',
      },
    });
    expect(status).toBe(78);
    expect(faults).toEqual(
      expect.arrayContaining(
        [
          'Node options open an inspector',
          'an inspector is open',
          'NODE_DEBUG puts requests',
          'switches certificate checks off',
        ].map((fault) => expect.stringContaining(fault)),
      ),
    );
  });

  it.each(['--inspect=0', '--heapsnapshot-signal=SIGUSR2', '--report-on-signal'])(
    '%s on its command line (T33, T48)',
    (option) => {
      const { status, faults } = serve({ nodeOptions: [option] });
      expect(status).toBe(78);
      expect(faults.join('\n')).toContain('Node options open an inspector, write secrets to files');
    },
  );
});

describe('a broker that is sent SIGUSR1', () => {
  it('opens no inspector, says so in its log, and goes on (T48)', async () => {
    const roles = defaultMappings.map(({ role }) => role);
    const outside = await startOutsideWorld({
      clock: systemClock,
      users: [],
      roles,
      stsLatencyMs: 0,
    });
    const { client } = await seededTable(outside, systemClock, defaultMappings);
    client.destroy();
    const broker = await startBrokerProcess(directory, brokerConfig(outside, directory));
    const ports = Object.values(broker.urls).map((url) => Number(new URL(url).port));

    broker.signal('SIGUSR1');
    await until(() => broker.logText.includes('SIGUSR1 ignored'));
    expect(listeningPorts(broker.pid)).toEqual(new Set(ports));
    expect((await fetch(`${broker.urls.ops}/livez`)).status).toBe(200);
    expect(broker.logText).not.toContain('Debugger');

    broker.signal('SIGTERM');
    expect(await broker.exit).toBe(0);
    await outside.stop();
  });
});

/** proc(5): /proc/[pid]/net/tcp has the sockets of the whole host, told apart by inode; state 0A is LISTEN. */
function listeningPorts(pid: number): ReadonlySet<number> {
  const own = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return []; // Closed since.
      }
    }),
  );
  const rows = ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'utf8').trim().split('\n').slice(1),
  );
  const columns = rows.map((row) => row.trim().split(/\s+/));
  return new Set(
    columns
      .filter(([, , , state, , , , , , inode = '']) => state === '0A' && own.has(inode))
      .map(([, local = '']) => Number.parseInt(local.split(':')[1] ?? '', 16)),
  );
}
