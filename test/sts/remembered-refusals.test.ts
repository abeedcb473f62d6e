import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CredentialCache } from '../../src/sts/credential-cache.ts';
import { RememberedRefusals } from '../../src/sts/remembered-refusals.ts';
import { failure, honestly, type ScriptedAnswer } from '../support/scripted-sts.ts';
import { planned } from '../support/session-plans.ts';
import { noRetries, refusalOf, type StsFixture, startStsFixture } from '../support/sts-fixture.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';

let clock: TestClock;
let sts: StsFixture;
let cache: CredentialCache;
beforeEach(async () => {
  clock = createTestClock();
  sts = await startStsFixture({ clock, ...noRetries });
  cache = new CredentialCache({
    issuer: new RememberedRefusals({ issuer: sts.adapter, clock }),
    clock,
  });
});
afterEach(() => sts.stop());

const answer = (one: ScriptedAnswer) => {
  sts.servers[0].script = () => one;
};
const calls = () => sts.servers[0].calls.length;
const codeFor = async ({ plan, token } = planned()) =>
  (await refusalOf(cache.issue(plan, token))).code;

const refusals: [string, string, ScriptedAnswer][] = [
  ['sts_access_denied', 'the trust policy', failure(403, 'AccessDenied')],
  ['sts_token_rejected', 'the token', failure(400, 'InvalidIdentityToken')],
  ['sts_request_rejected', 'the session policy', failure(400, 'MalformedPolicyDocument')],
];

describe('a refusal by STS', () => {
  it.each(refusals)(
    '%s is repeated for five seconds without asking again: %s',
    async (code, _why, given) => {
      answer(given);
      const codes = [await codeFor()];
      for (let retry = 0; retry < 4; retry += 1) {
        await clock.advance(1_000);
        codes.push(await codeFor());
      }
      expect(codes).toEqual([code, code, code, code, code]);
      expect(calls()).toBe(1);
    },
  );

  it('is forgotten after five seconds, so that a repair takes effect', async () => {
    answer(failure(403, 'AccessDenied'));
    await codeFor();
    sts.servers[0].script = honestly(clock);
    await clock.advance(5_000);

    const { plan, token } = planned();
    await expect(cache.issue(plan, token)).resolves.toMatchObject({ cached: false });
  });

  it('concerns that one token of that one caller for that one session (T29)', async () => {
    answer(failure(403, 'AccessDenied'));
    await codeFor();
    sts.servers[0].script = honestly(clock);

    const others = [
      planned({}, 'another token'),
      planned({ caller: { subject: 'somebody-else' } }),
      planned({ durationSeconds: 900 }),
      planned({ mappingVersion: 2 }),
    ];
    for (const { plan, token } of others) {
      await expect(cache.issue(plan, token)).resolves.toMatchObject({ cached: false });
    }
  });

  it.each<[string, ScriptedAnswer]>([
    ['sts_unavailable', failure(503, 'ServiceUnavailable')],
    ['sts_throttled', failure(400, 'Throttling')],
    ['sts_bad_response', { body: 'no XML' }],
  ])('is not what an outage is: %s ends with the outage', async (code, given) => {
    answer(given);
    expect(await codeFor()).toBe(code);
    sts.servers[0].script = honestly(clock);

    const { plan, token } = planned();
    await expect(cache.issue(plan, token)).resolves.toMatchObject({ cached: false });
  });

  it('takes no more memory than it is given: the oldest is forgotten', async () => {
    const issuer = new RememberedRefusals({ issuer: sts.adapter, clock, maxRefusals: 10 });
    const ask = (subject: string) => {
      const { plan, token } = planned({ caller: { subject } });
      return refusalOf(issuer.issue(plan, token));
    };
    answer(failure(403, 'AccessDenied'));
    for (let index = 0; index < 11; index += 1) await ask(`caller-${index}`);
    expect(calls()).toBe(11);

    await ask('caller-10');
    expect(calls()).toBe(11);
    await ask('caller-0');
    expect(calls()).toBe(12);
  });
});
