/** A process that runs until it is stopped, with all that it says in a file. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const startTimeoutMs = 30_000;
const stopTimeoutMs = 15_000;

/** `{ running, said(), stop() }`; `running` turns false when it ends by itself, or cannot be started. */
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
  const deadline = performance.now() + startTimeoutMs;
  while (performance.now() < deadline && daemon.running) {
    try {
      return JSON.parse(readFileSync(readyFile, 'utf8'));
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    await sleep(50);
  }
  throw new Error(`it did not start:\n${daemon.said()}`);
}
