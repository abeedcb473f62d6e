/** What the process does when the world around it is not as it hoped. */

import { spawn } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { fileLog, newDirectory, removeDirectories, writtenLog } from '../audit/audit-fixture.ts';
import { brokerConfig, type ConfigInput, seededTable } from '../support/broker-fixture.ts';
import { startBrokerProcess } from '../support/broker-process.ts';
import { startOddBroker } from '../support/odd-broker.ts';
import { defaultMappings, type OutsideWorld, startOutsideWorld } from '../support/outside-world.ts';
import { sendRaw } from '../support/raw-http.ts';
import { selfSigned } from '../support/self-signed.ts';
import { until } from '../support/until.ts';

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
    // What drains although nothing was served runs into the time limit of the test.
    config = { ...brokerConfig(outside, directory), http: { drainSeconds: 60 } };
  });
  afterEach(async () => {
    await outside.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it('says that it is ready in a file of its own, whatever lies beside or in its place (T91)', async () => {
    const victim = join(directory, 'victim');
    const readyFile = join(directory, 'ready.json');
    writeFileSync(victim, 'precious', { mode: 0o666 });
    for (const planted of [readyFile, `${readyFile}.tmp`]) symlinkSync(victim, planted);
    const quick = { ...config, http: { drainSeconds: 0 } };
    const broker = await startBrokerProcess(directory, quick, { readyFile });
    broker.signal('SIGTERM');
    expect(await broker.exit).toBe(0);
    expect(broker.urls.api).toMatch(/^http:/);
    expect(readFileSync(victim, 'utf8')).toBe('precious');
    expect(lstatSync(readyFile).isFile()).toBe(true);
    expect(lstatSync(readyFile).mode & 0o777).toBe(0o600);
  });

  it('ends with 1, and lets go of everything, if it cannot say that it is ready', async () => {
    const readyFile = join(directory, 'missing', 'ready.json');
    const start = startBrokerProcess(directory, config, { readyFile });
    await expect(start).rejects.toThrow(/ended with 1: .*ENOENT.*cannot start/s);
    const { log } = fileLog(config.audit.directory ?? newDirectory());
    await log.start();
    await log.stop();
  });

  it('ends, names the listener and lets go of everything, if its port is taken (T80)', async () => {
    const taken = await startOddBroker(() => undefined);
    const port = Number(new URL(taken.url).port);
    const listeners = { ...config.listeners, ops: { port } };
    const said = new RegExp(`ended with 1: .*"setting":"listeners.ops".*EADDRINUSE.*:${port}`, 's');
    await expect(startBrokerProcess(directory, { ...config, listeners })).rejects.toThrow(said);
    await taken.stop();
    const { log } = fileLog(config.audit.directory ?? newDirectory());
    await log.start();
    await log.stop();
  });

  const pair = selfSigned('own');
  it.each<['certFile' | 'keyFile', string, { cert?: string; key?: string }]>([
    ['certFile', 'is not there', { key: pair.key }],
    ['keyFile', 'is of another certificate', { cert: pair.cert, key: selfSigned('other').key }],
  ])(
    'ends with 78 before it opens anything, if a %s %s, and names it (T80)',
    async (which, _how, files) => {
      const tls = { certFile: join(directory, 'tls.crt'), keyFile: join(directory, 'tls.key') };
      if (files.cert !== undefined) writeFileSync(tls.certFile, files.cert);
      if (files.key !== undefined) writeFileSync(tls.keyFile, files.key);
      const listeners = { ...config.listeners, admin: { port: 0, tls } };
      const start = startBrokerProcess(directory, { ...config, listeners });
      const file = tls[which];
      await expect(start).rejects.toThrow(`listeners.admin.tls.${which}: on this host, ${file} `);
      await expect(start).rejects.toThrow('ended with 78');
      expect(existsSync(config.audit.directory ?? '')).toBe(false);
    },
  );

  it.each(['keys', 'policy'])(
    'obeys SIGTERM while its start waits for %s, and says what it waited for (T80)',
    async (setting) => {
      const deaf = await startOddBroker(() => undefined);
      const slow: ConfigInput =
        setting === 'policy'
          ? { ...config, policy: { ...config.policy, endpoint: deaf.url } }
          : {
              ...config,
              identity: {
                ...config.identity,
                userPools: config.identity.userPools?.map((pool) => ({
                  ...pool,
                  jwksUri: deaf.url,
                })),
              },
            };
      const file = join(directory, 'slow.yaml');
      writeFileSync(file, JSON.stringify(slow));
      const child = spawn(process.execPath, [main, 'serve', '--config', file], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let log = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        log += text;
      });
      const ended = new Promise((resolve) =>
        child.once('close', (code, signal) => resolve(code ?? signal)),
      );
      await until(() => deaf.requests.length > 0);
      child.kill('SIGTERM');
      // On a busy machine the time for ending by itself may be over first.
      expect([0, 'SIGKILL']).toContain(await ended);
      expect(log).toContain('stopped before it served');
      await deaf.stop();
    },
  );

  it('goes on answering when nobody reads its log any more', async () => {
    const broker = await startBrokerProcess(directory, { ...config, http: { drainSeconds: 0 } });
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
