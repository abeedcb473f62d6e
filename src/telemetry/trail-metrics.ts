/** The metrics of `cloudtrail watch`; docs/metrics.md lists them. All are there from the start, so that the first finding is an increase. */

import { Counter, Gauge, Registry } from 'prom-client';

export interface TrailNumbers {
  readonly findings: Readonly<Record<string, number>>;
  readonly events: number;
  readonly unreadable: number;
  readonly refused: number;
  readonly withheld: number;
  readonly waiting: number;
  /** Epoch milliseconds, by `account/region`. */
  readonly newest: Readonly<Record<string, number>>;
}

export interface TrailMetrics {
  readonly registry: Registry;
  /** After a look that gave a verdict. Counters go on over restarts, with what the state says. */
  looked(numbers: TrailNumbers, nowMs: number): void;
  failed(reason: string): void;
}

export function trailMetrics(reasons: readonly string[], before: TrailNumbers): TrailMetrics {
  const registry = new Registry();
  const registers = [registry];
  const name = (rest: string) => `tokenbroker_cloudtrail_${rest}`;
  const findings = new Counter({
    name: name('findings_total'),
    help: 'Sessions of the brokers’ roles that are not as the brokers have recorded them.',
    labelNames: ['class'],
    registers,
  });
  const events = new Counter({
    name: name('events_total'),
    help: 'Events of the trail that were read.',
    registers,
  });
  const unreadable = new Counter({
    name: name('unreadable_total'),
    help: 'Parts of the trail that could not be read.',
    registers,
  });
  const refused = new Counter({
    name: name('refused_messages_total'),
    help: 'Messages of the queue that name nothing that may be read.',
    registers,
  });
  const withheld = new Counter({
    name: name('withheld_messages_total'),
    help: 'Times that a message stayed in the queue after two hours, because S3 does not give what it names.',
    registers,
  });
  const failures = new Counter({
    name: name('failed_looks_total'),
    help: 'Looks at the trail that gave no verdict.',
    labelNames: ['reason'],
    registers,
  });
  const waiting = new Gauge({
    name: name('waiting_sessions'),
    help: 'Sessions that are not on record, and too new to be judged.',
    registers,
  });
  const lastLook = new Gauge({
    name: name('last_look_timestamp_seconds'),
    help: 'When a look at the trail last gave a verdict.',
    registers,
  });
  const newest = new Gauge({
    name: name('newest_event_timestamp_seconds'),
    help: 'Time of the newest event that the trail has.',
    labelNames: ['account', 'region'],
    registers,
  });
  for (const reason of reasons) failures.inc({ reason }, 0);
  for (const kind of Object.keys(before.findings)) findings.inc({ class: kind }, 0);
  const none = { findings: {}, events: 0, unreadable: 0, refused: 0, withheld: 0 };
  let known: TrailNumbers = { ...before, ...none };
  const take = (now: TrailNumbers) => {
    for (const [kind, count] of Object.entries(now.findings))
      findings.inc({ class: kind }, count - (known.findings[kind] ?? 0));
    events.inc(now.events - known.events);
    unreadable.inc(now.unreadable - known.unreadable);
    refused.inc(now.refused - known.refused);
    withheld.inc(now.withheld - known.withheld);
    waiting.set(now.waiting);
    for (const [place, time] of Object.entries(now.newest)) {
      const [account = '', region] = place.split('/');
      if (region !== undefined) newest.set({ account, region }, time / 1000);
    }
    known = now;
  };
  take(before);
  return {
    registry,
    looked(numbers, nowMs) {
      take(numbers);
      lastLook.set(nowMs / 1000);
    },
    failed: (reason) => failures.inc({ reason }),
  };
}
