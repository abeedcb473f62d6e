import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { classifyStsError } from '../../src/sts/sts-errors.ts';
import {
  failure,
  honestFields,
  requestId,
  type ScriptedAnswer,
  type ScriptedCall,
  secretCanary,
  success,
  tokenCanary,
} from '../support/scripted-sts.ts';
import { secretsIn } from '../support/secrets-in.ts';
import { planned } from '../support/session-plans.ts';
import { refusalOf, type StsFixture, startStsFixture } from '../support/sts-fixture.ts';

let sts: StsFixture;
beforeEach(async () => {
  sts = await startStsFixture();
});
afterEach(() => sts.stop());

async function refusalFor(answer: ScriptedAnswer | ((call: ScriptedCall) => ScriptedAnswer)) {
  sts.servers[0].script = typeof answer === 'function' ? answer : () => answer;
  const { plan, token } = planned();
  return { error: await refusalOf(sts.adapter.issue(plan, token)), calls: sts.servers[0].calls };
}

describe('what STS refuses', () => {
  it.each([
    [400, 'ExpiredTokenException', 'token_expired', 401],
    [400, 'InvalidIdentityToken', 'sts_token_rejected', 401],
    [403, 'IDPRejectedClaim', 'sts_token_rejected', 401],
    [403, 'AccessDenied', 'sts_access_denied', 403],
    [400, 'MalformedPolicyDocument', 'sts_request_rejected', 502],
    [400, 'PackedPolicyTooLarge', 'sts_request_rejected', 502],
    [400, 'ValidationError', 'sts_request_rejected', 502],
    [400, 'MissingParameter', 'sts_request_rejected', 502],
    [403, 'RegionDisabledException', 'sts_unavailable', 503],
  ])('%i %s becomes %s (%i) and is not asked again', async (status, code, expected, ours) => {
    const { error, calls } = await refusalFor(failure(status, code));

    expect([error.code, error.status]).toEqual([expected, ours]);
    expect(error.detail).toMatch(/\w/);
    expect(calls).toHaveLength(1);
  });

  it.each([
    ['InvalidIdentityToken', 'Missing a required claim: aud', 'audience_missing', /trigger/],
    ['InvalidIdentityToken', 'Incorrect token audience', 'audience_not_registered', /client ids/],
    [
      'InvalidIdentityToken',
      'The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements.',
      'audience_not_registered',
      /client ids/,
    ],
    [
      'InvalidIdentityToken',
      'No OpenIDConnect provider found in your account for https://evil.example',
      'provider_not_registered',
      /create one whose URL/,
    ],
    [
      'ValidationError',
      'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
      'duration_above_role_maximum',
      /MaxSessionDuration/,
    ],
  ])('%s "%s" says what to configure, in our words', async (code, message, reason, detail) => {
    const { error } = await refusalFor(failure(400, code, message));

    expect(error.reason).toBe(reason);
    expect(error.detail).toMatch(detail);
    expect(secretsIn(error, ['evil.example'])).toEqual([]);
  });
});

const noKey =
  "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements";

it.each([
  [true, 'sts_token_rejected', 1],
  [false, 'sts_unavailable', 3],
])(
  'T68: a key that the issuer no longer publishes (%s) makes it %s, after %i calls',
  async (lacksKey, code, calls) => {
    const fixture = await startStsFixture({ keys: { lacksKeyOf: () => lacksKey } });
    fixture.servers[0].script = () => failure(400, 'InvalidIdentityToken', noKey);
    const { plan, token } = planned();
    const error = await refusalOf(fixture.adapter.issue(plan, token));
    await fixture.stop();
    expect([error.code, fixture.servers[0].calls.length]).toEqual([code, calls]);
  },
);

describe('what passes by itself', () => {
  it.each([
    [400, 'IDPCommunicationError', 'unreachable', 'sts_unavailable'],
    [
      400,
      'InvalidIdentityToken',
      "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
      'sts_unavailable',
    ],
    [500, 'InternalFailure', 'oops', 'sts_unavailable'],
    [503, 'ServiceUnavailable', 'oops', 'sts_unavailable'],
    [503, 'SomethingNew', 'oops', 'sts_unavailable'],
    [400, 'RequestTimeout', 'slow', 'sts_unavailable'],
    [400, 'Throttling', 'Rate exceeded', 'sts_throttled'],
    [400, 'ThrottlingException', 'Rate exceeded', 'sts_throttled'],
    [429, 'SomethingNew', 'oops', 'sts_throttled'],
  ])(
    '%i %s "%s" is tried three times, then %s (503) with Retry-After',
    async (status, code, message, expected) => {
      const { error, calls } = await refusalFor(failure(status, code, message));

      expect([error.code, error.status]).toEqual([expected, 503]);
      expect(error.retryAfterSeconds).toBeGreaterThan(0);
      expect(calls).toHaveLength(3);
    },
  );

  it.each<[string, ScriptedAnswer]>([
    ['a reset connection', 'reset'],
    ['a 503 in HTML', { status: 503, body: '<html>Service Unavailable' }],
    ['an empty 502', { status: 502, body: '' }],
    [
      'an answer cut off in the middle',
      {
        headers: { 'content-length': '1000' },
        body: '<AssumeRoleWithWebIdentityResponse>',
        stall: true,
      },
    ],
  ])('%s becomes sts_unavailable', async (_what, answer) => {
    await sts.stop();
    sts = await startStsFixture({ requestTimeoutMs: 100, totalTimeoutMs: 250 });

    const { error } = await refusalFor(answer);

    expect(error.code).toBe('sts_unavailable');
  });
});

describe('the cause of a failure, for the log', () => {
  it('holds a few checked facts and nothing else', async () => {
    const { error } = await refusalFor(failure(403, 'AccessDenied', 'for you'));

    const cause = error.cause as Error & Readonly<Record<string, unknown>>;
    // Hidden ones too: that is where the SDK keeps the raw answer.
    const { stack, ...facts } = Object.fromEntries(
      Object.getOwnPropertyNames(cause).map((name) => [name, cause[name]]),
    );
    expect(facts).toEqual({
      name: 'StsError',
      message: 'AssumeRoleWithWebIdentity failed: AccessDenied',
      code: 'AccessDenied',
      httpStatus: 403,
      requestId,
    });
    expect(stack).toContain('AssumeRoleWithWebIdentity failed');
  });

  it('does not take over a code or a request id of an unexpected shape', async () => {
    const { error } = await refusalFor({
      status: 400,
      headers: { 'x-amzn-requestid': 'not an id' },
      body: `<ErrorResponse><Error><Code>${'x'.repeat(100)} injected</Code></Error></ErrorResponse>`,
    });

    expect(secretsIn(error, ['injected', 'not an id'])).toEqual([]);
  });

  it.each<[string, (call: ScriptedCall) => ScriptedAnswer]>([
    ['XML that ends too early', changed((xml) => xml.slice(0, -60))],
    ['XML that is not well-formed', changed((xml) => xml.replace('</Credentials>', '</Other><'))],
    ['a body that is too long', changed((xml) => xml + ' '.repeat(70_000))],
    [
      'an answer for somebody else',
      changed((xml) => xml.replace(':123456789012:', ':999999999999:')),
    ],
    ['a date that is none', changed((xml) => xml.replace(/<Expiration>[^<]*/, '<Expiration>soon'))],
    ['an error that repeats the token', (call) => failure(400, 'InvalidIdentityToken', call.token)],
    ['an error code that repeats the token', (call) => failure(400, call.token)],
    ['a server error with credentials in it', changed((xml) => xml, 500)],
    ['a reset connection', () => 'reset'],
  ])('has no secret anywhere after %s (T33)', async (_what, answer) => {
    const { error, calls } = await refusalFor(answer);

    const token = calls[0]?.token ?? '';
    expect(token).toContain(Buffer.from(tokenCanary).toString('base64url'));
    expect(secretsIn(error, [secretCanary, tokenCanary, token])).toEqual([]);
  });
});

describe('classification', () => {
  it.each([undefined, null, 'text', 42, {}, new Error('unknown'), { $metadata: null, Code: {} }])(
    'of %p fails closed as unavailable',
    (thrown) => {
      expect(classifyStsError(thrown)).toMatchObject({
        kind: 'endpoint_down',
        error: { code: 'sts_unavailable' },
      });
    },
  );

  it('takes a connection lost in the middle of an answer for an outage, not for a bad answer', () => {
    const lost = Object.assign(new Error('aborted'), {
      code: 'ECONNRESET',
      $metadata: { httpStatusCode: 200 },
    });

    expect(classifyStsError(lost).kind).toBe('endpoint_down');
  });

  it.each(['constructor', '__proto__', 'toString'])('has no meaning for the code %s', (Code) => {
    const thrown = { $fault: 'client', $metadata: { httpStatusCode: 400 }, Code };

    expect(classifyStsError(thrown).error.code).toBe('sts_request_rejected');
  });
});

function changed(change: (xml: string) => string, status = 200) {
  return (call: ScriptedCall): ScriptedAnswer => {
    const answer = success(honestFields(call, 1, systemClock.now()));
    return typeof answer === 'object' ? { ...answer, status, body: change(answer.body) } : answer;
  };
}
