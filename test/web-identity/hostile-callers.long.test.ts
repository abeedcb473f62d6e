/** Whatever a token says and a request asks for: STS is shown whom the caller is, one role, and tags word for word or none at all. */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { signJwt } from '../../emulators/issuer/jwt-signer.ts';
import { claimRef } from '../support/domain.ts';
import { runs } from '../support/fuzz-budget.ts';
import type { Answer } from '../support/http-call.ts';
import {
  audience,
  type IssuingBroker,
  issuer,
  startIssuingBroker,
} from '../support/issuing-broker.ts';
import { allow, clients, pool, roleNamed, signingKeys } from '../support/outside-world.ts';
import { callSts, formOf } from '../support/sts-call.ts';

/** Named so that its name and the kind of a caller run together with those of the other pool, if anything lets them. */
const otherPool = `${pool}:client`;
const otherIssuer = 'http://127.0.0.1:9/other';
const { clientId } = clients.legacy;
const nameIn = (poolName: string) => `${poolName}/client/${clientId}`;
const session = {
  name: '{requested}@{client}',
  tags: { team: claimRef('custom:team'), tenant: 'acme' },
  transitiveTags: ['tenant'],
  sourceIdentity: claimRef('custom:who'),
};
const mappings = [
  allow('legacy-reader', 'legacy', { session }),
  allow('other-reader', 'legacy', {
    principal: { pool: otherPool, client: clientId },
    role: roleNamed('legacy-reader'),
    session,
  }),
  allow('orders-writer', 'orders'),
];

let broker: IssuingBroker;
beforeAll(async () => {
  broker = await startIssuingBroker({
    mappings,
    matchableClaims: ['custom:team', 'custom:who'],
    configure({ identity, ...config }) {
      const [first] = identity.userPools ?? [];
      if (first === undefined) throw new TypeError('the fixture has a pool');
      const other = { ...first, name: otherPool, pool: 'us-east-1_Other0001', issuer: otherIssuer };
      return { ...config, identity: { ...identity, userPools: [first, other] } };
    },
  });
}, 30_000);
afterAll(() => broker.stop());

/** Signed by the pool's key, with claims that no pool would put there. */
function tokenWith(claims: Readonly<Record<string, unknown>>): string {
  const key = signingKeys().current.access;
  const sound = JSON.parse(
    Buffer.from(broker.token('legacy').split('.')[1] ?? '', 'base64url').toString(),
  ) as Readonly<Record<string, unknown>>;
  const all = { ...sound, 'custom:team': 'payments', 'custom:who': 'somebody', ...claims };
  return signJwt({ key, header: { kid: key.kid, alg: 'RS256' }, claims: all });
}

/** What CloudTrail has of the exchange that made those credentials, whoever it was made for. */
function exchangeOf(accessKeyId: unknown) {
  const has = (one: Readonly<Record<string, unknown>>) =>
    JSON.stringify(one).includes(`"${accessKeyId}"`);
  return broker.trail.find(has);
}

function expectOwn(accessKeyId: unknown, whose: { name?: string; team?: unknown; who?: unknown }) {
  const { name = nameIn(pool), team = 'payments', who = 'somebody' } = whose;
  const event = exchangeOf(accessKeyId);
  expect(event).toMatchObject({
    userIdentity: { userName: name },
    responseElements: { audience, provider: expect.stringContaining(issuer.slice(8)) },
    additionalEventData: { RoleAuthorizedByIdp: true },
  });
  const asked = event?.['requestParameters'] as Readonly<Record<string, unknown>>;
  expect(asked).toMatchObject({ roleArn: roleNamed('legacy-reader'), sourceIdentity: who });
  expect(asked['principalTags']).toEqual({ team, tenant: 'acme' });
  expect(asked['transitiveTagKeys']).toEqual(['tenant']);
  expect(asked['roleSessionName']).toMatch(/^[\w+=,.@-]{2,64}$/);
}

const post = (token: string, call: { body?: unknown; headers?: Record<string, string> } = {}) =>
  broker.call({ method: 'POST', path: '/v1/credentials', token, ...call });

/** Nothing was exchanged for a refusal, and the refusal is one. */
function expectRefused({ status, body }: Answer, exchanges: number): void {
  expect([status, body]).toEqual([expect.any(Number), { ...body, code: expect.any(String) }]);
  expect([400, 401, 403]).toContain(status);
  expect(broker.trail).toHaveLength(exchanges);
}

const hostile: readonly unknown[] = [
  ...['', ' ', 'a"b', "a'b", claimRef('sub'), '{client}', 'a\nb', 'a\tb', 'a\u0000b', 'a\u2028b'],
  ...['\u202epayments', '\u200bpayments', 'a\u00a0b', 'a\u0301', '\ud800', 'a;b', 'a,b', 'a<b'],
  ...['payments"],"tenant":["evil', 'x'.repeat(257), 'x'.repeat(4_000), '\\u0022', '*', 'a?b'],
  ...[['payments'], ['payments', 'evil'], [], [['payments']], { tenant: ['evil'] }, {}, null],
  ...[7, 1.5, true, false, { principal_tags: { tenant: ['evil'] } }, { toString: 'x' }],
];

describe('a claim', () => {
  it('comes to STS word for word, or denies, whatever is in it (T144, T148)', async () => {
    const value = fc.oneof(
      fc.constantFrom(...hostile),
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.string({ unit: 'grapheme', maxLength: 40 }),
      fc.jsonValue(),
    );
    const sound = ['équipe', '队伍', 'a:b/c=d+e-f@g h', 'x'.repeat(256), '__proto__'];
    const examples = [...hostile, ...sound].map((team): [unknown, unknown] => [team, 'somebody']);
    let shown = 0;
    await fc.assert(
      fc.asyncProperty(value, fc.oneof(fc.constant('somebody'), value), async (team, who) => {
        const exchanges = broker.trail.length;
        const answer = await post(tokenWith({ 'custom:team': team, 'custom:who': who }));
        if (answer.status !== 200) return expectRefused(answer, exchanges);
        shown += 1;
        expectOwn(answer.body.credentials.accessKeyId, { team, who });
      }),
      { ...runs(60), numRuns: examples.length + runs(60).numRuns, examples },
    );
    expect(shown).toBeGreaterThanOrEqual(sound.length);
  }, 300_000);

  it.each<[string, Readonly<Record<string, unknown>>]>([
    ['of AWS', { 'https://aws.amazon.com/roles': [roleNamed('orders-writer')] }],
    ['of tags', { 'https://aws.amazon.com/tags': { principal_tags: { tenant: ['evil'] } } }],
    ['of a source', { 'https://aws.amazon.com/source_identity': 'somebody-else' }],
    [
      'named as a member',
      { roles: ['x'], tags: { tenant: 'evil' }, sourceIdentity: 'x', pool: 'x' },
    ],
    ['for another audience', { aud: clientId, azp: 'evil' }],
  ])('%s changes nothing of it (T144)', async (_what, claims) => {
    const answer = await post(tokenWith(claims));
    expect(answer.status).toBe(200);
    expectOwn(answer.body.credentials.accessKeyId, {});
  });

  it.each<[string, unknown]>([
    ['is that of a client, with a blank', `${clientId} `],
    ['has a line in it', `${clientId}\n`],
    ['is a list', [clientId]],
    ['is a number', 4],
    ['turns the writing round', `\u202e${clientId}`],
    ['is nothing', ''],
  ])('that is the subject and %s is nobody who is allowed (T144)', async (_what, sub) => {
    const exchanges = broker.trail.length;
    expectRefused(await post(tokenWith({ sub })), exchanges);
  });
});

it('a subject with the name of another caller in it is a user of its own pool (T144)', async () => {
  const sub = `x/../${nameIn(otherPool)}`;
  const answer = await post(tokenWith({ sub }));
  expect(answer.status).toBe(200);
  expectOwn(answer.body.credentials.accessKeyId, { name: `${pool}/user/${sub}` });
});

describe('a request', () => {
  it.each<[string, unknown]>([
    ['a role of somebody else', { role: roleNamed('orders-writer') }],
    ['a role with a line in it', { role: `${roleNamed('legacy-reader')}\n` }],
    ['two roles', { role: [roleNamed('legacy-reader'), roleNamed('orders-writer')] }],
    ['tags', { role: 'legacy-reader', tags: { tenant: 'evil' } }],
    ['a source identity', { role: 'legacy-reader', sourceIdentity: 'evil' }],
    ['an audience', { role: 'legacy-reader', audience: 'evil' }],
  ])('for %s is refused (T144)', async (_what, body) => {
    const exchanges = broker.trail.length;
    expectRefused(await post(tokenWith({}), { body }), exchanges);
  });

  it.each([
    ['the client’s', 'job'],
    ['of another caller', `evil@${clients.orders.clientId}`],
    ['with a line in it', 'a\nb'],
    ['with quotes', 'a","roles":["x'],
    ['of a variable', '{sub}'],
    ['too long', 'x'.repeat(300)],
    ['in other letters', '\u202eевил'],
  ])('for a session name, %s, changes the name alone (T144)', async (_what, name) => {
    const exchanges = broker.trail.length;
    const answer = await callSts(
      broker,
      formOf({
        Action: 'AssumeRoleWithWebIdentity',
        Version: '2011-06-15',
        RoleArn: roleNamed('legacy-reader'),
        RoleSessionName: name,
        WebIdentityToken: tokenWith({}),
        'Tags.member.1.Key': 'tenant',
        'Tags.member.1.Value': 'evil',
        'TransitiveTagKeys.member.1': 'team',
        SourceIdentity: 'evil',
        ProviderId: 'evil',
      }),
    );
    const [, accessKeyId] = /<AccessKeyId>(\w+)</.exec(answer.text) ?? [];
    if (answer.status === 200) expectOwn(accessKeyId, {});
    else expect([answer.status, broker.trail.length]).toEqual([400, exchanges]);
  });

  it('with headers of others changes nothing (T144)', async () => {
    const headers = {
      'x-amzn-oidc-data': tokenWith({ sub: 'evil' }),
      'x-amz-security-token': 'evil',
      'x-forwarded-for': 'evil',
      'x-forwarded-host': 'evil.example.com',
      'x-forwarded-user': 'evil',
      'x-original-url': '/v1/credentials/orders-writer',
      forwarded: 'for=evil;host=evil.example.com',
    };
    const answer = await post(tokenWith({}), { headers });
    expect(answer.status).toBe(200);
    expectOwn(answer.body.credentials.accessKeyId, {});
  });
});

it('one client id in two pools is two principals, each with sessions of its own (T148)', async () => {
  const keyOf = async (claims: Readonly<Record<string, unknown>>) => {
    const answer = await post(tokenWith(claims));
    expect(answer.status).toBe(200);
    return answer.body.credentials.accessKeyId as unknown;
  };
  const [ours, theirs] = [await keyOf({}), await keyOf({ iss: otherIssuer })];
  expectOwn(ours, { name: nameIn(pool) });
  expectOwn(theirs, { name: nameIn(otherPool) });
  expect([await keyOf({}), await keyOf({ iss: otherIssuer })]).toEqual([ours, theirs]);
});
