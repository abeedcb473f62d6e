/** A process that runs until it is stopped, with all that it says in a file. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** One that cannot start ends and is noticed at once: this is for one that hangs, on a machine however busy. */
const startTimeoutMs = 120_000;
const stopTimeoutMs = 15_000;

/**
 * `{ running, endedWith, said(), stop() }`; `running` turns false when it ends by itself, or cannot be started, and `endedWith` is then
 * its exit code, or the signal.
 */
export function startDaemon(command, args, { logFile, env = {} }) {
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const ended = once(child, 'exit').catch(() => {});
  return {
    get running() {
      return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
    },
    get endedWith() {
      return child.exitCode ?? child.signalCode;
    },
    said: () => readFileSync(logFile, 'utf8'),
    async stop() {
      if (!this.running) return;
      child.kill('SIGTERM');
      const kill = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
      await ended;
      clearTimeout(kill);
    },
  };
}

/** What a command writes with `--ready-file` once it serves. */
export async function readyFileOf(daemon, readyFile) {
  const look = () => {
    try {
      return JSON.parse(readFileSync(readyFile, 'utf8'));
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
      return undefined;
    }
  };
  return await waitFor(look, { daemons: [daemon], otherwise: 'it did not start' });
}

/** What `look()` finds once it finds something; throws with all that the daemons have said when one ends first, or it takes too long. */
export async function waitFor(look, { daemons, otherwise, timeoutMs = startTimeoutMs }) {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline && daemons.every(({ running }) => running)) {
    const found = await look();
    if (found) return found;
    await sleep(50);
  }
  throw new Error(`${otherwise}:\n${daemons.map((daemon) => daemon.said()).join('')}`);
}
