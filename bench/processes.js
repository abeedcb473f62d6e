/** Child processes of the benchmark: started on a core of their own where the system allows it, measured, ended. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

export const canPin = availableParallelism() > 1 && spawnSync('taskset', ['-V']).status === 0;

/** What is measured runs on this Node, whichever measures. */
export const measuredNode = process.env.BENCH_NODE ?? process.execPath;
export const measuredVersion = String(spawnSync(measuredNode, ['-v']).stdout).trim();

/** A benchmark that fails leaves nobody behind. */
const running = new Set();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Node on one core: 0 for what is measured, 1 for what measures. */
export function startNode(core, args, { env = {}, ...options } = {}) {
  const node = core === 0 ? measuredNode : process.execPath;
  const [command, ...rest] = canPin
    ? ['taskset', '-c', String(core), node, ...args]
    : [node, ...args];
  const child = spawn(command, rest, { ...options, env: { ...process.env, ...env } });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** Options of Node for a process whose whole life is profiled, where a directory is given for that. */
export function profiling(directory) {
  return directory === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${directory}`];
}

export async function stopProcess(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const kill = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await ended;
  clearTimeout(kill);
}

export async function firstLine(child) {
  for await (const chunk of child.stdout) return String(chunk).trim();
  throw new Error('a process of the benchmark ended early');
}

/** User and system time in seconds, and resident memory in MiB; undefined where there is no /proc. */
export function usageOf(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]);
    return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100, rssMiB: pages / 256 };
  } catch {
    return undefined;
  }
}
