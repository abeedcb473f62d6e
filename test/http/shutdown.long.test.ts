/** The real process, told to end while it is working. */

import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { verifyAuditLog } from '../../src/audit/verify.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { brokerConfig, linesIn, seededTable } from '../support/broker-fixture.ts';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import {
  clients,
  defaultMappings,
  type OutsideWorld,
  startOutsideWorld,
} from '../support/outside-world.ts';
import { until } from '../support/until.ts';

let directory: string;
let outside: OutsideWorld;
let broker: BrokerProcess;
let agent: Agent;

interface Pace {
  readonly stsLatencyMs: number;
  readonly drainSeconds: number;
}

async function start({ stsLatencyMs, drainSeconds }: Pace): Promise<void> {
  const roles = defaultMappings.map(({ role }) => role);
  outside = await startOutsideWorld({ clock: systemClock, users: [], roles, stsLatencyMs });
  const { client } = await seededTable(outside, systemClock, defaultMappings);
  client.destroy();
  const config = brokerConfig(outside, directory);
  broker = await startBrokerProcess(directory, { ...config, http: { drainSeconds } });
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'token-broker-test-'));
  agent = new Agent({ keepAlive: true, maxSockets: 20 });
});
afterEach(async () => {
  agent.destroy();
  broker.signal('SIGTERM');
  await broker.exit;
  await outside.stop();
  rmSync(directory, { recursive: true, force: true });
});

function ask(url: string, path: string, authorization?: string) {
  return new Promise<{ status: number; closes: boolean; text: string }>((resolve, reject) => {
    const method = authorization === undefined ? 'GET' : 'POST';
    const headers = authorization === undefined ? {} : { authorization };
    const req = httpRequest(new URL(path, url), { agent, method, headers }, (res) => {
      let text = '';
      res.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      res.on('error', reject);
      res.on('end', () => {
        const closes = res.headers.connection === 'close';
        resolve({ status: res.statusCode ?? 0, closes, text });
      });
    });
    req.on('error', reject);
    req.end();
  });
}

const bearer = (name: 'orders' | 'reports') =>
  `Bearer ${outside.issuer.issueAccessToken({ clientId: clients[name].clientId })}`;

const records = () =>
  linesIn(join(directory, 'audit')).map((line) => JSON.parse(line) as { outcome?: string });

describe('SIGTERM under load', () => {
  it('loses no request, says not ready at once, and ends with 0', async () => {
    await start({ stsLatencyMs: 0, drainSeconds: 1.5 });
    const authorization = bearer('orders');
    const credentials = () => ask(broker.urls.api, '/v1/credentials', authorization);
    expect((await credentials()).status).toBe(200);

    const statuses: number[] = [];
    const closing: boolean[] = [];
    const worker = async () => {
      for (let count = 0; count < 20; count += 1) {
        const { status, closes } = await credentials();
        statuses.push(status);
        closing.push(closes);
        if (statuses.length === 60) broker.signal('SIGTERM');
      }
    };
    await Promise.all(Array.from({ length: 20 }, worker));
    const ready = await ask(broker.urls.ops, '/readyz');
    const alive = await ask(broker.urls.ops, '/livez');

    expect(statuses).toHaveLength(400);
    expect(new Set(statuses)).toEqual(new Set([200]));
    // Clients are asked to leave, so that none is on a connection that ends under it.
    expect(closing.at(-1)).toBe(true);
    expect([ready.status, ready.text]).toEqual([503, expect.stringContaining('[-]serving')]);
    expect(alive.status).toBe(200);
    expect(await broker.exit).toBe(0);
    expect(records().filter(({ outcome }) => outcome === 'issued')).toHaveLength(401);
    expect(await verifyAuditLog({ location: join(directory, 'audit') })).toMatchObject({
      intact: true,
    });
  });

  it('lets a request end that waits for STS while the listeners close', async () => {
    await start({ stsLatencyMs: 700, drainSeconds: 0.1 });
    const slow = ask(broker.urls.api, '/v1/credentials', bearer('orders'));
    await until(() => outside.sts.requests.length === 1);
    broker.signal('SIGINT');

    expect((await slow).status).toBe(200);
    expect(await broker.exit).toBe(0);
    await expect(ask(broker.urls.ops, '/livez')).rejects.toThrow('ECONNREFUSED');
  });
});
