import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { sealRecords, startChain } from '../../src/audit/hash-chain.ts';
import { maxLineBytes, maxStringLength, recordFields } from '../../src/audit/record-fields.ts';
import type { ErrorReason } from '../../src/core/errors.ts';
import type { AuditRecord } from '../../src/core/records/audit-record.ts';
import type { ExchangeRecord } from '../../src/core/records/exchange-record.ts';
import { runs } from '../support/fuzz-budget.ts';
import { exchangeRecord, mappingChange } from './audit-fixture.ts';

function lineOf(record: AuditRecord): string {
  return sealRecords(startChain(), [recordFields(record)]).text;
}

function parsed(record: AuditRecord): Record<string, unknown> {
  return JSON.parse(lineOf(record)) as Record<string, unknown>;
}

const hostileText = fc.string({
  unit: fc.oneof(
    fc.constantFrom('\n', '\r', '\0', '\u001b', '\u007f', '\u0085', '\u009b', '\u2028', '\u2029'),
    fc.constantFrom('\u202e', '\u2066', '\u200f', '\u200b', '\ufeff', '\u{e0041}', '"', '\\', '{'),
    fc.constantFrom('\ud800', '\udfff', 'é', '😀'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  ),
  maxLength: 200,
});

describe('a record as a line', () => {
  it('is one line of printable ASCII that parses back to what was recorded, whatever strings are in it (T39)', () => {
    fc.assert(
      fc.property(hostileText, hostileText, (userAgent, subject) => {
        const record = exchangeRecord('r1', { userAgent, token: { sha256: 'a', subject } });
        const line = lineOf(record);
        expect(line).toMatch(/^[\x20-\x7e]+\n$/);
        expect(JSON.parse(line)).toMatchObject(JSON.parse(JSON.stringify(record)) as object);
      }),
    );
  });

  it('leaves out members that are undefined', () => {
    const record = exchangeRecord('r1', {
      userAgent: undefined,
      token: { sha256: 'a', id: undefined },
    });
    expect(parsed(record)).not.toHaveProperty('userAgent');
    expect(parsed(record)).toMatchObject({ token: { sha256: 'a' } });
    expect(parsed(record)['token']).not.toHaveProperty('id');
  });

  it('says the same of a caller and session that come back in the next record', () => {
    const record = exchangeRecord('r1', { token: { sha256: 'a', subject: '\u202e'.repeat(2000) } });
    const again = { ...record, requestId: 'r2' };
    expect(parsed(again)).toMatchObject({ token: parsed(record)['token'], truncated: true });
  });

  it('cannot be made to carry a second seal or number by the strings in it', () => {
    const forged = `","seq":99,"prev":"${'0'.repeat(64)}","hash":"${'0'.repeat(64)}"}\n{"seq":2,`;
    const line = lineOf(exchangeRecord('r1', { userAgent: forged }));
    expect(line.split('\n')).toHaveLength(2);
    expect(JSON.parse(line)).toMatchObject({ seq: 1, userAgent: forged });
  });

  it.each([
    ['ASCII', 'x'],
    ['controls, which take six bytes each', '\u0001'],
    ['characters beyond the basic plane', '😀'],
  ])('cuts a string of a megabyte and says so: %s (T39, T55)', (_name, unit) => {
    const userAgent = unit.repeat(1024 * 1024);
    const line = lineOf(exchangeRecord('r1', { userAgent }));
    expect(line.length).toBeLessThanOrEqual(maxLineBytes);
    expect(JSON.parse(line)).toMatchObject({
      truncated: true,
      userAgent: userAgent.slice(0, maxStringLength),
      requestId: 'r1',
    });
  });

  it('keeps a string of exactly the limit whole and unmarked', () => {
    const userAgent = 'x'.repeat(maxStringLength);
    expect(parsed(exchangeRecord('r1', { userAgent }))).not.toHaveProperty('truncated');
    expect(parsed(exchangeRecord('r1', { userAgent }))).toMatchObject({ userAgent });
  });

  it('stays within its limit when every string in it is far too long (T39, T55)', () => {
    const long = '\u0001'.repeat(100_000);
    const record = exchangeRecord(long, {
      route: long,
      sourceIp: long,
      peerIp: long,
      userAgent: long,
      reason: long as ErrorReason,
      token: { sha256: long, issuer: long, pool: long, clientId: long, subject: long, use: long },
      request: {
        role: long,
        sessionName: long,
        policySha256: long,
        policyArns: Array(10).fill(long),
      },
      session: { role: long, name: long, durationSeconds: 900, policyArns: Array(10).fill(long) },
    });
    const line = lineOf(record);
    expect(line.length).toBeLessThanOrEqual(maxLineBytes);
    expect(JSON.parse(line)).toMatchObject({
      type: 'exchange',
      outcome: 'issued',
      truncated: true,
    });
  });

  it('keeps the documents of a mapping change whole while they fit, long strings included', () => {
    const record = mappingChange(6_000);
    expect(parsed(record)).toMatchObject({ before: record.before, after: record.after });
    expect(parsed(record)).not.toHaveProperty('truncated');
  });

  it('replaces the documents of a mapping change by digests, the older one first, when they do not fit', () => {
    const digest = { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) };
    const twelve = mappingChange(12_000);
    expect(parsed(twelve)).toMatchObject({ before: digest, after: twelve.after, truncated: true });
    const twenty = mappingChange(20_000);
    expect(parsed(twenty)).toMatchObject({ before: digest, after: digest, truncated: true });
    expect(parsed(twenty)['before']).not.toEqual(parsed(twenty)['after']);
  });

  it('records that there was no document before or after, also when the other is too long', () => {
    expect(parsed({ ...mappingChange(20_000), before: null })).toMatchObject({ before: null });
    expect(parsed({ ...mappingChange(20_000), after: null })).toMatchObject({ after: null });
  });
});

describe('the records of one session', () => {
  const text = fc.constantFrom('a', 'b', 'x'.repeat(maxStringLength + 1), '\u202e');
  const frozen = fc.record({ accessKeyId: text, cached: fc.boolean() });
  const credentials = fc
    .array(frozen, { minLength: 1, maxLength: 2 })
    .map((all) => all.map((one) => Object.freeze(one)));
  const changes = fc.record(
    {
      userAgent: text,
      outcome: fc.constantFrom('issued', 'denied'),
      code: fc.constantFrom('access_denied', undefined),
      reason: fc.constantFrom('no_mapping', undefined),
      token: fc.record({ sha256: text }).map((token) => Object.freeze(token)),
      request: fc.option(
        fc
          .record(
            { role: text, durationSeconds: fc.constantFrom(900, 3600), policyArns: fc.array(text) },
            { requiredKeys: [] },
          )
          .chain((request) => fc.constantFrom(request, Object.freeze({ ...request }))),
        { nil: undefined },
      ),
      policyRevision: fc.nat(2),
      mapping: fc.record({ id: text, version: fc.nat(1) }).map((mapping) => Object.freeze(mapping)),
      session: fc.record({ name: text }).map((session) => Object.freeze(session)),
    },
    { requiredKeys: [] },
  );

  it('each say what they were given, whichever of their members are those of the record before', () => {
    const all = fc.tuple(credentials, fc.array(fc.tuple(changes, fc.nat(1)), { maxLength: 6 }));
    fc.assert(
      fc.property(all, ([issued, steps]) => {
        let fields: object = {};
        for (const [change, which] of steps) {
          fields = { ...fields, ...change, credentials: issued[which % issued.length] };
          const record = exchangeRecord('r1', fields as Partial<ExchangeRecord>);
          // Nothing of a copy was ever printed before.
          expect(parsed(record)).toEqual({
            ...parsed(structuredClone(record)),
            hash: expect.any(String),
            chain: expect.any(String),
          });
        }
      }),
      runs(1000),
    );
  });
});
