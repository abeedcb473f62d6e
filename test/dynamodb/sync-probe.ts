import type { Caller } from '../../src/core/caller.ts';
import { decide } from '../../src/core/policy/decide.ts';
import { PolicySync, type PolicySyncOptions } from '../../src/dynamodb/policy-sync.ts';
import type { PollResult } from '../../src/dynamodb/policy-sync-observer.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';
import { pool, rules } from './table-fixture.ts';

export interface SyncProbe {
  readonly sync: PolicySync;
  readonly clock: TestClock;
  /** Alarms that began, in order. */
  readonly alarms: readonly string[];
  readonly failures: readonly unknown[];
  /** Ids of the rows that the change log does not explain, of the last complete read. */
  readonly unexplained: readonly string[];
  /** Of the snapshot file. */
  readonly fileFailures: readonly unknown[];
  /** Lets two seconds pass; what the poll then due came to. */
  tick(): Promise<PollResult>;
  /** Lets time pass until everything is due to be read again; the poll then due starts that. */
  tickToReload(): Promise<PollResult>;
  /** Resolves once something that the observer hears of makes this true. */
  until(condition: () => boolean): Promise<void>;
}

export function probeSync(
  options: Pick<PolicySyncOptions, 'table'> & Partial<PolicySyncOptions>,
  clock: TestClock = createTestClock(),
): SyncProbe {
  const alarms: string[] = [];
  const failures: unknown[] = [];
  let unexplained: readonly string[] = [];
  const fileFailures: unknown[] = [];
  const polls: PollResult[] = [];
  const waiting = new Set<() => void>();
  const look = () => {
    for (const check of waiting) check();
  };
  const until = (condition: () => boolean) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (!condition()) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  const sync = new PolicySync({
    rules,
    clock,
    random: () => 0.5,
    observer: {
      onPoll({ result }) {
        polls.push(result);
        look();
      },
      onApplied: look,
      onAlarm(alarm) {
        alarms.push(alarm);
        look();
      },
      onAlarmOver: look,
      onUnexplained(ids) {
        unexplained = ids;
      },
      onFailure: (error) => void failures.push(error),
      onSnapshotFileFailed: (failure) => void fileFailures.push(failure),
    },
    ...options,
  });
  const pass = async (ms: number): Promise<PollResult> => {
    const before = polls.length;
    await clock.advance(ms);
    await until(() => polls.length > before);
    return polls.at(-1) ?? 'failed';
  };
  return {
    sync,
    clock,
    alarms,
    failures,
    get unexplained() {
      return unexplained;
    },
    fileFailures,
    tick: () => pass(2_000),
    async tickToReload() {
      await pass(11 * 60_000);
      return await pass(2_000);
    },
    until,
  };
}

const running: SyncProbe[] = [];

/** One that has started, until `stopProbes`. */
export async function startProbe(...args: Parameters<typeof probeSync>): Promise<SyncProbe> {
  const probe = probeSync(...args);
  running.push(probe);
  await probe.sync.start();
  return probe;
}

/** After each test. */
export async function stopProbes(): Promise<void> {
  await Promise.all(running.splice(0).map(({ sync }) => sync.stop()));
}

/** Whether the policy in force lets this app client have this role now: the role's name as in `mapping()`. */
export function allows(probe: SyncProbe, clientId: string, role: string): boolean {
  const request = {
    role: `arn:aws:iam::123456789012:role/broker/${role}`,
    durationSeconds: undefined,
    sourceIp: '10.0.0.1',
  };
  return (
    decide(probe.sync.current(), callerOf(clientId), request, probe.clock.now()).kind === 'allow'
  );
}

function callerOf(clientId: string): Caller {
  return {
    issuer: `https://cognito-idp.us-east-1.amazonaws.com/${pool}`,
    pool,
    subject: clientId,
    clientId,
    tokenUse: 'access',
    machine: true,
    groups: [],
    scopes: new Set(),
    audience: clientId,
    claims: new Map(),
    sessionClaims: '',
    tokenId: undefined,
    originTokenId: undefined,
    tokenSha256: 'a'.repeat(64),
    issuedAt: 0,
    signedInAt: undefined,
    amr: [],
    expiresAt: Number.MAX_SAFE_INTEGER,
  };
}
