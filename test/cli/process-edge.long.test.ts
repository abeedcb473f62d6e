/** What the process does when the world around it is not as it hoped. */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../src/core/clock.ts';
import { fileLog, newDirectory, removeDirectories, writtenLog } from '../audit/audit-fixture.ts';
import { brokerConfig, type ConfigInput, seededTable } from '../support/broker-fixture.ts';
import { startBrokerProcess } from '../support/broker-process.ts';
import { defaultMappings, type OutsideWorld, startOutsideWorld } from '../support/outside-world.ts';
import { sendRaw } from '../support/raw-http.ts';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
afterEach(removeDirectories);

/** Runs a command whose reader has gone before it writes anything. */
function runUnread(...args: readonly string[]): Promise<{ code: number | null; err: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let err = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    child.once('close', (code) => resolve({ code, err }));
  });
}

describe('a command whose output nobody reads to its end, as in `… | head -1`', () => {
  it('ends as if it had been read, and prints no stack', async () => {
    const log = await writtenLog(3);
    expect(await runUnread('audit', 'find', '--directory', log)).toEqual({ code: 0, err: '' });
    expect(await runUnread('--help')).toEqual({ code: 0, err: '' });
  });
});

describe('serve', () => {
  let directory: string;
  let outside: OutsideWorld;
  let config: ConfigInput;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'token-broker-test-'));
    const roles = defaultMappings.map(({ role }) => role);
    outside = await startOutsideWorld({ clock: systemClock, users: [], roles, stsLatencyMs: 0 });
    const { client } = await seededTable(outside, systemClock, defaultMappings);
    client.destroy();
    config = { ...brokerConfig(outside, directory), http: { drainSeconds: 0 } };
  });
  afterEach(async () => {
    await outside.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it('ends with 1, and lets go of everything, if it cannot say that it is ready', async () => {
    const readyFile = join(directory, 'missing', 'ready.json');
    const start = startBrokerProcess(directory, config, { readyFile });
    await expect(start).rejects.toThrow(/ended with 1: .*ENOENT.*cannot start/s);
    const { log } = fileLog(config.audit.directory ?? newDirectory());
    await log.start();
    await log.stop();
  });

  it('goes on answering when nobody reads its log any more', async () => {
    const broker = await startBrokerProcess(directory, config);
    broker.readLog(false);
    const answers = 500;
    const refused = 'GET /nowhere HTTP/1.1\r\nHost: broker\r\n\r\n'.repeat(answers);
    // About four times what the pipe, and the buffers around it, can hold.
    for (let round = 0; round < 12; round += 1)
      await sendRaw(broker.urls.api, refused, { answers });
    broker.readLog(true);
    broker.signal('SIGTERM');
    expect(await broker.exit).toBe(0);
    expect(broker.logText.split('\n').at(-2)).toContain('"stopped"');
  });
});
