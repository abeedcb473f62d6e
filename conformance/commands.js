/** Programs that the conformance suites run: found or not, under a deadline, and never left behind. */

import { spawn, spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';

const running = new Set();
let interrupted = false;
const shownLines = 40;

export class CommandError extends Error {}

/** First line of what `command` says of its version; undefined if it cannot be run. */
export function versionOf(command, args) {
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    cwd: tmpdir(),
    encoding: 'utf8',
    timeout: 30_000,
  });
  if (error !== undefined || status !== 0) return undefined;
  return `${stdout}${stderr}`.trim().split('\n')[0];
}

/** Standard output of a command that ends well in time; what it said otherwise is in the error. */
export async function run(command, args, options) {
  const { ok, end, out, all } = await outcomeOf(command, args, options);
  if (ok) return out;
  const said = all.trimEnd().split('\n').slice(-shownLines);
  throw new CommandError([`"${[command, ...args].join(' ')}" ${end}:`, ...said].join('\n  '));
}

/** How a command ended, and what it said: `{ ok, end, out, err, all }`. Rejects only if it cannot be run. */
export function outcomeOf(command, args, { cwd, env = {}, timeoutMs }) {
  if (interrupted) return Promise.reject(new CommandError('interrupted'));
  return new Promise((resolve, reject) => {
    // A group of its own: build tools start processes that outlive them.
    const child = spawn(command, args, {
      cwd,
      detached: true,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    const [out, err, all] = [[], [], []];
    child.stdout.on('data', (chunk) => {
      out.push(chunk);
      all.push(chunk);
    });
    child.stderr.on('data', (chunk) => {
      err.push(chunk);
      all.push(chunk);
    });
    let timedOut = false;
    const deadline = setTimeout(() => {
      timedOut = true;
      killGroup(child);
    }, timeoutMs);
    child.once('error', (error) => {
      clearTimeout(deadline);
      running.delete(child);
      reject(new CommandError(`${command} cannot be run: ${error.message}`));
    });
    child.once('close', (code, signal) => {
      clearTimeout(deadline);
      running.delete(child);
      const end = timedOut
        ? `took more than ${timeoutMs / 1000} s`
        : `ended with ${signal ?? code}`;
      const [outText, errText, allText] = [out, err, all].map((chunks) =>
        Buffer.concat(chunks).toString('utf8'),
      );
      resolve({ ok: code === 0, end, out: outText, err: errText, all: allText });
    });
  });
}

/** Ends what runs, and lets nothing more begin. */
export function interrupt() {
  interrupted = true;
  for (const child of running) killGroup(child);
}

function killGroup({ pid }) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
