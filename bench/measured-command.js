/** A command of the broker in a process of its own, and what it took of the machine, its start included. */

import { spawnSync } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
/** Says at the end of the process what it used. */
const usage =
  'data:text/javascript,process.on("exit",()=>{const{maxRSS,userCPUTime,systemCPUTime}=process.resourceUsage();process.stderr.write(JSON.stringify({maxRSS,cpu:userCPUTime%2BsystemCPUTime}))})';

/** `{ status, stdout, stderr, seconds, cpuSeconds, megabytes }`; the last two are NaN of a process that was killed. */
export function measuredCommand(words) {
  const startedAt = performance.now();
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', usage, main, ...words],
    { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 },
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const { maxRSS, cpu } = JSON.parse(/\{[^{}]*\}$/.exec(stderr)?.[0] ?? '{}');
  return { status, stdout, stderr, seconds, cpuSeconds: cpu / 1e6, megabytes: maxRSS / 1024 };
}
