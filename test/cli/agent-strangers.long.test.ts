/** The agent on a machine with other users: what they can do to its port, and what SDKs then find. */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startAgent } from '../../src/agent/agent.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { main, resultOf, runCommand, spawnNode } from '../support/command.ts';
import { isSuperuser } from '../support/hostile-files.ts';
import { createTestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';

let directory: string;
let authorizationFile: string;
const stops: (() => unknown)[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'agent-strangers-'));
  authorizationFile = join(directory, 'authorization');
});
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  rmSync(directory, { recursive: true, force: true });
});

/** A broker that is away: all of this is between the agent and those on its machine. */
function words(port = 0): readonly string[] {
  const tokenFile = join(directory, 'token');
  writeFileSync(tokenFile, 'a.b.c');
  return [
    ...['agent', '--broker', 'http://127.0.0.1:1', '--token-file', tokenFile],
    ...['--authorization-file', authorizationFile, '--port', `${port}`],
  ];
}

async function startProcess(): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const readyFile = join(directory, 'ready.json');
  const child = spawnNode([main, ...words(), '--ready-file', readyFile]);
  const result = resultOf(child);
  stops.push(() => child.kill('SIGKILL') && result);
  await Promise.race([until(() => existsSync(readyFile)), result]);
  const { url } = JSON.parse(readFileSync(readyFile, 'utf8')) as { readonly url: string };
  return { child, port: Number(new URL(url).port) };
}

describe('the authorization file', () => {
  it('goes with the agent, so that SDKs show nothing to whoever takes its port then (T93)', async () => {
    const { child } = await startProcess();
    expect(existsSync(authorizationFile)).toBe(true);
    child.kill('SIGTERM');
    await once(child, 'exit');
    expect(existsSync(authorizationFile)).toBe(false);
  });

  it('stays if another agent has written its own there since', async () => {
    const { child } = await startProcess();
    writeFileSync(authorizationFile, 'Bearer of-another-agent');
    child.kill('SIGTERM');
    await once(child, 'exit');
    expect(readFileSync(authorizationFile, 'utf8')).toBe('Bearer of-another-agent');
  });

  it('goes when the agent cannot say that it is ready (T93)', async () => {
    const nowhere = ['--ready-file', join(directory, 'missing', 'ready.json')];
    expect(await runCommand([...words(), ...nowhere])).toMatchObject({ code: 1 });
    expect(existsSync(authorizationFile)).toBe(false);
  });

  it('of an agent that runs is left by a second one that finds the port taken', async () => {
    const { port } = await startProcess();
    const before = readFileSync(authorizationFile, 'utf8');
    expect(await runCommand(words(port))).toMatchObject({ code: 1 });
    expect(readFileSync(authorizationFile, 'utf8')).toBe(before);
  });

  if (isSuperuser) {
    /** Somebody else's program. */
    async function squat(host: string, wanted = 0): Promise<number> {
      const server = createServer();
      process.seteuid?.(65_534);
      server.listen(wanted, host);
      await once(server, 'listening');
      process.seteuid?.(0);
      stops.push(() => new Promise((resolve) => server.close(resolve)));
      return (server.address() as { readonly port: number }).port;
    }

    it('left by a crash goes when somebody else has the port, and the ready file with it (T93)', async () => {
      const readyFile = join(directory, 'ready.json');
      for (const left of [authorizationFile, readyFile]) {
        writeFileSync(left, 'Bearer of-an-agent-that-crashed', { mode: 0o600 });
      }
      const port = await squat('127.0.0.1');
      expect(await runCommand([...words(port), '--ready-file', readyFile])).toMatchObject({
        code: 1,
      });
      expect([authorizationFile, readyFile].filter(existsSync)).toEqual([]);
    });

    it('of an agent that runs stays, wherever else on loopback somebody has its port (T354)', async () => {
      const { port } = await startProcess();
      const files = [authorizationFile, join(directory, 'ready.json')];
      for (let last = 2; last < 40; last += 1) await squat(`127.0.0.${last}`, port);
      const second = [...words(port), '--ready-file', join(directory, 'ready.json')];
      expect(await runCommand(second)).toMatchObject({ code: 1 });
      expect(files.filter(existsSync)).toEqual(files);
    });
  }
});

describe('connections that show no authorization', () => {
  async function started() {
    const clock = createTestClock(Date.now());
    const agent = await startAgent({
      broker: 'http://127.0.0.1:1',
      role: undefined,
      durationSeconds: undefined,
      tokens: { token: () => Promise.reject(new Error('away')) },
      port: 0,
      clock,
      logger: createLogger({ level: 'fatal' }),
    });
    stops.push(() => agent.stop());
    return { ...agent, clock, port: Number(new URL(agent.credentialsUrl).port) };
  }

  async function strangers(port: number, count: number): Promise<Set<Socket>> {
    const open = new Set<Socket>();
    const connecting = Array.from({ length: count }, async () => {
      const socket = connect(port, '127.0.0.1');
      stops.push(() => socket.destroy());
      socket.on('error', () => undefined).resume();
      socket.once('close', () => open.delete(socket));
      await once(socket, 'connect');
      open.add(socket);
    });
    await Promise.all(connecting);
    return open;
  }

  it('do not keep out who shows it, however many there are, and all but 32 are cut in a moment (T93)', async () => {
    const agent = await started();
    const open = await strangers(agent.port, 300);
    const headers = { authorization: agent.authorization };
    const { status } = await fetch(agent.credentialsUrl, { headers });
    // The broker is away: what counts is that the agent took the question.
    expect([403, 503]).toContain(status);
    while (open.size > 32) {
      await agent.clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(open.size).toBe(32);
  });

  it('end with their first answer (T93)', async () => {
    const agent = await started();
    const { status, headers } = await fetch(agent.credentialsUrl);
    expect({ status, connection: headers.get('connection') }).toEqual({
      status: 401,
      connection: 'close',
    });
  });
});
