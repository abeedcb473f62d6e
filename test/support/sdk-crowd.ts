/** SDK clients by the dozen, in a process of their own, which shares a fast time of day with the tests and the broker. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Clock, systemClock } from '../../src/kit/timing/clock.ts';

const program = (name: string) =>
  fileURLToPath(new URL(`../../conformance/sdks/javascript/${name}`, import.meta.url));

/** How long SDK clients are kept busy: longer by RESTARTS_SECONDS. */
export const runSeconds = Number(process.env['RESTARTS_SECONDS'] ?? '10');

export interface FastTime {
  readonly clock: Clock;
  /** Makes the clock of a Node process the same. */
  readonly env: Readonly<Record<string, string>>;
}

/** The time of day runs `factor` times as fast from now on; timers do not. */
export function fastTime(factor: number): FastTime {
  const since = Date.now();
  return {
    clock: {
      ...systemClock,
      now: () => Math.round(since + (Date.now() - since) * factor),
    },
    env: {
      NODE_OPTIONS: `--import=${pathToFileURL(program('fast-clock.js')).href}`,
      FAST_CLOCK_SINCE: String(since),
      FAST_CLOCK_FACTOR: String(factor),
    },
  };
}

export interface CallFailure {
  /** What was left of the credentials of that client when the call began, and when it failed. */
  readonly leftAtStartMs: number;
  readonly leftAtEndMs: number;
  readonly name: string;
  readonly message: string;
}

export interface CrowdResult {
  readonly calls: number;
  /** How often a client was seen with other keys than before. */
  readonly renewals: number;
  readonly failures: readonly CallFailure[];
}

export interface SdkCrowd {
  readonly child: ChildProcess;
  /** Each client has learnt who it is. */
  readonly ready: Promise<void>;
  stop(): Promise<CrowdResult>;
}

export function startSdkCrowd(count: number, env: Readonly<Record<string, string>>): SdkCrowd {
  const child = spawn(process.execPath, [program('crowd.js')], {
    env: {
      ...env,
      CLIENTS: String(count),
      AWS_REGION: 'us-east-1',
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let lastLine = '';
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  const ready = new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      lastLine = line;
      resolve();
    });
    void ended.then(() => reject(new Error('the SDK clients ended early')));
  });
  return {
    child,
    ready,
    async stop() {
      child.stdin.end();
      await ended;
      return JSON.parse(lastLine) as CrowdResult;
    },
  };
}
