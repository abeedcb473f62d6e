/** More than the broker can serve, from everybody or from one. */

import type { Lab } from '../lab.ts';
import { type LoadAnswer, pause } from '../load.ts';
import { failures, percentile, tally } from '../measures.ts';
import type { Outcome, Row, RowContext } from '../row.ts';

/** The event loop may be late by this: so many requests at once are what it can bear. */
const maxEventLoopDelayMs = 50;

export const overloadRows: readonly Row[] = [
  {
    id: 'overload',
    fault:
      'two and five times as many connections as it can serve in time, each asking again as soon as it is answered, and a second after a refusal',
    promise: 'It goes on serving nearly as many as at its best, and refuses the rest quickly.',
    demanded:
      'served: at least 90 % of the peak at twice, 80 % at five times; refusals within 10 ms (99 %)',
    operators:
      'Callers get 503 `overloaded` with Retry-After. Add replicas; `limits.maxEventLoopDelayMs` says when refusing begins.',
    shortfall:
      'the process that asks, on thousands of connections, also plays STS, DynamoDB and the issuer, on the same two cores: what it cannot ask for in time cannot be served.',
    run: overload,
  },
  {
    id: 'noisy-caller',
    fault: 'one caller asks over and over on hundreds of connections',
    promise: 'The others are served; the one gets no more than its limit.',
    demanded: 'at most half of what is served goes to the one; the others: 0 errors',
    operators:
      'The caller gets 429 `rate_limited`. `limits.perCaller` is per process; the audit log says who it is.',
    run: noisyCaller,
  },
];

interface Slice {
  readonly served: number;
  readonly refused: readonly LoadAnswer[];
  readonly answers: readonly LoadAnswer[];
}

async function slice(
  lab: Lab,
  connections: number,
  ms: number,
  retryAfterMs = 1_000,
): Promise<Slice> {
  const load = lab.load({
    connections,
    retryAfterMs,
    make: (index) => ({ caller: lab.world.user(index) }),
  });
  await pause(ms / 4);
  const from = load.answers.length;
  const startedAt = performance.now();
  await pause(ms);
  const answers = load.answers.slice(from);
  const elapsedSeconds = (performance.now() - startedAt) / 1000;
  await load.stop();
  const refused = failures(answers);
  return { served: (answers.length - refused.length) / elapsedSeconds, refused, answers };
}

function limited(users: number, perCaller: object) {
  return { users, config: () => ({ limits: { perCaller, maxEventLoopDelayMs } }) };
}

async function overload({ lab: newLab, long, pick }: RowContext): Promise<Outcome> {
  const lab = await newLab(limited(pick(20, 500), { perSecond: 1_000_000, burst: 1_000_000 }));
  const ms = pick(400, 8_000);
  // Everybody's first session.
  await slice(lab, 32, ms);
  const peak = await slice(lab, 64, ms);
  await lab.warmUp();
  const enough = Math.min(1_000, Math.ceil((peak.served * maxEventLoopDelayMs) / 1000));
  const twice = await slice(lab, enough * 2, ms);
  await slice(lab, 32, ms / 2);
  const fiveTimes = await slice(lab, enough * 5, ms);
  await slice(lab, 32, ms / 2);
  const atOnce = await slice(lab, enough * 5, ms, 0);
  const refused = [...twice.refused, ...fiveTimes.refused];
  const p99 = percentile(refused, 0.99);
  const share = (one: Slice) => one.served / peak.served;
  const others = refused.filter(({ status }) => status !== 503);
  const recoveryMs = await lab.recovery();
  return {
    seen: `peak ${peak.served.toFixed(0)}/s; ${enough * 2} connections: ${(share(twice) * 100).toFixed(0)} %; ${enough * 5} connections: ${(share(fiveTimes) * 100).toFixed(0)} %; refusals within ${p99.toFixed(0)} ms (99 %); ${enough * 5} that ask again at once after a refusal: ${(share(atOnce) * 100).toFixed(0)} %`,
    met:
      others.length === 0 &&
      recoveryMs < 10_000 &&
      (!long || (share(twice) >= 0.9 && share(fiveTimes) >= 0.8 && p99 <= 10)),
    notes: `one process asks and plays STS and DynamoDB as well, so part of the wait is its own; \`npm run bench:overload\` measures with a core for each; ${tally(refused)}`,
  };
}

async function noisyCaller({ lab: newLab, pick, long }: RowContext): Promise<Outcome> {
  const lab = await newLab(limited(pick(50, 500), {}));
  await lab.load({
    connections: 20,
    limit: lab.world.users,
    make: (index) => ({ caller: lab.world.user(index) }),
  }).ended;
  const noise = lab.world.service('orders');
  const loud = lab.load({ connections: pick(50, 400), make: () => ({ caller: noise }) });
  const quiet = lab.load({
    connections: 30,
    perSecond: pick(200, 500),
    make: (index) => ({ caller: lab.world.user(index) }),
  });
  await pause(pick(1_000, 20_000));
  const others = await quiet.stop();
  const one = await loud.stop();
  const servedOne = one.length - failures(one).length;
  const servedOthers = others.length - failures(others).length;
  const share = servedOne / (servedOne + servedOthers);
  const recoveryMs = await lab.recovery();
  return {
    seen: `${(share * 100).toFixed(0)} % of what was served; the others: ${failures(others).length} errors of ${others.length}, p99 ${percentile(others, 0.99).toFixed(0)} ms`,
    met: recoveryMs < 10_000 && (!long || (share <= 0.5 && failures(others).length === 0)),
    notes: `the one: ${tally(one)}; the others: ${tally(others)}`,
  };
}
