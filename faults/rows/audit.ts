/** The disk of the audit log is full, gone, or does not answer. */

import { execFileSync } from 'node:child_process';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { canMount } from '../audit-disk.ts';
import type { Lab, LoadHandle } from '../lab.ts';
import { type LoadAnswer, pause } from '../load.ts';
import { failures, percentile, seconds, slowest, tally } from '../measures.ts';
import type { Outcome, Row, RowContext } from '../row.ts';

export const auditRows: readonly Row[] = [
  {
    id: 'audit-full',
    fault: 'the disk of the audit log is full',
    promise: 'Nothing is issued that cannot be recorded; callers are told at once.',
    demanded:
      '503 `audit_unavailable` within 100 ms, 0 credentials out but for records that still fit, /readyz 503; serving within 2 s once there is space, no restart',
    operators:
      'All replicas on that disk go out of service. Make space; the broker goes on by itself. Alert on the space of the disk, not on this.',
    run: full,
  },
  {
    id: 'audit-read-only',
    fault: 'the file system of the audit log turns read-only after an error of its device',
    promise: 'As on a full disk.',
    demanded:
      '503 `audit_unavailable` within 100 ms, 0 credentials out, /readyz 503; serving within 2 s once it is repaired and mounted again, no restart',
    operators: 'Check and mount the file system again; the broker goes on by itself.',
    needsRoot: true,
    run: readOnly,
  },
  {
    id: 'audit-gone',
    fault: 'the directory of the audit log disappears under the broker',
    promise: 'As on a full disk.',
    demanded:
      '503 `audit_unavailable`, 0 credentials out from a second later on, /readyz 503; serving within 2 s once it is back',
    operators: 'As on a full disk: mount the volume again.',
    run: gone,
  },
  {
    id: 'audit-blocked',
    fault: 'the disk of the audit log takes writes and never returns',
    promise: 'Nobody hangs: the first answers come after the time limit, all others at once.',
    demanded:
      '503 within 1.2 s, 0 credentials out; the process answers its probes within 50 ms; serving within 2 s after',
    operators:
      'The disk, or the network file system, hangs. The broker goes on by itself when it answers again.',
    run: blocked,
  },
];

interface Ending {
  readonly cause: (lab: Lab) => void | Promise<void>;
  readonly cure: (lab: Lab) => void | Promise<void>;
  readonly notes: string;
  /** Answers that are sent later than this after the cause are judged. */
  readonly graceMs: number;
  /** A record that is short enough may still fit: what is out then is on record, as I1 wants it. */
  readonly someFit?: boolean;
}

interface Seen {
  /** Sent during the outage. */
  readonly during: readonly LoadAnswer[];
  readonly ready: number;
  readonly backMs: number;
  readonly slowestProbeMs: number;
  /** Of all refusals, those included that were sent before the first one was answered. */
  readonly slowestRefusalMs: number;
}

async function outage(lab: Lab, ms: number, { cause, cure, graceMs }: Ending): Promise<Seen> {
  const load = lab.load({ connections: 20, perSecond: 400, make: mixed(lab) });
  await pause(300);
  await cause(lab);
  const from = await firstRefusal(load, graceMs);
  const probes: number[] = [];
  const endsAt = performance.now() + ms;
  while (performance.now() < endsAt) {
    const askedAt = performance.now();
    await lab.broker.probe('/livez');
    probes.push(performance.now() - askedAt);
    await pause(20);
  }
  const ready = await lab.broker.probe('/readyz');
  const until = performance.now();
  await cure(lab);
  const curedAt = performance.now();
  while (!load.answers.some(({ status, sentAt }) => status === 200 && sentAt > until)) {
    await pause(10);
    if (performance.now() > curedAt + 20_000) break;
  }
  const backMs = performance.now() - curedAt;
  const answers = await load.stop();
  const ended = answers.filter((answer) => answer.sentAt + answer.ms < until);
  const refused = ended.filter(({ code }) => code === 'audit_unavailable');
  return {
    during: ended.filter(({ sentAt }) => sentAt > from),
    ready,
    backMs,
    slowestProbeMs: Math.max(...probes),
    slowestRefusalMs: slowest(refused),
  };
}

function mixed(lab: Lab) {
  return (index: number) => (index % 20 === 0 ? lab.cold() : lab.warm(index));
}

/** The moment from which on nothing may be given out. */
async function firstRefusal(load: LoadHandle, graceMs: number): Promise<number> {
  const startedAt = performance.now();
  if (graceMs > 0) await pause(graceMs);
  for (;;) {
    const refused = load.answers.find(({ code }) => code === 'audit_unavailable');
    if (refused !== undefined) return Math.max(refused.sentAt + refused.ms, startedAt + graceMs);
    if (performance.now() > startedAt + 20_000) throw new Error('the fault was not noticed');
    await pause(5);
  }
}

async function judged(
  context: RowContext,
  lab: Lab,
  ending: Ending,
  limitMs: number,
): Promise<Outcome & Seen> {
  const seen = await outage(lab, context.pick(400, 5_000), ending);
  const { during, ready, backMs } = seen;
  const out = during.length - failures(during).length;
  const others = during.filter(({ code }) => code !== 'audit_unavailable').length - out;
  const p99 = percentile(during, 0.99);
  return {
    ...seen,
    seen: `${during.length} asked: 503 within ${p99.toFixed(0)} ms (99 %; slowest ${slowest(during).toFixed(0)} ms), ${out} credentials out, /readyz ${ready}; serving ${seconds(backMs)} after`,
    met:
      (out === 0 || ending.someFit === true) &&
      others === 0 &&
      ready === 503 &&
      context.atMost(p99, limitMs) &&
      context.atMost(backMs, 2_000),
    notes: [ending.notes, others > 0 ? tally(during) : ''].filter(Boolean).join('; '),
  };
}

async function full(context: RowContext): Promise<Outcome> {
  if (canMount()) {
    const lab = await context.lab({
      auditDisk: { kind: 'tmpfs', kib: context.pick(1_024, 262_144) },
    });
    const filler = join(lab.auditDirectory, 'filler');
    return await judged(
      context,
      lab,
      {
        cause: () => fill(filler),
        cure: () => rmSync(filler),
        notes:
          'a tmpfs that another file fills up: ENOSPC; a short record may still fit into the last page of the log, and is then durable',
        graceMs: 0,
        someFit: true,
      },
      100,
    );
  }
  const lab = await context.lab({});
  const limit = (bytes: string) =>
    execFileSync('prlimit', ['--pid', String(lab.broker.pid), `--fsize=${bytes}:`]);
  return await judged(
    context,
    lab,
    {
      cause: () => void limit('1024'),
      cure: () => void limit('unlimited'),
      notes: 'without root: a limit on the size of files, EFBIG',
      graceMs: 0,
    },
    100,
  );
}

async function readOnly(context: RowContext): Promise<Outcome> {
  const lab = await context.lab({ auditDisk: { kind: 'ext4', kib: 65_536 } });
  return await judged(
    context,
    lab,
    {
      cause: () => lab.disk.makeReadOnly(),
      cure: () => lab.disk.repair(),
      notes: 'ext4 with errors=remount-ro that is told of an error: EROFS; then e2fsck and mount',
      graceMs: 0,
    },
    100,
  );
}

/** Takes all the space there is, down to the last byte. */
function fill(file: string): void {
  for (const bytes of [65_536, 4_096, 256]) {
    try {
      for (;;) writeFileSync(file, Buffer.alloc(bytes), { flag: 'a' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
}

async function gone(context: RowContext): Promise<Outcome> {
  const lab = await context.lab({});
  const aside = `${lab.auditDirectory}-aside`;
  return await judged(
    context,
    lab,
    {
      cause() {
        renameSync(lab.auditDirectory, aside);
        writeFileSync(lab.auditDirectory, 'not a directory');
      },
      cure() {
        rmSync(lab.auditDirectory);
        renameSync(aside, lab.auditDirectory);
      },
      notes:
        'where the file is gets looked at once a second; until then records go to the file that is open, and are in it',
      graceMs: 1_000,
    },
    100,
  );
}

async function blocked(context: RowContext): Promise<Outcome> {
  const lab = await context.lab({});
  const outcome = await judged(
    context,
    lab,
    {
      cause: () => lab.broker.blockDisk(lab.directory),
      cure: () => lab.broker.unblockDisk(),
      notes: 'every thread of the process that does file operations waits, as on a hung disk',
      graceMs: 0,
    },
    1_200,
  );
  const { slowestProbeMs, slowestRefusalMs } = outcome;
  return {
    ...outcome,
    seen: `${outcome.seen}; those who were waiting: 503 within ${seconds(slowestRefusalMs)}; probes answered within ${slowestProbeMs.toFixed(0)} ms`,
    met:
      outcome.met && context.atMost(slowestRefusalMs, 1_200) && context.atMost(slowestProbeMs, 50),
  };
}
