/** Debian's Prometheus on loopback, which scrapes what a test runs and evaluates the rules that operators are given. */

import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as realTime } from 'node:timers/promises';
import { stringify } from 'yaml';
import { ruleFile } from './alert-rules.ts';

export interface Prometheus {
  /** Alerts that fire at this moment. */
  firing(): Promise<readonly FiringAlert[]>;
  /** Resolves once an alert of that name fires, with these labels among others; a test that waits in vain ends by its own limit. */
  fires(name: string, labels?: Readonly<Record<string, string>>): Promise<void>;
  /** The value of each series that an expression gives. */
  query(expr: string): Promise<readonly number[]>;
  stop(): Promise<void>;
}

export interface FiringAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * How long an alert must last before it fires is cut to nothing: promtool holds that (test/kubernetes/alerts.yaml).
 *
 * @param directory for its files; removed by whoever made it
 * @param urls of those that it scrapes
 */
export async function startPrometheus(directory: string, ...urls: string[]): Promise<Prometheus> {
  mkdirSync(directory, { recursive: true });
  const groups = ruleFile.groups.map((group) => ({
    ...group,
    rules: group.rules.map((rule) => ('alert' in rule ? { ...rule, for: '0s' } : rule)),
  }));
  const scraped = {
    job_name: 'token-broker',
    static_configs: [
      { targets: urls.map((url) => new URL(url).host), labels: { namespace: 'test' } },
    ],
  };
  const file = join(directory, 'prometheus.yaml');
  writeFileSync(join(directory, 'rules.yaml'), stringify({ groups }));
  writeFileSync(
    file,
    stringify({
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: ['rules.yaml'],
      scrape_configs: [scraped],
    }),
  );
  const child = spawn(
    'prometheus',
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(directory, 'series')}`,
      '--web.listen-address=127.0.0.1:0',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const exit = new Promise<void>((resolve, reject) => {
    child.once('exit', () => resolve());
    child.once('error', () => reject(new Error('these tests need: apt-get install prometheus')));
  });
  const own = await Promise.race([
    addressIn(createInterface(child.stderr)),
    exit.then(() => Promise.reject(new Error('Prometheus ended by itself'))),
  ]);
  // It listens before it answers.
  while (!(await fetch(`${own}/-/ready`)).ok) await realTime(100);
  const get = async (path: string, params: Readonly<Record<string, string>> = {}) => {
    const answer = await fetch(`${own}/api/v1/${path}?${new URLSearchParams(params)}`);
    return (await answer.json()) as { readonly data: never };
  };
  const firing = async () => {
    const { alerts } = (await get('alerts')).data as {
      readonly alerts: readonly (FiringAlert & { readonly state: string })[];
    };
    return alerts.filter(({ state }) => state === 'firing');
  };
  return {
    firing,
    async fires(name, labels = {}) {
      const wanted = Object.entries({ ...labels, alertname: name });
      const isThere = (alert: FiringAlert) =>
        wanted.every(([label, value]) => alert.labels[label] === value);
      while (!(await firing()).some(isThere)) await realTime(250);
    },
    async query(expr) {
      const { result } = (await get('query', { query: expr })).data as {
        readonly result: readonly { readonly value: readonly [number, string] }[];
      };
      return result.map(({ value }) => Number(value[1]));
    },
    async stop() {
      child.kill('SIGTERM');
      await exit;
    },
  };
}

async function addressIn(lines: AsyncIterable<string>): Promise<string> {
  for await (const line of lines) {
    const address = /msg="Listening on" address=(127\.0\.0\.1:[1-9]\d*)/.exec(line)?.[1];
    if (address !== undefined) return `http://${address}`;
  }
  throw new Error('Prometheus does not listen');
}
