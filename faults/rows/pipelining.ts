/** What somebody without a token can do to everybody else. */

import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Lab } from '../lab.ts';
import { type LoadAnswer, pause } from '../load.ts';
import { failures, percentile, slowest, tally } from '../measures.ts';
import type { Outcome, Row, RowContext } from '../row.ts';

export const pipeliningRows: readonly Row[] = [
  {
    id: 'pipelining',
    fault: 'forty connections without a token send requests without waiting for the answers',
    promise: 'They are cut; a caller hardly notices, and probes are answered.',
    demanded: 'a caller: 0 errors, median at most doubled; /livez within 1 s',
    operators:
      'Nothing to do: the connections are cut, and counted as `tokenbroker_http_connection_errors_total{code="pipelining"}`. A network policy keeps strangers away.',
    run: pipelining,
  },
];

const connections = 40;

async function pipelining({ lab: newLab, long, pick }: RowContext): Promise<Outcome> {
  const lab = await newLab();
  const ms = pick(1_000, 15_000);
  const quiet = await oneCaller(lab, ms);
  const cut = 'tokenbroker_http_connection_errors_total{listener="api",code="pipelining"}';
  const cutBefore = await lab.broker.metric(cut);
  const stranger = strangerAt(lab.broker.urls.api);
  const probes = probing(lab, ms);
  const attacked = await oneCaller(lab, ms);
  const { slowestMs, failed } = await probes;
  const opened = await stranger.stop();
  const cutSeen = (await lab.broker.metric(cut)) - cutBefore;
  const recoveryMs = await lab.recovery();
  const medians = [quiet, attacked].map((answers) => percentile(answers, 0.5));
  const [before = 0, during = 0] = medians;
  const errors = failures(attacked).length;
  return {
    seen: `${errors} errors of ${attacked.length}, median ${before.toFixed(1)} → ${during.toFixed(1)} ms; /livez within ${slowestMs.toFixed(0)} ms; ${cutSeen} connections cut`,
    met:
      errors === 0 &&
      failed === 0 &&
      cutSeen > 0 &&
      recoveryMs < 10_000 &&
      (!long || (during <= 2 * before && slowestMs <= 1_000)),
    notes: `the stranger opened ${opened}; slowest answer ${slowest(quiet).toFixed(0)} → ${slowest(attacked).toFixed(0)} ms; ${tally(attacked)}`,
  };
}

/** A caller that asks fifty times a second. */
async function oneCaller(lab: Lab, ms: number): Promise<readonly LoadAnswer[]> {
  const load = lab.load({ connections: 1, perSecond: 50, make: () => lab.warm(0) });
  await pause(ms);
  return await load.stop();
}

async function probing(lab: Lab, ms: number): Promise<{ slowestMs: number; failed: number }> {
  const until = performance.now() + ms;
  let slowestMs = 0;
  let failed = 0;
  while (performance.now() < until) {
    const startedAt = performance.now();
    if ((await lab.broker.probe('/livez', 20_000)) !== 200) failed += 1;
    slowestMs = Math.max(slowestMs, performance.now() - startedAt);
    await pause(100);
  }
  return { slowestMs, failed };
}

/** In a process of its own: what it does must cost the broker's time and nobody else's. */
function strangerAt(url: string): { stop(): Promise<number> } {
  const child = spawn(
    process.execPath,
    [resolve('faults/pipeliner.js'), url, String(connections)],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const printed = text(child.stdout);
  return {
    async stop() {
      child.stdin.end();
      return Number(await printed);
    },
  };
}
