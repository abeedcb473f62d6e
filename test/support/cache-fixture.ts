import {
  type CacheEvent,
  CredentialCache,
  type CredentialCacheOptions,
} from '../../src/sts/credential-cache.ts';
import { askerOf, honestly, type ScriptedAnswer, type ScriptedSts } from './scripted-sts.ts';
import { type PlannedCall, planned } from './session-plans.ts';
import { noRetries, startStsFixture } from './sts-fixture.ts';
import { createTestClock, type TestClock } from './test-clock.ts';
import { until } from './until.ts';

export interface CacheFixture {
  readonly clock: TestClock;
  readonly cache: CredentialCache;
  readonly server: ScriptedSts;
  readonly events: readonly CacheEvent[];
  count(event: CacheEvent): number;
  /** Number of the STS call that brought the credentials. */
  ask(call?: PlannedCall): Promise<number>;
  answer(answer: ScriptedAnswer | 'honestly'): void;
  /** Answers nothing until the returned function is called, then everything honestly. */
  hold(): () => void;
  /** Waits for background renewals to end: `ends` in all so far. */
  renewalsEnded(ends: number): Promise<void>;
  stop(): Promise<void>;
}

export type CacheFixtureOptions = Partial<CredentialCacheOptions>;

/** The cache in front of the real adapter, the real SDK and a scripted STS. */
export async function startCacheFixture(options: CacheFixtureOptions = {}): Promise<CacheFixture> {
  const clock = createTestClock();
  const sts = await startStsFixture({ clock, maxInFlight: 1000, ...noRetries });
  const [server] = sts.servers;
  const events: CacheEvent[] = [];
  const cache = new CredentialCache({
    issuer: sts.adapter,
    clock,
    random: () => 0.5,
    observer: (event) => events.push(event),
    ...options,
  });
  const count = (event: CacheEvent) => events.filter((one) => one === event).length;
  return {
    clock,
    cache,
    server,
    events,
    count,
    async ask({ plan, token } = theCall) {
      const { session } = await cache.issue(plan, token);
      return askerOf(session.credentials.sessionToken).number;
    },
    answer(answer) {
      server.script = answer === 'honestly' ? honestly(clock) : () => answer;
    },
    hold() {
      let release = () => {};
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      const honest = honestly(clock);
      server.script = async (call, number) => {
        await released;
        return honest(call, number);
      };
      return release;
    },
    renewalsEnded: (ends) => until(() => count('renewed') + count('renewal_failed') >= ends),
    stop: () => sts.stop(),
  };
}

/** The plan that tests ask for when it does not matter which: an hour. */
export const theCall = planned();
