/** `npm run local` in a process of its own, on free ports and in an empty directory. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readyFileOf, startDaemon } from './daemon.js';

const main = fileURLToPath(new URL('../build/emulators/main.js', import.meta.url));
const requestTimeoutMs = 10_000;

/**
 * `{ urls, clients, token(client), stop() }`; the clients are the names of those that `npm run local` lists and that get tokens
 * for themselves.
 */
export async function startLocalStack() {
  const directory = mkdtempSync(join(tmpdir(), 'token-broker-conformance-'));
  const readyFile = join(directory, 'ready.json');
  const logFile = join(directory, 'local.log');
  const local = startDaemon(
    process.execPath,
    [main, 'local', '--port', '0', '--ready-file', readyFile, '--state', join(directory, 'state')],
    { logFile },
  );
  const stop = async () => {
    await local.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const { clients, tokenEndpoint, ...urls } = await readyFileOf(local, readyFile);
    return {
      urls,
      clients: clients.filter(({ clientSecret }) => clientSecret).map(({ name }) => name),
      token: (name) => fetchToken(tokenEndpoint, clients, name),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
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
