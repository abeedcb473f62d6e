import { afterEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { type StsCall, StsWebIdentityAdapter } from '../../src/sts/web-identity-adapter.ts';
import { failure, honestly, requestId } from '../support/scripted-sts.ts';
import { planned } from '../support/session-plans.ts';
import {
  noRetries,
  refusalOf,
  type StsFixture,
  type StsFixtureOptions,
  startStsFixture,
} from '../support/sts-fixture.ts';
import { createTestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';
import { withEnvironment } from '../support/with-environment.ts';

const fixtures: StsFixture[] = [];
async function start(options?: StsFixtureOptions): Promise<StsFixture> {
  const fixture = await startStsFixture(options);
  fixtures.push(fixture);
  return fixture;
}
afterEach(async () => {
  await Promise.all(fixtures.splice(0).map((fixture) => fixture.stop()));
});

const { plan, token } = planned();

describe('an exchange', () => {
  it('asks for exactly the planned session, unsigned (T23)', async () => {
    const { adapter, servers } = await start();
    const policy = '{"Version":"2012-10-17","Statement":[]}';
    const policyArns = ['arn:aws:iam::aws:policy/ReadOnlyAccess', 'arn:aws:iam::aws:policy/Two'];
    const full = planned({ policy, policyArns, durationSeconds: 900 });

    const { session, cached } = await adapter.issue(full.plan, full.token);

    const [call] = servers[0].calls;
    expect(Object.fromEntries(call?.form ?? [])).toEqual({
      Action: 'AssumeRoleWithWebIdentity',
      Version: '2011-06-15',
      RoleArn: full.plan.roleArn,
      RoleSessionName: full.plan.sessionName,
      WebIdentityToken: full.token,
      DurationSeconds: '900',
      Policy: policy,
      'PolicyArns.member.1.arn': policyArns[0],
      'PolicyArns.member.2.arn': policyArns[1],
    });
    expect(call?.headers.authorization).toBeUndefined();
    expect(cached).toBe(false);
    expect(session).toMatchObject({
      assumedRoleArn: 'arn:aws:sts::123456789012:assumed-role/orders-writer/orders',
      assumedRoleId: 'AROASCRIPTEDSTSROLE01:orders',
      subject: full.plan.caller.subject,
      stsRequestId: requestId,
    });
  });

  it('sends no policy parameters when the plan has none', async () => {
    const { adapter, servers } = await start();
    await adapter.issue(plan, token);

    const names = [...(servers[0].calls[0]?.form.keys() ?? [])];
    expect(names.filter((name) => name.startsWith('Policy'))).toEqual([]);
  });

  it('neither goes where the environment points nor takes credentials or retries from there (T34)', async () => {
    const { servers } = await start();
    servers[0].script = () => failure(500, 'InternalFailure');
    const elsewhere = { region: 'xx-nowhere-1' };
    const configured = { region: 'us-east-1', endpoint: servers[0].url };
    const environment = {
      AWS_ENDPOINT_URL: servers[0].url,
      AWS_ENDPOINT_URL_STS: servers[0].url,
      AWS_ACCESS_KEY_ID: 'ASIAAAAAAAAAAAAAAAAA',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_MAX_ATTEMPTS: '5',
      AWS_USE_FIPS_ENDPOINT: 'true',
    };

    await withEnvironment(environment, async () => {
      for (const endpoint of [elsewhere, configured]) {
        const options = { clock: systemClock, requestTimeoutMs: 500, ...noRetries };
        const adapter = new StsWebIdentityAdapter({ endpoints: [endpoint], ...options });
        expect((await refusalOf(adapter.issue(plan, token))).code).toBe('sts_unavailable');
        adapter.stop();
      }
    });

    expect(servers[0].calls).toHaveLength(1);
    expect(servers[0].calls[0]?.headers.authorization).toBeUndefined();
  });

  it.each(['aws-global', '', 'us-east-1.evil.example'])('needs a region, not "%s"', (region) => {
    expect(
      () => new StsWebIdentityAdapter({ endpoints: [{ region }], clock: systemClock }),
    ).toThrow(RangeError);
  });

  it('is refused at once beyond the bound of exchanges in flight, and frees its place at the end', async () => {
    const { adapter, servers } = await start({ maxInFlight: 2 });
    let answerAll = () => {};
    const gate = new Promise<void>((resolve) => {
      answerAll = resolve;
    });
    const honest = honestly(systemClock);
    servers[0].script = async (call, number) => {
      await gate;
      return honest(call, number);
    };

    const two = [adapter.issue(plan, token), adapter.issue(plan, token)];
    const third = await refusalOf(adapter.issue(plan, token));
    expect([third.code, third.retryAfterSeconds]).toEqual(['overloaded', 1]);

    answerAll();
    await Promise.all(two);
    expect(adapter.inFlight).toBe(0);
    await expect(adapter.issue(plan, token)).resolves.toMatchObject({ cached: false });
  });
});

describe('an STS that does not answer', () => {
  it.each([
    ['never answers', 'hang' as const],
    [
      'stalls in the middle of its answer',
      { headers: { 'content-length': '9999' }, body: '<AssumeRole', stall: true },
    ],
  ])('and %s is left within the total time', async (_how, answer) => {
    const clock = createTestClock();
    const { adapter, servers } = await start({
      clock,
      requestTimeoutMs: 100,
      totalTimeoutMs: 250,
    });
    servers[0].script = () => answer;

    const error = await clock.outlast(refusalOf(adapter.issue(plan, token)));

    expect(error.code).toBe('sts_unavailable');
    expect(clock.monotonic()).toBeLessThanOrEqual(250);
    expect(clock.deadlines).toBe(0);
    expect(servers[0].calls.length).toBeLessThanOrEqual(3);
  });

  it('is left for the next region, and is not waited for again while it stays away', async () => {
    const calls: StsCall[] = [];
    const clock = createTestClock();
    const { adapter, servers } = await start({
      clock,
      regions: ['us-east-1', 'us-west-2'],
      requestTimeoutMs: 200,
      observer: (call) => calls.push(call),
    });
    servers[0].script = () => 'hang';

    for (let exchange = 0; exchange < 7; exchange += 1) {
      const issued = adapter.issue(plan, token);
      await until(() => servers[0].calls.length > Math.min(exchange, 4));
      if (exchange < 5) await clock.expireDeadlines();
      await issued;
    }

    expect(servers[0].calls).toHaveLength(5);
    expect(servers[1]?.calls).toHaveLength(7);
    expect(calls.map(({ region, outcome }) => `${region} ${outcome}`)).toEqual([
      ...Array(5).fill(['us-east-1 endpoint_down', 'us-west-2 issued']).flat(),
      'us-west-2 issued',
      'us-west-2 issued',
    ]);
  });

  it('is called back by one probe a second, and used again once the probe is answered', async () => {
    const clock = createTestClock();
    const { adapter, servers } = await start({ clock, ...noRetries });
    servers[0].script = () => 'reset';
    for (let exchange = 0; exchange < 5; exchange += 1) {
      await refusalOf(adapter.issue(plan, token));
    }
    expect(servers[0].calls).toHaveLength(5);

    for (let second = 1; second <= 3; second += 1) {
      await clock.advance(1000);
      const errors = await Promise.all(
        Array.from({ length: 20 }, () => refusalOf(adapter.issue(plan, token))),
      );
      expect(errors.map(({ code }) => code)).toEqual(Array(20).fill('sts_unavailable'));
      expect(servers[0].calls).toHaveLength(5 + second);
    }

    servers[0].script = honestly(clock);
    await clock.advance(1000);
    await adapter.issue(plan, token);
    await expect(adapter.issue(plan, token)).resolves.toMatchObject({ cached: false });
  });

  it('fails over for a role whose account has the first region switched off, as often as it takes', async () => {
    const { adapter, servers } = await start({ regions: ['us-east-1', 'us-west-2'] });
    servers[0].script = () => failure(403, 'RegionDisabledException');

    for (let exchange = 0; exchange < 30; exchange += 1) await adapter.issue(plan, token);

    expect(servers[1]?.calls).toHaveLength(30);
  });

  it('is unavailable when every region is switched off, with one call to each', async () => {
    const { adapter, servers } = await start({ regions: ['us-east-1', 'us-west-2'] });
    for (const server of servers) server.script = () => failure(403, 'RegionDisabledException');

    const error = await refusalOf(adapter.issue(plan, token));

    expect([error.code, error.reason]).toEqual(['sts_unavailable', 'region_disabled']);
    expect(servers.map(({ calls }) => calls.length)).toEqual([1, 1]);
  });

  it('does not turn a permanent refusal of one region into a question to the next', async () => {
    const { adapter, servers } = await start({ regions: ['us-east-1', 'us-west-2'] });
    servers[0].script = () => failure(403, 'AccessDenied');

    expect((await refusalOf(adapter.issue(plan, token))).code).toBe('sts_access_denied');
    expect(servers[1]?.calls).toHaveLength(0);
  });
});

describe('retries', () => {
  it('make an exchange succeed after a passing failure', async () => {
    const { adapter, servers } = await start();
    const honest = honestly(systemClock);
    servers[0].script = (call, number) =>
      number < 3 ? failure(400, 'IDPCommunicationError') : honest(call, number);

    await expect(adapter.issue(plan, token)).resolves.toMatchObject({ cached: false });
    expect(servers[0].calls).toHaveLength(3);
  });

  it.each(['Throttling', 'IDPCommunicationError'])(
    'stay within a tenth of the exchanges plus a small reserve while STS answers %s',
    async (code) => {
      const clock = createTestClock();
      const { adapter, servers } = await start({
        regions: ['us-east-1', 'us-west-2'],
        maxInFlight: 100,
        totalTimeoutMs: 60_000,
        clock,
      });
      for (const server of servers) server.script = () => failure(400, code);

      let ended = 0;
      const refusals = Array.from({ length: 100 }, () =>
        refusalOf(adapter.issue(plan, token)).finally(() => {
          ended += 1;
        }),
      );
      while (ended < 100) await clock.advance(100);
      const errors = await Promise.all(refusals);

      expect(new Set(errors.map((error) => error.status))).toEqual(new Set([503]));
      const calls = servers.reduce((sum, server) => sum + server.calls.length, 0);
      expect(calls).toBeLessThanOrEqual(100 + 10 + 10);
      expect(calls).toBeGreaterThan(100);
    },
  );

  it('do not close the way to STS for others when one issuer cannot be reached', async () => {
    const { adapter, servers } = await start();
    const honest = honestly(systemClock);
    servers[0].script = (call, number) =>
      call.sessionName === 'broken' ? failure(400, 'IDPCommunicationError') : honest(call, number);
    const broken = planned({ sessionName: 'broken' });

    for (let exchange = 0; exchange < 10; exchange += 1) {
      await refusalOf(adapter.issue(broken.plan, broken.token));
    }

    await expect(adapter.issue(plan, token)).resolves.toMatchObject({ cached: false });
  });
});
