/** `npm run local` in a process of its own, on free ports and in an empty directory. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../build/emulators/main.js', import.meta.url));
const startTimeoutMs = 30_000;
const stopTimeoutMs = 15_000;
const requestTimeoutMs = 10_000;

/** `{ urls, token(client), stop() }`; the clients are those that `npm run local` lists. */
export async function startLocalStack() {
  const directory = mkdtempSync(join(tmpdir(), 'token-broker-conformance-'));
  const readyFile = join(directory, 'ready.json');
  const logFile = join(directory, 'local.log');
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(
    process.execPath,
    [main, 'local', '--port', '0', '--ready-file', readyFile, '--state', join(directory, 'state')],
    { stdio: ['ignore', log, log] },
  );
  const stop = async () => {
    await stopProcess(child);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const { clients, tokenEndpoint, ...urls } = await whenReady(child, readyFile, logFile);
    return { urls, token: (name) => fetchToken(tokenEndpoint, clients, name), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function whenReady(child, readyFile, logFile) {
  const deadline = performance.now() + startTimeoutMs;
  while (performance.now() < deadline && child.exitCode === null && child.signalCode === null) {
    try {
      return JSON.parse(readFileSync(readyFile, 'utf8'));
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    await sleep(50);
  }
  throw new Error(`the local stack did not start:\n${readFileSync(logFile, 'utf8')}`);
}

async function fetchToken(tokenEndpoint, clients, name) {
  const { clientId, clientSecret, scope } = clients.find((client) => client.name === name);
  const response = await fetch(tokenEndpoint, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`,
    },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope }),
    signal: AbortSignal.timeout(requestTimeoutMs),
  });
  if (!response.ok) throw new Error(`the issuer answered ${response.status}`);
  return (await response.json()).access_token;
}

async function stopProcess(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const kill = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
  await ended;
  clearTimeout(kill);
}
