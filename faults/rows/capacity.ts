/** Too many at once: connections, callers, sessions that end together. */

import { connect, type Socket } from 'node:net';
import type { Lab, LoadHandle } from '../lab.ts';
import { type LoadAnswer, pause } from '../load.ts';
import { failures, percentile, seconds, slowest, tally } from '../measures.ts';
import type { Outcome, Row, RowContext } from '../row.ts';

const minuteMs = 60_000;

export const capacityRows: readonly Row[] = [
  {
    id: 'herd-same-session',
    fault: '10,000 equal requests at once for a session that is not in the cache',
    promise: 'One exchange serves them all.',
    demanded: '1 call of STS; who is not served gets 503 with Retry-After',
    operators:
      'Nothing. What the audit log cannot take within `audit.deadlineMs` is refused with 503 and asked again.',
    run: sameSession,
  },
  {
    id: 'herd-renewal',
    fault: '10,000 sessions that were made together come to their end together',
    promise: 'They are renewed ahead of time, spread out.',
    demanded:
      'renewals over at least 20 % of their life; at most 15 % of them in any sixtieth; 0 errors',
    operators: 'Nothing. `cache.maxBackgroundRefreshes` bounds how many renewals run at once.',
    run: renewal,
  },
  {
    id: 'descriptors',
    fault: '10,000 connections to a process that may have 256 descriptors',
    promise:
      'Who is connected is served; who is too many is turned away at once; no record is lost.',
    demanded:
      '`maxConnections` below the limit: 0 errors for those inside, warm and cold; above it: 0 records lost, serving within 5 s after',
    operators:
      'Keep the descriptor limit of the process well above `listeners.api.maxConnections`: the audit log, STS and DynamoDB need some as well.',
    run: descriptors,
  },
  {
    id: 'memory',
    fault: 'sessions without end, in a process that may have 192 MiB of heap',
    promise:
      'Caches are bounded by entries and bytes: memory is too, and cached callers are served.',
    demanded: 'no end of the process, RSS below 400 MiB, warm: 0 errors',
    operators:
      'Nothing. `tokenbroker_credential_cache_events_total{event="displaced"}` rises when the cache is too small for its callers.',
    run: memory,
  },
];

async function sameSession({ lab: newLab, pick }: RowContext): Promise<Outcome> {
  const many = pick(300, 10_000);
  const lab = await newLab({
    stsLatencyMs: 1_000,
    config: () => ({ listeners: listenersFor(many + 200) }),
  });
  // A herd before: what the first one makes the process grow by, Node.js keeps. A leak would show in the second.
  const before = lab.cold();
  await lab.load({ connections: many, limit: many, make: () => before }).ended;
  await lab.warmUp();
  const ask = lab.cold();
  const callsBefore = lab.world.fronts.sts.calls;
  const answers = await lab.load({ connections: many, limit: many, make: () => ask }).ended;
  const calls = lab.world.fronts.sts.calls - callsBefore;
  return {
    seen: `${calls} call of STS for ${answers.length} requests on as many connections; ${failures(answers).length} errors; slowest ${seconds(slowest(answers))}`,
    met: calls === 1 && failures(answers).every(({ code }) => code === 'audit_unavailable'),
    notes: `the second of two herds, so that memory is compared between processes that had one; ${tally(answers)}`,
  };
}

function listenersFor(maxConnections: number) {
  return { api: { port: 0, maxConnections }, admin: { port: 0 }, ops: { port: 0 } };
}

async function renewal({ lab: newLab, pick }: RowContext): Promise<Outcome> {
  const many = pick(200, 10_000);
  const lab = await newLab({
    // One session each.
    users: many,
    config: () => ({ cache: { maxEntries: 20_000, maxBytes: 134_217_728 } }),
  });
  const askAll = () =>
    lab.load({
      connections: 20,
      limit: many,
      make: (index) => ({ caller: lab.world.user(index) }),
    }).ended;
  const made = await askAll();
  // With the cache full and everybody known, as it will be in the end.
  await askAll();
  await lab.warmUp();
  await lab.travel(29 * minuteMs);
  const stepMs = pick(3, 1) * minuteMs;
  const renewals: number[] = [];
  const answers: LoadAnswer[] = [...made];
  for (let at = 29 * minuteMs; at < 46 * minuteMs; at += stepMs) {
    await lab.travel(stepMs);
    const callsBefore = lab.world.fronts.sts.calls;
    // Only so many are renewed at once in the background, so everybody asks more than once.
    for (let round = 0; round < 3; round += 1) answers.push(...(await askAll()));
    renewals.push(lab.world.fronts.sts.calls - callsBefore);
  }
  const total = renewals.reduce((sum, count) => sum + count, 0);
  const busy = renewals.filter((count) => count >= total / 100).length;
  const spread = (busy * stepMs) / 3_600_000;
  const peak = Math.max(...renewals) / total / (stepMs / minuteMs);
  const errors = failures(answers).length;
  return {
    seen: `${total} renewals of ${many} sessions over ${(spread * 100).toFixed(0)} % of their life, at most ${(peak * 100).toFixed(1)} % in a minute; ${errors} errors of ${answers.length}`,
    met: spread >= 0.2 && peak <= 0.15 && errors === 0,
    notes: `the clocks of all processes are moved on together, minute by minute; everybody asks three times a minute${errors > 0 ? `; ${tally(answers)}` : ''}`,
  };
}

/** Opens connections and leaves them idle. Resolves when each is open or turned away. */
async function crowdOf(lab: Lab, count: number): Promise<readonly Socket[]> {
  const { hostname, port } = new URL(lab.broker.urls.api);
  const sockets: Socket[] = [];
  const settled: Promise<unknown>[] = [];
  for (let index = 0; index < count; index += 1) {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on('error', () => socket.destroy());
    socket.resume();
    sockets.push(socket);
    settled.push(new Promise((resolve) => socket.once('connect', resolve).once('close', resolve)));
    if (index % 100 === 99) await Promise.race([Promise.all(settled), pause(200)]);
  }
  await Promise.race([Promise.all(settled), pause(2_000)]);
  return sockets;
}

async function descriptors({ lab: newLab, pick, atMost }: RowContext): Promise<Outcome> {
  const limited = (maxConnections: number) =>
    newLab({
      wrap: ['prlimit', '--nofile=256', '--'],
      config: () => ({ listeners: listenersFor(maxConnections) }),
    });
  const crowd = pick(600, 10_000);
  const capped = await limited(128);
  const load = capped.load({
    connections: 20,
    perSecond: 300,
    make: (index) => (index % 20 === 0 ? capped.cold() : capped.warm(index)),
  });
  await provenInside(load);
  const outside = await crowdOf(capped, crowd);
  await pause(pick(300, 5_000));
  const inside = await load.stop();
  const turnedAway = outside.filter(({ destroyed }) => destroyed).length;
  for (const socket of outside) socket.destroy();

  const open = await limited(10_000);
  const loadBefore = open.load({
    connections: 20,
    perSecond: 300,
    make: (index) => (index % 20 === 0 ? open.cold() : open.warm(index)),
  });
  await provenInside(loadBefore);
  const sockets = await crowdOf(open, crowd);
  await pause(pick(300, 5_000));
  const during = await loadBefore.stop();
  for (const socket of sockets) socket.destroy();
  const recoveryMs = await open.recovery();
  return {
    seen: `at most 128: ${turnedAway} of ${crowd} turned away, ${failures(inside).length} errors of ${inside.length} inside; not capped: ${tally(during)}, serving ${seconds(recoveryMs)} after`,
    met: failures(inside).length === 0 && atMost(recoveryMs, 5_000),
    notes: failures(inside).length > 0 ? tally(inside) : '',
  };
}

/** Until each connection has had an answer: a full listener makes room by ending those that have proven nothing. */
async function provenInside({ answers }: LoadHandle): Promise<void> {
  while (answers.length < 100) await pause(50);
}

async function memory({ lab: newLab, pick }: RowContext): Promise<Outcome> {
  const lab = await newLab({
    users: pick(50, 2_000),
    nodeArgs: ['--max-old-space-size=192'],
  });
  const coldOnes = (limit: number) =>
    lab.load({ connections: 40, limit, make: () => lab.cold() }).ended;
  // With a full cache, as it will be in the end.
  const first = await coldOnes(pick(100, 12_000));
  await lab.warmUp();
  const warm = lab.load({ connections: 5, perSecond: 100, make: (index) => lab.warm(index) });
  let peakMiB = 0;
  const timer = setInterval(() => {
    peakMiB = Math.max(peakMiB, lab.broker.usage().rssMiB);
  }, 200);
  const made = [...first, ...(await coldOnes(pick(300, 38_000)))];
  const warmAnswers = await warm.stop();
  clearInterval(timer);
  const entries = await lab.broker.metric('tokenbroker_credential_cache_entries');
  const errors = failures(warmAnswers).length;
  return {
    seen: `${made.length - failures(made).length} sessions of ${lab.world.users} callers, ${entries} kept; RSS at most ${peakMiB.toFixed(0)} MiB; warm: ${errors} errors of ${warmAnswers.length}, p99 ${percentile(warmAnswers, 0.99).toFixed(0)} ms`,
    met: lab.broker.ended === undefined && peakMiB < 400 && peakMiB > 0 && errors === 0,
    notes: `a twentieth of the million callers that were demanded: tokens and exchanges for more would take this machine hours; ${tally(made)}`,
  };
}
