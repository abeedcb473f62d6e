/** A caller that is denied again and again costs one record in ten seconds, and every denial is counted. */

import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RepeatedDenials, type RepeatedDenialsOptions } from '../../src/audit/repeated-denials.ts';
import { BrokerError, type ErrorReason } from '../../src/core/errors.ts';
import type { AuditLog } from '../../src/core/ports.ts';
import type { AuditRecord } from '../../src/core/records/audit-record.ts';
import type { ExchangeRecord } from '../../src/core/records/exchange-record.ts';
import { runs } from '../support/fuzz-budget.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';
import {
  exchangeRecord,
  fileLog,
  linesOf,
  newDirectory,
  removeDirectories,
  turnBeforeCommit,
  verify,
} from './audit-fixture.ts';
import { blockDisk } from './blocked-disk.ts';

afterEach(removeDirectories);

const unavailable = { code: 'audit_unavailable', status: 503 };

/** One object for all requests that are alike, as the exchange has it: what is known of one is asked of the next. */
const request = Object.freeze({ role: 'orders-writer' });

function denial(requestId: string, changes: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return exchangeRecord(requestId, {
    outcome: 'denied',
    code: 'access_denied',
    reason: 'no_mapping',
    request,
    userAgent: 'aws-sdk',
    session: undefined,
    credentials: undefined,
    ...changes,
  });
}

/** Over a real log, on a clock that stands still. */
async function started({
  deadlineMs = 1_000,
  ...options
}: Partial<RepeatedDenialsOptions> & { readonly deadlineMs?: number } = {}) {
  const directory = newDirectory();
  const clock = createTestClock();
  const { log } = fileLog(directory, { clock, retryMs: 5, deadlineMs });
  await log.start();
  const denials = new RepeatedDenials({ log, clock, ...options });
  const at = (record: ExchangeRecord) => ({ ...record, time: new Date(clock.now()).toISOString() });
  return {
    directory,
    clock,
    log,
    denials,
    deny: (requestId: string, changes?: Partial<ExchangeRecord>) =>
      denials.record(at(denial(requestId, changes))),
    exchanges: () => exchangesIn(directory),
    async stop() {
      await denials.stop();
      await log.stop();
    },
  };
}

/** Id, and of a summary how many it stands for. */
function exchangesIn(directory: string): readonly string[] {
  return linesOf(directory)
    .filter(({ type }) => type === 'exchange')
    .map((line) => {
      const { repeats, requestId } = line as Partial<ExchangeRecord>;
      return repeats === undefined ? `${requestId}` : `${requestId} +${repeats.count}`;
    });
}

/** Until what the clock set off has reached the disk. */
async function written(exchanges: () => readonly string[], count: number): Promise<void> {
  await until(() => exchanges().length >= count);
}

describe('equal denials (T55)', () => {
  it('are one record at once, and one that counts the others when ten seconds are over', async () => {
    const { clock, deny, exchanges, directory, stop } = await started();
    await deny('r1');
    expect(exchanges()).toEqual(['r1']);
    for (const id of ['r2', 'r3', 'r4']) {
      await clock.advance(1_000);
      await deny(id);
    }
    await clock.advance(6_999);
    expect(exchanges()).toEqual(['r1']);

    await clock.advance(1);
    await written(exchanges, 2);
    expect(exchanges()).toEqual(['r1', 'r1 +3']);
    const [first, summary] = linesOf(directory).filter(({ type }) => type === 'exchange');
    const { seq, chain, prev, hash, ...said } = summary as Record<string, unknown>;
    const { seq: _, chain: __, prev: ___, hash: ____, ...saidFirst } = first as typeof said;
    expect(said).toEqual({
      ...saidFirst,
      time: '2026-01-15T12:00:10.000Z',
      repeats: {
        count: 3,
        from: '2026-01-15T12:00:01.000Z',
        to: '2026-01-15T12:00:03.000Z',
        requestIds: ['r2', 'r3', 'r4'],
      },
    });
    await stop();
    expect((await verify(directory)).intact).toBe(true);
  });

  it('begin anew with a record in full after that', async () => {
    const { clock, deny, exchanges, stop } = await started();
    for (const id of ['r1', 'r2']) await deny(id);
    await clock.advance(10_000);
    await written(exchanges, 2);
    for (const id of ['r3', 'r4', 'r5']) await deny(id);
    await clock.advance(10_000);
    await written(exchanges, 4);
    expect(exchanges()).toEqual(['r1', 'r1 +1', 'r3', 'r3 +2']);
    await stop();
  });

  it('that stay alone are one record each, and no summary', async () => {
    const { clock, deny, exchanges, stop } = await started();
    await deny('r1');
    await clock.advance(60_000);
    await deny('r2');
    await stop();
    expect(exchanges()).toEqual(['r1', 'r2']);
  });

  it('are counted beyond the sixteen that are named', async () => {
    const { deny, exchanges, directory, stop } = await started();
    for (let number = 0; number <= 1000; number++) await deny(`r${number}`);
    await stop();
    expect(exchanges()).toEqual(['r0', 'r0 +1000']);
    const { repeats } = linesOf(directory).at(-1) as Partial<ExchangeRecord>;
    expect(repeats?.requestIds).toEqual(Array.from({ length: 16 }, (_, index) => `r${index + 1}`));
  });

  it('that come at once are answered when their first one is durable, not before', async () => {
    const { deny, exchanges, stop } = await started();
    const unblock = blockDisk();
    const answered: string[] = [];
    const all = Array.from({ length: 50 }, (_, index) =>
      deny(`r${index}`).then(() => answered.push(`r${index}`)),
    );
    await turnBeforeCommit();
    expect(answered).toEqual([]);
    await unblock();
    await Promise.all(all);
    await stop();
    expect(answered).toHaveLength(50);
    expect(exchanges()).toEqual(['r0', 'r0 +49']);
  });

  it('are counted exactly, whatever comes when', async () => {
    const step = fc.oneof(
      fc.record({ wait: fc.constant(0), kinds: fc.array(fc.nat(3), { maxLength: 12 }) }),
      fc.record({ wait: fc.integer({ min: 1, max: 15_000 }), kinds: fc.constant<number[]>([]) }),
    );
    const property = fc.asyncProperty(
      fc.array(step, { maxLength: 12 }),
      fc.integer({ min: 1, max: 5 }),
      async (steps, maxKinds) => {
        // The clock jumps; the disk is in time all the same.
        const { clock, deny, directory, stop } = await started({ maxKinds, deadlineMs: 1e9 });
        const sent = [0, 0, 0, 0];
        for (const { wait, kinds } of steps) {
          await clock.advance(wait);
          await Promise.all(
            kinds.map((kind) => {
              sent[kind] = (sent[kind] ?? 0) + 1;
              return deny(`${kind}-${sent[kind]}`, { sourceIp: `192.0.2.${kind}` });
            }),
          );
        }
        await stop();
        const found = [0, 0, 0, 0];
        const ids: string[] = [];
        for (const line of linesOf(directory).filter(({ type }) => type === 'exchange')) {
          const { sourceIp = '', requestId = '', repeats } = line as Partial<ExchangeRecord>;
          const kind = Number(sourceIp.at(-1));
          found[kind] = (found[kind] ?? 0) + (repeats?.count ?? 1);
          ids.push(...(repeats?.requestIds ?? [requestId]));
          expect(ids.every((id) => id !== '')).toBe(true);
        }
        expect(found).toEqual(sent);
        expect(new Set(ids).size).toBe(ids.length);
      },
    );
    await fc.assert(property, runs(25));
  });
});

describe('denials that differ', () => {
  const token = { ...exchangeRecord('').token, sha256: 'b'.repeat(64) };
  it.each<[string, Partial<ExchangeRecord>, Partial<ExchangeRecord>]>([
    ['token', {}, { token }],
    ['subject under one digest', { token }, { token: { ...token, subject: 'x' } }],
    ['address', {}, { sourceIp: '192.0.2.11' }],
    ['address, without a token', { token: undefined }, { token: undefined, sourceIp: '192.0.2.9' }],
    ['peer', {}, { peerIp: '192.0.2.2' }],
    ['route', {}, { route: 'GET /v1/credentials' }],
    ['role', {}, { request: { role: 'orders-reader' } }],
    ['duration', {}, { request: { role: 'orders-writer', durationSeconds: 900 } }],
    ['role or none', {}, { request: {} }],
    ['mapping', {}, { mapping: { id: 'orders-reader', version: 3 } }],
    ['version of the mapping', {}, { mapping: { id: 'orders-writer', version: 4 } }],
    ['policy', {}, { policyRevision: 8 }],
    ['code', {}, { code: 'role_ambiguous' }],
    ['reason', {}, { reason: 'explicit_deny' }],
    ['client software', {}, { userAgent: 'curl' }],
    ['session', {}, { session: { role: 'r', name: 'n', durationSeconds: 900 } }],
    // An attempt to have two callers taken for one.
    [
      'place of a quotation mark',
      { userAgent: 'a","x":"b' },
      { userAgent: 'a', reason: 'x":"b' as ErrorReason },
    ],
  ])('in %s are never merged', async (_what, one, other) => {
    const { deny, exchanges, stop } = await started();
    await Promise.all([deny('r1', one), deny('r2', other)]);
    await Promise.all([deny('r3', other), deny('r4', one)]);
    expect(exchanges()).toEqual(['r1', 'r2']);
    await stop();
    expect(exchanges().toSorted()).toEqual(['r1', 'r1 +1', 'r2', 'r2 +1']);
  });
});

describe('what is not a denial', () => {
  it.each([
    ['issued', { outcome: 'issued', code: undefined, reason: undefined }],
    ['failed', { outcome: 'failed', code: 'sts_unavailable', reason: 'circuit_open' }],
  ] as const)('is recorded one by one: %s', async (_outcome, changes) => {
    const { deny, exchanges, stop } = await started();
    for (const id of ['r1', 'r2', 'r3']) await deny(id, changes);
    expect(exchanges()).toEqual(['r1', 'r2', 'r3']);
    await stop();
    expect(exchanges()).toEqual(['r1', 'r2', 'r3']);
  });
});

describe('a log that is away', () => {
  it('refuses the first of a kind and all that wait for it, and the next is a first one again', async () => {
    const { clock, deny, exchanges, log, stop } = await started();
    const unblock = blockDisk();
    const outcomes = Promise.allSettled(['r1', 'r2', 'r3'].map((id) => deny(id)));
    await turnBeforeCommit();
    await clock.advance(1_000);
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: unavailable });
    }
    await expect(deny('r4')).rejects.toMatchObject(unavailable);
    await unblock();
    await until(() => log.ready());

    await deny('r5');
    await deny('r6');
    await stop();
    // The blocked write of r1 went through in the end: one record too many is no harm.
    expect(exchanges()).toEqual(['r1', 'r5', 'r5 +1']);
  });

  it('loses no count: they are written when it is back, and nothing new is let through meanwhile', async () => {
    const { clock, deny, denials, exchanges, log, stop } = await started();
    for (const id of ['r1', 'r2', 'r3']) await deny(id);
    const unblock = blockDisk();
    await clock.advance(10_000);
    await turnBeforeCommit();
    await clock.advance(1_000);
    expect(log.ready()).toBe(false);
    await expect(deny('r4')).rejects.toMatchObject(unavailable);
    await expect(denials.record(exchangeRecord('r5'))).rejects.toMatchObject(unavailable);
    await unblock();
    await until(() => log.ready());
    await clock.advance(10_000);
    await written(exchanges, 3);
    await stop();
    // The summary was refused at its deadline, written all the same, and written again: it is the same record.
    expect(new Set(exchanges())).toEqual(new Set(['r1', 'r1 +2']));
  });

  it('does not hold up repeats inside an open window: their first one is durable', async () => {
    const { clock, deny, denials, exchanges, log, stop } = await started();
    await deny('r1');
    const unblock = blockDisk();
    const issue = denials.record(exchangeRecord('r2'));
    const refused = expect(issue).rejects.toMatchObject(unavailable);
    await turnBeforeCommit();
    await clock.advance(1_000);
    await refused;
    await deny('r3');
    await unblock();
    await until(() => log.ready());
    await stop();
    expect(exchanges()).toEqual(['r1', 'r2', 'r1 +1']);
  });

  it('is asked for one record in a window, however many counts wait', async () => {
    const asked: AuditRecord[] = [];
    const { clock, denials } = stubborn(asked, { away: () => true });
    for (let kind = 0; kind < 500; kind++) {
      for (const id of ['r1', 'r2']) await denials.record(denial(id, { sourceIp: String(kind) }));
    }
    asked.length = 0;
    await clock.advance(10_000);
    expect(asked).toHaveLength(1);
    await clock.advance(30_000);
    expect(asked).toHaveLength(4);
  });

  it('does not keep the broker from ending, which says how many counts are lost', async () => {
    const lost: number[] = [];
    const { denials } = stubborn([], { away: () => true, onLost: (count) => lost.push(count) });
    for (const id of ['r1', 'r2', 'r3']) await denials.record(denial(id));
    await denials.stop();
    expect(lost).toEqual([2]);
  });
});

describe('the number of kinds that are counted (T55)', () => {
  it('is bounded: the oldest is written out for a new one', async () => {
    const { deny, exchanges, stop } = await started({ maxKinds: 2 });
    for (const id of ['a1', 'a2', 'a3']) await deny(id, { sourceIp: 'a' });
    for (const id of ['b1', 'b2']) await deny(id, { sourceIp: 'b' });
    await deny('c1', { sourceIp: 'c' });
    await written(exchanges, 4);
    await deny('b3', { sourceIp: 'b' });
    await deny('a4', { sourceIp: 'a' });
    await stop();
    expect(exchanges()).toEqual(['a1', 'b1', 'c1', 'a1 +2', 'a4', 'b1 +2']);
  });

  it('is bounded by their size as well', async () => {
    const { deny, exchanges, stop } = await started({ maxBytes: 10_000 });
    const userAgent = 'x'.repeat(4_000);
    for (const id of ['a1', 'a2']) await deny(id, { sourceIp: 'a', userAgent });
    for (const id of ['b1', 'b2']) await deny(id, { sourceIp: 'b', userAgent });
    await deny('c1', { sourceIp: 'c', userAgent });
    await written(exchanges, 4);
    expect(exchanges()).toEqual(['a1', 'b1', 'c1', 'a1 +1']);
    await stop();
  });

  it('stays bounded when the log takes no summaries: denials are recorded one by one, and none is lost', async () => {
    const asked: ExchangeRecord[] = [];
    let away = true;
    const { clock, denials } = stubborn(asked, { away: () => away, maxKinds: 2 });
    const deny = (id: string, sourceIp: string) => denials.record(denial(id, { sourceIp }));
    for (const ip of ['a', 'b']) for (const id of ['1', '2', '3']) await deny(ip + id, ip);
    for (const ip of ['c', 'd', 'e']) for (const id of ['1', '2']) await deny(ip + id, ip);
    await turns();
    const inFull = asked.filter(({ repeats }) => repeats === undefined);
    expect(inFull.map(({ requestId }) => requestId)).toEqual(['a1', 'b1', 'c1', 'd1', 'e1', 'e2']);

    away = false;
    asked.length = 0;
    await clock.advance(10_000);
    await denials.stop();
    const summaries = asked.map(({ requestId, repeats }) => `${requestId} +${repeats?.count}`);
    expect(new Set(summaries)).toEqual(new Set(['a1 +2', 'b1 +2', 'c1 +1', 'd1 +1']));
    expect(summaries).toHaveLength(4);
  });
});

describe('the end of the process', () => {
  it('in order writes all counts, and what comes later is recorded one by one', async () => {
    const { deny, denials, log, exchanges } = await started();
    for (const id of ['r1', 'r2', 'r3']) await deny(id);
    await denials.stop();
    expect(exchanges()).toEqual(['r1', 'r1 +2']);
    for (const id of ['r4', 'r5']) await deny(id);
    await log.stop();
    expect(exchanges()).toEqual(['r1', 'r1 +2', 'r4', 'r5']);
  });

  it('waits for the first one of a kind that is being written', async () => {
    const { deny, denials, log, exchanges } = await started();
    const answered = ['r1', 'r2', 'r3'].map((id) => deny(id));
    await denials.stop();
    await Promise.all(answered);
    await log.stop();
    expect(exchanges()).toEqual(['r1', 'r2', 'r3']);
  });

  it('by a kill leaves the first of each kind and every closed window, and loses the counts of the open one', async () => {
    const { clock, deny, exchanges, directory, log } = await started();
    for (const id of ['r1', 'r2', 'r3']) await deny(id);
    await clock.advance(10_000);
    await written(exchanges, 2);
    for (const id of ['r4', 'r5', 'r6']) await deny(id);
    // What is on the disk at this moment is what a kill would leave.
    expect(exchanges()).toEqual(['r1', 'r1 +2', 'r4']);
    expect((await verify(directory)).intact).toBe(true);
    await log.stop();
  });
});

interface Stubborn {
  readonly away: () => boolean;
  readonly onLost?: (count: number) => void;
  readonly maxKinds?: number;
}

/** Over a log that takes every record but summaries while it is away. */
function stubborn(asked: AuditRecord[], { away, onLost, ...options }: Stubborn) {
  const clock: TestClock = createTestClock();
  const log: AuditLog = {
    async record(record) {
      asked.push(record);
      if ('repeats' in record && away()) throw new BrokerError('audit_unavailable');
    },
  };
  const observer = onLost === undefined ? {} : { onLost };
  return { clock, denials: new RepeatedDenials({ log, clock, observer, ...options }) };
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await turnBeforeCommit();
}
