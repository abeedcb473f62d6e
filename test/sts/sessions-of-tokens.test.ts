/** Which tokens of one caller share a session: those that no trust policy could tell apart. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CredentialCache } from '../../src/sts/credential-cache.ts';
import { RememberedRefusals } from '../../src/sts/remembered-refusals.ts';
import { runs } from '../support/fuzz-budget.ts';
import { askerOf, failure, honestly } from '../support/scripted-sts.ts';
import { planned } from '../support/session-plans.ts';
import { noRetries, refusalOf, type StsFixture, startStsFixture } from '../support/sts-fixture.ts';
import { startValidation, testIssuer, type Validation } from '../support/token-validation.ts';
import {
  accessClaims,
  createTestKey,
  mintToken,
  openIdClaims,
  renamedKey,
  testClient,
} from '../support/tokens.ts';

type Claims = Readonly<Record<string, unknown>>;

const key = createTestKey('key-1');
const identityKey = renamedKey(key, 'key-2', 'RS512');
const identityIssuer = 'https://cognito-identity.amazonaws.com';
const identityPool = 'us-east-1:0f0e0d0c-1111-4222-8333-444455556666';

let validation: Validation;
let sts: StsFixture;
beforeAll(async () => {
  const identityPools = [
    { pool: identityPool, issuer: identityIssuer, allowUnauthenticated: false },
  ];
  validation = await startValidation({ publish: [key, identityKey], identityPools });
  await validation.source.start();
  sts = await startStsFixture({ clock: validation.clock, maxInFlight: 1000, ...noRetries });
}, 30_000);
afterAll(async () => {
  await sts.stop();
  await validation.stop();
});

const now = () => validation.clock.now();
const userToken = (changes: Claims) =>
  mintToken(key, { claims: accessClaims(testIssuer, now(), { aud: testClient, ...changes }) });
const openIdToken = (changes: Claims) =>
  mintToken(identityKey, { claims: openIdClaims(identityIssuer, identityPool, now(), changes) });

/** The same plan for whoever it is: only the token differs. */
async function callOf(token: string) {
  const caller = await validation.validator.validate(token);
  return { plan: planned({ caller }).plan, token };
}

function freshCache(): CredentialCache {
  const { clock } = validation;
  return new CredentialCache({
    issuer: new RememberedRefusals({ issuer: sts.adapter, clock }),
    clock,
  });
}

/** Whose tokens bring the sessions that these tokens get, one after the other and all at once. */
async function exchangedFor(tokens: readonly string[]): Promise<string[]> {
  const calls = await Promise.all(tokens.map(callOf));
  const afterwards = freshCache();
  const atOnce = freshCache();
  const results = [];
  for (const { plan, token } of calls) results.push(await afterwards.issue(plan, token));
  results.push(
    ...(await Promise.all(calls.map(async ({ plan, token }) => atOnce.issue(plan, token)))),
  );
  return results.map(({ session }) => askerOf(session.credentials.sessionToken).token);
}

function claimsOf(token: string): Claims {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

/**
 * Written out from the IAM user guide, and not from the source: what a trust policy can test of a token, what
 * STS attaches to the session, and what a provider can hand on to it.
 */
function seenByAws(token: string): string {
  const { aud, azp, sub, amr, email, ...claims } = claimsOf(token);
  const others = Object.entries(claims).filter(
    ([name]) => name.startsWith('https://aws.amazon.com/') || name.startsWith('custom:'),
  );
  return JSON.stringify([
    azp ?? aud,
    aud,
    sub,
    [...new Set((amr as string[] | undefined) ?? [])].sort(byCodeUnits),
    email ?? null,
    others.sort(),
  ]);
}

const byCodeUnits = (a: string, b: string) => (a < b ? -1 : 1);

const optional = <T>(...values: readonly T[]) => fc.constantFrom(undefined, ...values);
const methods = fc.subarray(['mfa', 'pwd', 'sms', 'authenticated', 'mfa,pwd']);
const userClaims = fc.record({
  aud: fc.constantFrom<unknown>(testClient, 'https://orders.example', [testClient, 'another']),
  azp: optional(testClient, 'another'),
  amr: fc.oneof(
    fc.constant(undefined),
    methods,
    methods.map((some) => some.toReversed()),
  ),
  email: optional('ada@example.com', 'eve@example.com'),
  sub: fc.constantFrom('7d8e2a5c-1111-4222-8333-944445555666', 'another-subject'),
  'https://aws.amazon.com/source_identity': optional('ada', 'eve'),
  'https://aws.amazon.com/roles': optional('arn:aws:iam::123456789012:role/broker/orders-writer'),
  'custom:tenant': optional('acme', 'globex'),
});
const providers = ['graph.facebook.com', 'accounts.google.com', 'graph.facebook.com:17:42'];
const openIdClaimsOf = fc.record({
  amr: fc.subarray(providers).map((some) => ['authenticated', ...some]),
  sub: fc.constantFrom('us-east-1:0a1b2c3d-1111-4222-8333-944445555666', 'us-east-1:another'),
});
/** What differs from one token to the next anyway. */
const perToken = fc.record({
  jti: fc.uuid(),
  origin_jti: fc.uuid(),
  event_id: fc.uuid(),
  auth_time: fc.integer({ min: 1, max: 1_000 }),
});

describe('two tokens of one caller', () => {
  it.each([
    ['a user pool', userClaims, userToken],
    ['an identity pool', openIdClaimsOf, openIdToken],
  ] as const)(
    'T65: of %s never share a session if a trust policy could tell them apart, at once or later',
    async (_issuer, claims, mint) => {
      const pairs = fc.tuple(claims as fc.Arbitrary<Claims>, claims as fc.Arbitrary<Claims>);
      await fc.assert(
        fc.asyncProperty(pairs, perToken, async ([one, other], fresh) => {
          const tokens = [mint(one), mint({ ...other, ...fresh })];
          const [first = '', second = ''] = tokens;
          const shared = (await exchangedFor(tokens)).filter(
            (asker, index) => asker !== tokens[index % 2],
          );
          if (seenByAws(first) !== seenByAws(second)) expect(shared).toEqual([]);
        }),
        runs(40),
      );
    },
  );

  it('share one if they differ only in what tells one token from the next (T65)', async () => {
    await fc.assert(
      fc.asyncProperty(userClaims, perToken, perToken, async (claims, one, other) => {
        const amr = claims.amr?.toReversed();
        const tokens = [userToken({ ...claims, ...one }), userToken({ ...claims, ...other, amr })];
        const exchanged = await exchangedFor(tokens);
        expect(exchanged.slice(0, 2)).toEqual([tokens[0], tokens[0]]);
      }),
      runs(20),
    );
  });
});

describe('a verdict of STS on one token', () => {
  const verdicts: readonly (readonly [string, number, string])[] = [
    ['sts_access_denied', 403, 'AccessDenied'],
    ['sts_token_rejected', 400, 'InvalidIdentityToken'],
    ['token_expired', 400, 'ExpiredTokenException'],
  ];
  afterEach(() => {
    sts.servers[0].script = honestly(validation.clock);
  });

  it.each(verdicts)(
    'T65: %s is not that of another token that came while it was asked for, or after',
    async (code, status, wire) => {
      const [weak, strong] = [await callOf(userToken({})), await callOf(userToken({ jti: 'b' }))];
      refuseAllBut(strong.token, failure(status, wire));
      const cache = freshCache();

      const [refused, granted] = await Promise.all([
        refusalOf(cache.issue(weak.plan, weak.token)),
        cache.issue(strong.plan, strong.token),
      ]);

      expect(refused.code).toBe(code);
      expect(askerOf(granted.session.credentials.sessionToken).token).toBe(strong.token);
      // The refusal is remembered by then, and met again on the way to it.
      cache.purge(() => true);
      const [again, still] = await Promise.all([
        refusalOf(cache.issue(weak.plan, weak.token)),
        cache.issue(strong.plan, strong.token),
      ]);
      expect(again.code).toBe(code);
      expect(askerOf(still.session.credentials.sessionToken).token).toBe(strong.token);
    },
  );

  it('T65: costs one call of STS for each token, however many requests wait', async () => {
    const calls = await Promise.all(
      Array.from({ length: 8 }, (_, index) => callOf(userToken({ jti: `token-${index}` }))),
    );
    refuseAllBut('', failure(400, 'InvalidIdentityToken'));
    const before = sts.servers[0].calls.length;
    const cache = freshCache();

    const refusals = await Promise.all(
      Array.from({ length: 400 }, (_, index) => {
        const { plan, token } = calls[index % calls.length] as (typeof calls)[number];
        return refusalOf(cache.issue(plan, token));
      }),
    );

    expect(new Set(refusals.map(({ code }) => code))).toEqual(new Set(['sts_token_rejected']));
    expect(sts.servers[0].calls.length - before).toBeLessThanOrEqual(calls.length);
  });

  function refuseAllBut(token: string, refusal: ReturnType<typeof failure>): void {
    const honest = honestly(validation.clock);
    sts.servers[0].script = (call, number) =>
      call.token === token ? honest(call, number) : refusal;
  }
});
