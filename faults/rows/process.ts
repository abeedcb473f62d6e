/** The process is told to end, is killed, is stopped for a while, is replaced; its clock is set. */

import { verifyAuditLog } from '../../src/audit/verify.ts';
import { Balancer } from '../balancer.ts';
import type { BrokerProcess } from '../broker-process.ts';
import { type LoadAnswer, pause } from '../load.ts';
import { failures, percentile, seconds, slowest, tally } from '../measures.ts';
import type { Outcome, Row, RowContext } from '../row.ts';

const hourMs = 3_600_000;

export const processRows: readonly Row[] = [
  {
    id: 'sigterm',
    fault: 'SIGTERM under load',
    promise:
      'No request is lost: it says at once that it is not ready, goes on serving, and ends in order.',
    demanded: '0 of 100,000 requests lost; /readyz 503 within 50 ms; exit 0 within 15 s',
    operators:
      'Give the platform more time to kill than `http.drainSeconds` and `http.shutdownSeconds` together.',
    run: sigterm,
  },
  {
    id: 'sigkill',
    fault: 'SIGKILL under load, 1,000 times',
    promise:
      'Every credential that a client received has its record; the chain goes on in the next process.',
    demanded:
      '0 credentials without a record in 1,000 kills; one unbroken chain; ready within 2 s of the start (99 %)',
    operators: 'Nothing: start it again on the same audit directory.',
    run: sigkill,
  },
  {
    id: 'rolling-restart',
    fault: 'three replicas are replaced one after the other, under load',
    promise: 'Clients that follow readiness see no error.',
    demanded:
      '0 answers but 200, 0 broken connections; STS calls at most 1.2 per session and process',
    operators: 'Nothing. `http.drainSeconds` must cover the time in which a load balancer notices.',
    run: rollingRestart,
  },
  {
    id: 'stalled',
    fault: 'the process does not run for 3 s (SIGSTOP, or a host that is too busy)',
    promise: 'Requests wait or are refused, none is answered wrongly, and it goes on by itself.',
    demanded: '0 wrong answers, 0 broken connections; probes fail meanwhile; back within 10 s',
    operators: 'Look for CPU limits and noisy neighbours: `nodejs_eventloop_lag_seconds`.',
    run: stalled,
  },
  {
    id: 'clock-step',
    fault: 'the wall clock of the machine is set forward, then back, by an hour',
    promise:
      'Nothing that has ended is handed out, by either clock; it goes on when the clock is right.',
    demanded:
      '0 sessions served that have ended by the clock of everybody else; 0 errors once it is right again',
    operators: 'Tokens seem expired, or not yet valid, until the clock is right: run NTP.',
    run: clockStep,
  },
];

async function sigterm({ lab: newLab, pick, atMost, long }: RowContext): Promise<Outcome> {
  const lab = await newLab({
    config: () => ({ http: { drainSeconds: pick(0.6, 2), shutdownSeconds: 10 } }),
  });
  const wanted = pick(5_000, 100_000);
  const answers: LoadAnswer[] = [];
  const exits: (number | string)[] = [];
  let slowestEndMs = 0;
  let slowestUnreadyMs = 0;
  for (let round = 0; answers.length < wanted; round += 1) {
    if (round > 0) {
      await lab.startBroker();
      await lab.warmUp();
    }
    const { broker } = lab;
    const load = lab.load({
      connections: 40,
      make: (index) => (index % 100 === 0 ? lab.cold() : lab.warm(index)),
      url: () => broker.urls.api,
    });
    const target = Math.min(wanted - answers.length, pick(5_000, 20_000)) * 0.8;
    while (load.answers.length < target) await pause(20);
    const toldAt = performance.now();
    const exit = lab.end(broker, 'SIGTERM');
    const tookMs = () => performance.now() - toldAt;
    while ((await broker.probe('/readyz')) === 200) await pause(1);
    slowestUnreadyMs = Math.max(slowestUnreadyMs, tookMs());
    // As a load balancer does that looks now and then.
    await pause(pick(200, 1_000));
    answers.push(...(await load.stop()));
    exits.push((await exit).code);
    slowestEndMs = Math.max(slowestEndMs, tookMs());
  }
  const lost = failures(answers);
  return {
    seen: `${lost.length} of ${answers.length} lost; /readyz 503 within ${slowestUnreadyMs.toFixed(0)} ms; exit ${[...new Set(exits)].join()} within ${seconds(slowestEndMs)}`,
    met:
      lost.length === 0 &&
      exits.every((code) => code === 0) &&
      atMost(slowestUnreadyMs, long ? 50 : 200) &&
      atMost(slowestEndMs, 15_000),
    notes: `${exits.length} processes; clients stop a second after readiness fails${lost.length > 0 ? `; ${tally(lost)}` : ''}`,
  };
}

async function sigkill({ lab: newLab, pick, atMost }: RowContext): Promise<Outcome> {
  const lab = await newLab({});
  const kills = pick(3, 1_000);
  const starts: number[] = [];
  let issued = 0;
  for (let kill = 0; kill < kills; kill += 1) {
    const { broker } = lab;
    const load = lab.load({
      connections: 20,
      perSecond: 1_000,
      make: (index) => (index % 10 === 0 ? lab.cold() : lab.warm(index)),
      limit: 2_000,
      url: () => broker.urls.api,
    });
    // At another moment of the work each time.
    await pause(100 + ((kill * 37) % 200));
    await lab.end(broker, 'SIGKILL');
    const answers = await load.stop();
    issued += answers.length - failures(answers).length;
    await pause(0);
    const startedAt = performance.now();
    const next = await lab.startBroker();
    while ((await next.probe('/readyz')) !== 200) await pause(5);
    starts.push(performance.now() - startedAt);
    // The record of what was given out is compared as it grows: it all stays in memory otherwise.
    if (kill % 100 === 99) lab.check(await lab.violations(false));
  }
  lab.check(await lab.violations(false));
  const { chains, intact } = await verifyAuditLog({ location: lab.auditDirectory });
  starts.sort((a, b) => a - b);
  const p99 = starts[Math.floor(starts.length * 0.99)] ?? 0;
  return {
    seen: `${kills} kills, ${issued} credentials, ${lab.broken} checks failed; ${chains.length} chain, ${intact ? 'intact' : 'BROKEN'}; ready after ${seconds(p99)} (99 %; slowest ${seconds(starts.at(-1) ?? 0)})`,
    met: lab.broken === 0 && intact && chains.length === 1 && atMost(p99, 2_000),
    notes: 'the time to get ready begins with the start of the process',
  };
}

async function rollingRestart({ lab: newLab, pick }: RowContext): Promise<Outcome> {
  const drainSeconds = pick(0.5, 2);
  const lab = await newLab({
    startBroker: false,
    config: () => ({ http: { drainSeconds, shutdownSeconds: 10 } }),
  });
  const count = pick(2, 3);
  const replicas: BrokerProcess[] = [];
  for (let index = 0; index < count; index += 1) {
    replicas.push(await lab.startBroker(`-${index}`));
  }
  const balancer = new Balancer(replicas);
  const load = lab.load({
    connections: 30,
    perSecond: pick(300, 1_000),
    make: (index) => lab.warm(index),
    url: () => balancer.next(),
  });
  await pause(pick(200, 15_000));
  for (let index = 0; index < count; index += 1) {
    const old = replicas[index] as BrokerProcess;
    await lab.end(old, 'SIGTERM');
    replicas[index] = await lab.startBroker(`-${index}`);
    await pause(pick(100, 15_000));
  }
  await pause(pick(0, 60_000));
  const answers = await load.stop();
  balancer.stop();
  const sessions = 20;
  const ratio = lab.world.fronts.sts.calls / (sessions * count * 2);
  const bad = failures(answers);
  return {
    seen: `${bad.length} of ${answers.length} not 200 or broken; ${ratio.toFixed(2)} STS calls per session and process`,
    met: bad.length === 0 && ratio <= 1.2,
    notes: `${count} replicas, each with its own audit log, behind a client that asks /readyz every 100 ms${bad.length > 0 ? `; ${tally(bad)}` : ''}`,
  };
}

async function stalled({ lab: newLab, pick }: RowContext): Promise<Outcome> {
  const lab = await newLab({});
  const load = lab.load({
    connections: 20,
    perSecond: 400,
    make: (index) => (index % 20 === 0 ? lab.cold() : lab.warm(index)),
  });
  await pause(300);
  lab.broker.signal('SIGSTOP');
  const probe = await lab.broker.probe('/livez', pick(500, 2_500));
  await pause(pick(0, 500));
  lab.broker.signal('SIGCONT');
  const recoveryMs = await lab.recovery();
  await pause(pick(100, 3_000));
  const answers = await load.stop();
  const broken = answers.filter(({ status }) => status === 0).length;
  const refused = failures(answers).length - broken;
  return {
    seen: `${broken} broken, ${refused} refused of ${answers.length}, slowest ${seconds(slowest(answers))}; /livez meanwhile: ${probe === 0 ? 'no answer' : probe}; back after ${seconds(recoveryMs)}`,
    met: broken === 0 && probe === 0 && failures(answers).every(({ status }) => status === 503),
    notes: refused > 0 ? tally(answers) : '',
  };
}

async function clockStep({ lab: newLab, pick }: RowContext): Promise<Outcome> {
  const lab = await newLab({});
  const load = lab.load({
    connections: 10,
    perSecond: 300,
    make: (index) => (index % 20 === 0 ? lab.cold() : lab.warm(index)),
  });
  const phase = async (stepMs: number) => {
    await lab.stepClock(stepMs);
    await pause(pick(300, 5_000));
  };
  await phase(hourMs);
  const forward = load.answers.length;
  await phase(0);
  const right = load.answers.length;
  await phase(-hourMs);
  const back = load.answers.length;
  await phase(0);
  const rightAt = performance.now() - pick(150, 2_500);
  const answers = await load.stop();
  const now = Date.now() + lab.world.clockOffsetMs;
  const ended = answers.filter(
    ({ status, expiresAt = 0, sentAt, ms }) =>
      status === 200 && expiresAt <= now - (performance.now() - sentAt - ms),
  );
  const late = failures(answers.filter(({ sentAt }) => sentAt > rightAt));
  const part = (from: number, to: number) => tally(answers.slice(from, to));
  const recoveryMs = await lab.recovery();
  return {
    seen: `${ended.length} of ${answers.length} had ended; ${late.length} errors once the clock is right; p99 ${percentile(answers, 0.99).toFixed(0)} ms; back after ${seconds(recoveryMs)}`,
    met: ended.length === 0 && late.length === 0,
    notes: `forward ${part(0, forward)}, right ${part(forward, right)}, back ${part(right, back)}`,
  };
}
