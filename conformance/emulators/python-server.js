/** An emulator of Python's in a process of its own, on a free port of loopback. */

import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startDaemon, waitFor } from '../daemon.js';
import { freePorts } from '../free-ports.js';
import { virtualEnvironment } from '../virtual-environment.js';

const pins = fileURLToPath(new URL('requirements.txt', import.meta.url));
const startMs = 60_000;

/** One for the emulator and the AWS CLI; its `bin`. */
export function emulatorsEnvironment(directory, say) {
  cpSync(pins, join(directory, 'requirements.txt'));
  return virtualEnvironment(directory, say);
}

/** `start(port)` gives `{ command, args, env }`. Calls `use(url)` while it runs. */
export async function withServer({ directory, start }, use) {
  const [port] = await freePorts(1);
  const { command, args = [], env = {} } = start(port);
  const daemon = startDaemon(command, args, { logFile: join(directory, 'server.log'), env });
  try {
    const url = `http://127.0.0.1:${port}`;
    const otherwise = `${command} did not start`;
    await waitFor(() => answers(url), { daemons: [daemon], otherwise, timeoutMs: startMs });
    return await use(url);
  } finally {
    await daemon.stop();
  }
}

async function answers(url) {
  const asked = fetch(url, { signal: AbortSignal.timeout(5_000) });
  return await asked.then(
    () => true,
    () => false,
  );
}
