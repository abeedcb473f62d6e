/** Watchers in this process, on a clock of the test, looked at as Prometheus looks at them. */

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type CloudTrailWatchOptions, cloudTrailWatch } from '../../src/cli/cloudtrail-watch.ts';
import { createLogger, type Logger } from '../../src/telemetry/logger.ts';
import { exchangeRecord, logOf, newDirectory, removeDirectories } from '../audit/audit-fixture.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';
import { trailFile } from './trail-fixture.ts';

export const minute = 60_000;
export const noon = Date.parse('2026-01-15T12:00:00Z');
const at = (epochMs: number) => new Date(epochMs).toISOString();

export interface Watcher {
  readonly page: () => Promise<string>;
  readonly out: () => string;
  readonly series: (name: string) => Promise<number | undefined>;
  /** Lets so much time pass, and waits for the end of the look after it. */
  readonly look: (ms?: number) => Promise<void>;
  readonly stop: () => Promise<number>;
}

export interface Place {
  readonly clock: TestClock;
  readonly audit: string;
  readonly trail: string;
  readonly stateFile: string;
}

const running: (() => Promise<number>)[] = [];

/** After each test. */
export async function stopWatchers(): Promise<void> {
  for (const stop of running.splice(0)) await stop();
  removeDirectories();
}

export function place(): Place {
  const root = newDirectory();
  const [audit, trail] = ['audit', 'trail'].map((name) => path.join(root, name));
  mkdirSync(audit ?? '');
  mkdirSync(trail ?? '');
  const stateFile = path.join(root, 'state.json');
  return { clock: createTestClock(noon), audit: audit ?? '', trail: trail ?? '', stateFile };
}

export async function record(folder: string, id: string, time: number): Promise<void> {
  await logOf(folder, time, exchangeRecord(id, { time: at(time) }));
}

/** A logger, and the lines that it has written of what is wrong. */
export function warnings(): { readonly said: string[]; readonly logger: Logger } {
  const said: string[] = [];
  const write = (line: string) => void said.push(line);
  return { said, logger: createLogger({ level: 'warn', stream: { write } }) };
}

let files = 0;
export function deliver(folder: string, ...records: readonly object[]): void {
  files += 1;
  writeFileSync(path.join(folder, `${files}.json.gz`), trailFile(...records));
}

export async function watch(
  where: Place,
  more: Partial<CloudTrailWatchOptions> = {},
): Promise<Watcher> {
  let [out, url] = ['', ''];
  let stop = () => {};
  const ended = cloudTrailWatch({
    audit: [where.audit],
    trail: [where.trail],
    queue: undefined,
    role: [],
    stateFile: where.stateFile,
    everyMs: minute,
    auditLagMs: 0,
    host: '127.0.0.1',
    port: 0,
    buckets: { region: undefined, endpoint: undefined, bucketOwner: undefined },
    clock: where.clock,
    logger: createLogger({ level: 'silent' }),
    output: {
      out: (text) => {
        out += text;
      },
      err: () => undefined,
    },
    stopRequested: new Promise((resolve) => {
      stop = () => resolve('SIGTERM');
    }),
    onListening: (listening) => {
      url = listening;
    },
    ...more,
  });
  const end = () => {
    stop();
    return ended;
  };
  running.push(end);
  const page = async () => await (await fetch(`${url}/metrics`)).text();
  const series = async (name: string) => {
    const line = (await page()).split('\n').find((text) => text.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.slice(name.length + 1));
  };
  const looks = async () => {
    const failures = ['audit_log', 'trail', 'queue', 'state'].map((reason) =>
      series(`tokenbroker_cloudtrail_failed_looks_total{reason="${reason}"}`),
    );
    const failed = (await Promise.all(failures)).reduce<number>((sum, n) => sum + (n ?? 0), 0);
    return `${failed} ${await series('tokenbroker_cloudtrail_last_look_timestamp_seconds')}`;
  };
  await until(() => url !== '');
  const first = '0 0';
  await until(async () => (await looks()) !== first);
  return {
    out: () => out,
    page,
    series,
    async look(ms = minute) {
      const before = await looks();
      await where.clock.jump(ms);
      await until(async () => (await looks()) !== before);
    },
    stop: end,
  };
}

export const findings = (name: string) => `tokenbroker_cloudtrail_findings_total{class="${name}"}`;
