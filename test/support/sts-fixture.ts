import type { IssueResult } from '../../src/core/credentials.ts';
import { BrokerError } from '../../src/core/errors.ts';
import { type Clock, systemClock } from '../../src/kit/timing/clock.ts';
import {
  StsWebIdentityAdapter,
  type StsWebIdentityAdapterOptions,
} from '../../src/sts/web-identity-adapter.ts';
import { type ScriptedSts, startScriptedSts } from './scripted-sts.ts';

export interface StsFixture {
  /** One per region, in order. */
  readonly servers: readonly [ScriptedSts, ...ScriptedSts[]];
  readonly adapter: StsWebIdentityAdapter;
  stop(): Promise<void>;
}

export interface StsFixtureOptions extends Partial<StsWebIdentityAdapterOptions> {
  readonly clock?: Clock;
  readonly regions?: readonly [string, ...string[]];
}

/** Makes every pause before a retry longer than the time for the whole exchange, so that none happens. */
export const noRetries = { random: () => 1000 };

/** The real adapter, through the real SDK, against scripted servers. */
export async function startStsFixture({
  clock = systemClock,
  regions = ['us-east-1'],
  ...options
}: StsFixtureOptions = {}): Promise<StsFixture> {
  const [first, ...others] = regions;
  const servers = [
    await startScriptedSts(clock),
    ...(await Promise.all(others.map(() => startScriptedSts(clock)))),
  ] as const;
  const adapter = new StsWebIdentityAdapter({
    endpoints: [
      { region: first, endpoint: servers[0].url },
      ...others.map((region, index) => ({ region, endpoint: servers[index + 1]?.url ?? '' })),
    ],
    clock,
    // The one wait that is in real time: a busy machine is no endpoint that is away.
    connectTimeoutMs: 60_000,
    // The shortest pauses that may happen in production.
    random: () => 0,
    ...options,
  });
  return {
    servers: [...servers],
    adapter,
    async stop() {
      adapter.stop();
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

/** The error of an exchange that must fail. */
export async function refusalOf(issuing: IssueResult | Promise<IssueResult>): Promise<BrokerError> {
  const outcome = await Promise.resolve(issuing).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome instanceof BrokerError) return outcome;
  throw new Error('expected a BrokerError', { cause: outcome });
}
