/** Whoever has proven nothing makes a bounded number of records, whatever they send, and every refusal is counted. */

import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RepeatedDenials } from '../../src/audit/repeated-denials.ts';
import type { BrokerErrorCode } from '../../src/core/errors.ts';
import type { AuditRecord } from '../../src/core/records/audit-record.ts';
import type { MappingChangeRecord } from '../../src/core/records/change-records.ts';
import type { ExchangeRecord } from '../../src/core/records/exchange-record.ts';
import { portion, runs } from '../support/fuzz-budget.ts';
import { createTestClock } from '../support/test-clock.ts';
import {
  exchangeRecord,
  fileLog,
  linesOf,
  mappingChange,
  newDirectory,
  removeDirectories,
} from './audit-fixture.ts';

afterEach(removeDirectories);

const codes: readonly BrokerErrorCode[] = [
  'token_missing',
  'token_malformed',
  'token_expired',
  'rate_limited',
  'body_malformed',
];

interface Sent {
  readonly code: BrokerErrorCode;
  readonly address: string;
  readonly agent: string;
  readonly route: string;
  readonly digest: string | undefined;
  readonly role: string | undefined;
  readonly edit: boolean;
}

function recordOf(sent: Sent, requestId: string): ExchangeRecord | MappingChangeRecord {
  const { code, address, agent, route, digest, role, edit } = sent;
  const token = digest === undefined ? undefined : { sha256: digest };
  const common = { requestId, code, token, userAgent: agent, route, sourceIp: address };
  if (edit) {
    const change = { ...mappingChange(0), ...common, before: null, after: null };
    return { ...change, outcome: 'refused', mappingId: role };
  }
  return exchangeRecord(requestId, {
    ...common,
    outcome: 'denied',
    request: { role },
    policyRevision: undefined,
    mapping: undefined,
    session: undefined,
    credentials: undefined,
  }) as ExchangeRecord;
}

function collecting() {
  const clock = createTestClock();
  const kept: (ExchangeRecord | MappingChangeRecord)[] = [];
  const log = {
    record: async (record: AuditRecord) => void kept.push(record as ExchangeRecord),
  };
  return { clock, kept, denials: new RepeatedDenials({ log, clock }) };
}

const countsOf = (records: readonly (ExchangeRecord | MappingChangeRecord)[]) =>
  records.reduce((sum, { repeats }) => sum + (repeats?.count ?? 1), 0);

const text = fc.string({ maxLength: 2_000 });
const sentByStranger: fc.Arbitrary<Sent> = fc.record({
  code: fc.constantFrom(...codes),
  address: fc.oneof(fc.constantFrom('192.0.2.1', '192.0.2.2'), fc.ipV4(), fc.ipV6()),
  agent: text,
  route: fc.constantFrom('/v1/credentials', 'GET /v1/credentials', '/sts'),
  digest: fc.option(fc.stringMatching(/^[0-9a-f]{64}$/), { nil: undefined }),
  role: fc.option(text, { nil: undefined }),
  edit: fc.boolean(),
});

describe('refusals before authentication', () => {
  it('T70: make two records in ten seconds for one address and code, whatever else is varied', async () => {
    const { clock, denials, kept } = collecting();
    for (let number = 0; number < 20_000; number += 1) {
      const varied = {
        code: 'token_malformed',
        address: '192.0.2.1',
        agent: `agent/${number}`,
        route: number % 2 === 0 ? '/sts' : '/v1/credentials',
        digest: String(number).padStart(64, '0'),
        role: `role-${number}`,
        edit: false,
      } as const;
      await denials.record(recordOf(varied, `r${number}`));
    }
    await clock.advance(10_000);
    expect(kept).toHaveLength(2);
    const [first, counted] = kept;
    expect(first).toMatchObject({ requestId: 'r0', userAgent: 'agent/0' });
    expect(counted).toMatchObject({
      requestId: 'r0',
      sourceIp: '192.0.2.1',
      route: '*',
      peerIp: '*',
      code: 'token_malformed',
      repeats: { count: 19_999 },
    });
    for (const member of ['userAgent', 'token', 'request']) {
      expect(counted).not.toHaveProperty(member);
    }
  });

  it('T70: are counted exactly, and make few records of bounded size, whatever strangers send from wherever', async () => {
    const property = fc.asyncProperty(
      fc.array(sentByStranger, { minLength: 1, maxLength: 300 }),
      fc.nat({ max: 12_000 }),
      async (requests, pauseMs) => {
        const { clock, denials, kept } = collecting();
        for (const [index, sent] of requests.entries()) {
          await denials.record(recordOf(sent, `r${index}`));
          if (index % 100 === 99) await clock.advance(pauseMs);
        }
        await denials.stop();
        expect(countsOf(kept)).toBe(requests.length);
        const windows = 1 + Math.floor(requests.length / 100);
        // 32 of their own, and two types of record for each code beyond that: the first one and its count.
        expect(kept.length).toBeLessThanOrEqual(windows * (32 + 2 * codes.length) * 2);
        for (const record of kept) expect(JSON.stringify(record).length).toBeLessThan(5_000);
      },
    );
    await fc.assert(property, runs(30));
  });

  it('T70: from however many blocks of addresses are counted together once 32 have records', async () => {
    const { clock, denials, kept } = collecting();
    const blocks = portion(100_000);
    for (let number = 0; number < blocks; number += 1) {
      const address = `2001:db8:${(number >> 8).toString(16)}:${(number & 255).toString(16)}::1`;
      const sent = {
        code: 'token_missing',
        address,
        agent: '',
        route: '/sts',
        edit: false,
      } as const;
      const record = recordOf({ ...sent, digest: undefined, role: undefined }, `r${number}`);
      await denials.record(record);
    }
    await clock.advance(10_000);
    await denials.stop();
    expect(countsOf(kept)).toBe(blocks);
    expect(kept.length).toBeLessThanOrEqual(34);
    expect(kept.at(-1)).toMatchObject({ sourceIp: '*', repeats: { count: blocks - 33 } });
  });

  it('T70: of one IPv6 network of 64 bits are of one address', async () => {
    const { denials, kept } = collecting();
    for (const host of ['1', '2', 'ffff:1', '9:8:7:6']) {
      const sent = { code: 'token_missing', agent: 'a', route: '/sts', edit: false } as const;
      const address =
        host.includes(':') && host.length > 6 ? `2001:db8:0:5:${host}` : `2001:db8:0:5::${host}`;
      await denials.record(
        recordOf({ ...sent, address, digest: undefined, role: undefined }, host),
      );
    }
    await denials.stop();
    expect(kept.map(({ sourceIp, repeats }) => [sourceIp, repeats?.count])).toEqual([
      ['2001:db8:0:5::1', undefined],
      ['2001:db8:0:5::/64', 3],
    ]);
  });

  it('T70: include failures of what the broker depends on, which a stranger can ask for as often', async () => {
    const { denials, kept } = collecting();
    for (let number = 0; number < 50; number += 1) {
      const sent = { code: 'keys_unavailable', address: '192.0.2.1', agent: `a${number}` } as const;
      const failed = {
        ...sent,
        route: '/sts',
        digest: 'f'.repeat(64),
        role: undefined,
        edit: false,
      };
      await denials.record({
        ...recordOf(failed, `r${number}`),
        outcome: 'failed',
      } as ExchangeRecord);
    }
    await denials.stop();
    expect(kept.map(({ repeats }) => repeats?.count)).toEqual([undefined, 49]);
  });
});

describe('refusals of one caller', () => {
  const deny = (
    denials: RepeatedDenials,
    number: number,
    code: BrokerErrorCode = 'access_denied',
  ) =>
    denials.record(
      exchangeRecord(`r${number}`, {
        outcome: 'denied',
        code,
        userAgent: `agent/${number}`,
        request: { role: `role-${number}` },
        session: undefined,
        credentials: undefined,
      }) as ExchangeRecord,
    );

  it('T70: get 64 records of their own in ten seconds, however they are varied, and are counted beyond that', async () => {
    const { clock, denials, kept } = collecting();
    for (let number = 0; number < 5_000; number += 1) await deny(denials, number);
    await clock.advance(10_000);
    expect(kept).toHaveLength(66);
    expect(countsOf(kept)).toBe(5_000);
    expect(kept.at(-1)).toMatchObject({
      sourceIp: '*',
      token: { sha256: '*', subject: '4abc0exampleclientid', pool: 'us-east-1_AbCdEf123' },
      repeats: { count: 5_000 - 65 },
    });
  });

  it('T70: for asking too often are one kind, whatever it asks for', async () => {
    const { denials, kept } = collecting();
    for (let number = 0; number < 500; number += 1) await deny(denials, number, 'rate_limited');
    await denials.stop();
    expect(kept.map(({ repeats }) => repeats?.count)).toEqual([undefined, 499]);
  });

  it('T70: leave the share of everybody else as it is', async () => {
    const { denials, kept } = collecting();
    for (let number = 0; number < 500; number += 1) await deny(denials, number);
    const other = {
      ...exchangeRecord('').token,
      sha256: 'b'.repeat(64),
      subject: 'somebody else',
    };
    const denied = { outcome: 'denied', code: 'access_denied', token: other } as const;
    await denials.record(exchangeRecord('other', denied) as ExchangeRecord);
    expect(kept.at(-1)).toMatchObject({ requestId: 'other', token: { subject: 'somebody else' } });
    expect(kept.at(-1)?.repeats).toBe(undefined);
    await denials.stop();
  });
});

describe('what becomes of an authorized change', () => {
  it('T70: has a record of its own each time, however many there are', async () => {
    const { denials, kept } = collecting();
    const lost = { ...mappingChange(0), outcome: 'refused', code: 'precondition_failed' } as const;
    for (let number = 0; number < 200; number += 1) {
      await denials.record({ ...lost, requestId: `change-${number}` });
    }
    expect(kept).toHaveLength(200);
    await denials.stop();
  });
});

describe('counts over a real log', () => {
  it('T70: are in it, sealed, together with the first of each kind', async () => {
    const directory = newDirectory();
    const clock = createTestClock();
    const { log } = fileLog(directory, { clock });
    await log.start();
    const denials = new RepeatedDenials({ log, clock });
    const sent = {
      code: 'token_missing',
      address: '192.0.2.1',
      route: '/sts',
      edit: true,
    } as const;
    await Promise.all(
      Array.from({ length: 300 }, (_, number) =>
        denials.record(
          recordOf({ ...sent, agent: `a${number}`, digest: undefined, role: 'x' }, `r${number}`),
        ),
      ),
    );
    await denials.stop();
    await log.stop();
    const changes = linesOf(directory).filter(({ type }) => type === 'mapping_change');
    expect(changes).toMatchObject([
      { requestId: 'r0', mappingId: 'x' },
      { requestId: 'r0', action: '*', repeats: { count: 299 } },
    ]);
  });
});
