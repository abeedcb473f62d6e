import { describe, expect, it } from '@jest/globals';
import { DecisionTail } from '../../src/audit/decision-tail.ts';
import type { AuditRecord } from '../../src/core/records/audit-record.ts';
import type { ExchangeRecord } from '../../src/core/records/exchange-record.ts';

function decision(requestId: string): ExchangeRecord {
  return {
    type: 'exchange',
    time: '2026-01-15T12:00:00.000Z',
    requestId,
    route: 'POST /v1/credentials',
    sourceIp: '10.0.0.7',
    peerIp: '10.0.0.7',
    outcome: 'issued',
  };
}

/** A log whose records become durable, or are lost, when the test says so. */
function heldLog() {
  const waiting: { settle: (error?: Error) => void }[] = [];
  return {
    waiting,
    record: (_record: AuditRecord) =>
      new Promise<void>((resolve, reject) => {
        waiting.push({ settle: (error) => (error === undefined ? resolve() : reject(error)) });
      }),
  };
}

const atOnce = { record: () => Promise.resolve() };
const idsIn = (tail: DecisionTail) => [...tail.newestFirst()].map(({ requestId }) => requestId);

describe('the tail of decisions', () => {
  it('T174: shows a decision once it is on record, and not at all what never is', async () => {
    const log = heldLog();
    const tail = new DecisionTail({ log, startedAt: 0 });
    const [first, second] = [tail.record(decision('first')), tail.record(decision('second'))];
    expect(idsIn(tail)).toEqual([]);
    log.waiting[1]?.settle();
    await second;
    expect(idsIn(tail)).toEqual(['second']);
    log.waiting[0]?.settle(new Error('the disk is full'));
    await expect(first).rejects.toThrow('the disk is full');
    expect(idsIn(tail)).toEqual(['second']);
  });

  it.each([0, 1, 2, 3, 4, 7])(
    'T174: of %i remembers the last three, newest first',
    async (count) => {
      const tail = new DecisionTail({ log: atOnce, startedAt: 0, most: 3 });
      const ids = Array.from({ length: count }, (_one, index) => `request ${index}`);
      for (const id of ids) await tail.record(decision(id));
      expect(idsIn(tail)).toEqual(ids.slice(-3).reverse());
    },
  );

  it('remembers decisions alone', async () => {
    const tail = new DecisionTail({ log: atOnce, startedAt: 0 });
    const { outcome: _outcome, ...where } = decision('a look');
    await tail.record({ ...where, type: 'access', listener: 'admin', outcome: 'permitted' });
    expect(idsIn(tail)).toEqual([]);
  });

  it('remembers when each mapping was last issued by, longer than the decision itself, and of so many', async () => {
    const tail = new DecisionTail({ log: atOnce, startedAt: 0, most: 1, mostMappings: 2 });
    const issued = (id: string, time: string) =>
      tail.record({ ...decision(id), time, mapping: { id, version: 1 } });
    await issued('first', '2026-01-15T12:00:00.000Z');
    await issued('second', '2026-01-15T12:00:01.000Z');
    await tail.record({
      ...decision('first'),
      outcome: 'denied',
      mapping: { id: 'first', version: 1 },
    });
    expect([tail.lastIssued('first'), tail.lastIssued('second')]).toEqual([
      '2026-01-15T12:00:00.000Z',
      '2026-01-15T12:00:01.000Z',
    ]);
    await issued('third', '2026-01-15T12:00:02.000Z');
    expect([tail.lastIssued('first'), tail.lastIssued('third')]).toEqual([
      undefined,
      '2026-01-15T12:00:02.000Z',
    ]);
    expect(tail.since).toBe('1970-01-01T00:00:00.000Z');
  });
});
