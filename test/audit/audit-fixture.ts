import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ChainedAuditLog } from '../../src/audit/audit-log.ts';
import type {
  AuditAlarmEvent,
  AuditCommitEvent,
  AuditFailureEvent,
  AuditObserver,
} from '../../src/audit/audit-sink.ts';
import { FileSink, type FileSinkOptions } from '../../src/audit/file-sink.ts';
import { type Verification, verifyAuditLog } from '../../src/audit/verify.ts';
import { roleMappingSchema } from '../../src/core/policy/role-mapping.ts';
import type { AuditRecord } from '../../src/core/records/audit-record.ts';
import type { MappingChangeRecord } from '../../src/core/records/change-records.ts';
import type { ExchangeRecord } from '../../src/core/records/exchange-record.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { createTestClock } from '../support/test-clock.ts';

export const version = '1.2.3';

export function exchangeRecord(requestId: string, changes: Partial<ExchangeRecord> = {}) {
  return {
    type: 'exchange',
    time: '2026-01-15T12:00:00.000Z',
    requestId,
    route: 'POST /v1/credentials',
    sourceIp: '192.0.2.10',
    peerIp: '192.0.2.1',
    outcome: 'issued',
    token: {
      sha256: 'a'.repeat(64),
      issuer: 'https://cognito-idp.us-east-1.amazonaws.com/us-east-1_AbCdEf123',
      pool: 'us-east-1_AbCdEf123',
      clientId: '4abc0exampleclientid',
      subject: '4abc0exampleclientid',
      use: 'access',
    },
    policyRevision: 7,
    mapping: { id: 'orders-writer', version: 3 },
    session: {
      role: 'arn:aws:iam::123456789012:role/broker/orders-writer',
      name: '4abc0exampleclientid',
      durationSeconds: 3600,
    },
    credentials: {
      cached: false,
      accessKeyId: `ASIA${requestId}`,
      assumedRoleId: 'AROAEXAMPLE:4abc0exampleclientid',
      stsRequestId: 'c0ffee00-1234-4123-8123-123456789012',
      expiration: '2026-01-15T13:00:00Z',
    },
    ...changes,
  } satisfies ExchangeRecord;
}

export function mappingChange(policyBytes: number): MappingChangeRecord {
  const document = (description: string) =>
    roleMappingSchema.parse({
      id: 'orders-writer',
      description,
      principal: { pool: 'us-east-1_AbCdEf123', client: '4abc0exampleclientid' },
      effect: 'allow',
      role: 'arn:aws:iam::123456789012:role/broker/orders-writer',
      session: { policy: { Version: '2012-10-17', Statement: ['x'.repeat(policyBytes)] } },
      owner: 'payments-platform',
    });
  return {
    type: 'mapping_change',
    time: '2026-01-15T12:00:00.000Z',
    requestId: 'change-1',
    route: 'PUT /v1/role-mappings/{id}',
    sourceIp: '192.0.2.10',
    peerIp: '192.0.2.1',
    token: { sha256: 'a'.repeat(64) },
    actor: 'us-east-1_AbCdEf123/4abc0exampleclientid',
    actorProven: true,
    outcome: 'authorized',
    action: 'replace',
    mappingId: 'orders-writer',
    reason: 'narrower policy',
    before: document('before'),
    after: document('after'),
  };
}

/** An empty directory, removed by `removeDirectories`. */
export function newDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'audit-'));
  created.push(directory);
  return directory;
}

const created: string[] = [];

export function removeDirectories(): void {
  for (const directory of created.splice(0)) rmSync(directory, { recursive: true, force: true });
}

export interface Observed {
  readonly commits: AuditCommitEvent[];
  readonly failures: AuditFailureEvent[];
  readonly alarms: AuditAlarmEvent[];
  readonly observer: AuditObserver;
  /** Resolves at the next commit of at least that many records. */
  nextCommit(): Promise<void>;
}

export function observed(): Observed {
  const [commits, failures, alarms]: [AuditCommitEvent[], AuditFailureEvent[], AuditAlarmEvent[]] =
    [[], [], []];
  let waiting: (() => void)[] = [];
  return {
    commits,
    failures,
    alarms,
    observer: {
      onCommit(event) {
        commits.push(event);
        for (const resolve of waiting) resolve();
        waiting = [];
      },
      onFailure: (event) => void failures.push(event),
      onAlarm: (event) => void alarms.push(event),
    },
    nextCommit: () => new Promise((resolve) => void waiting.push(resolve)),
  };
}

/** Of real time, where the deadline is not the subject: the machine may be busy. */
export const patientDeadlineMs = 60_000;

/** Without a clock in the options it is the real one, and the deadline a long one. */
export function fileLog(directory: string, options: Partial<FileSinkOptions> = {}) {
  const events = observed();
  const sink = new FileSink({
    directory,
    clock: systemClock,
    version,
    observer: events.observer,
    ...(options.clock === undefined ? { deadlineMs: patientDeadlineMs } : {}),
    ...options,
  });
  return { log: new ChainedAuditLog({ durable: [sink] }), sink, ...events };
}

/** A log with these records, of a broker that started then; closed. */
export async function logOf(
  directory: string,
  startMs: number,
  ...records: readonly AuditRecord[]
): Promise<void> {
  const { log } = fileLog(directory, { clock: createTestClock(startMs) });
  await log.start();
  for (const record of records) await log.record(record);
  await log.stop();
}

/** A directory whose log holds `count` records of requests `r1` to `r<count>`, closed. */
export async function writtenLog(
  count: number,
  options: Partial<FileSinkOptions> = {},
): Promise<string> {
  const directory = newDirectory();
  const { log } = fileLog(directory, options);
  await log.start();
  for (let number = 1; number <= count; number++) await log.record(exchangeRecord(`r${number}`));
  await log.stop();
  return directory;
}

export interface WrittenLine {
  readonly type: string;
  readonly seq: number;
  readonly requestId?: string;
  readonly [field: string]: unknown;
}

/** The file that is being written. */
export const current = (directory: string) => path.join(directory, 'audit.jsonl');

/** Everything in the log, in order, parsed. */
export function linesOf(directory: string): readonly WrittenLine[] {
  const names = readdirSync(directory).filter((name) => name.endsWith('.jsonl'));
  return names.sort().flatMap((name) =>
    readFileSync(path.join(directory, name), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as WrittenLine),
  );
}

export function requestIdsOf(directory: string): readonly string[] {
  return linesOf(directory).flatMap(({ requestId }) => (requestId === undefined ? [] : requestId));
}

export function verify(location: string): Promise<Verification> {
  return verifyAuditLog({ location });
}

/** A commit begins at the end of the second turn of the event loop after its first record. */
export function turnBeforeCommit(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
