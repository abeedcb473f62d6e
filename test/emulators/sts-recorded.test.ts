/**
 * What a third party recorded on real AWS on 2026-09-11 (us-east-1), as far as it was told to us: each observation is
 * built, run against the local STS, and compared by code, and by words where these were told.
 */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type Claims,
  clientId,
  failureOf,
  roleArn,
  type SignOptions,
  type StsHarness,
  startStsHarness,
} from '../support/sts-harness.ts';

let sts: StsHarness;
beforeAll(async () => {
  sts = await startStsHarness();
});
afterAll(() => sts.stop());

/** `ok`, or the code; with a colon, the beginning of the words, too. */
type Observed = string;

const now = () => Math.floor(sts.clock.now() / 1000);
const other = 'arn:aws:iam::123456789012:role/broker/other';
const roles = (value: unknown): Claims => ({ 'https://aws.amazon.com/roles': value });
const tags = (value: unknown): Claims => ({ 'https://aws.amazon.com/tags': value });
const notListed =
  'InvalidIdentityToken: The target role ARN is not present in the roles claim of the identity token';
const notValidated =
  'InvalidIdentityToken: The web identity token provided could not be validated.';
const badTime = 'InvalidIdentityToken: Invalid timestamp in token claims.';
const missing = (claim: string) => `InvalidIdentityToken: Missing a required claim: ${claim}`;

async function observe(claims: Claims, options?: SignOptions): Promise<Observed> {
  const WebIdentityToken = sts.token(claims, options);
  const exchange = sts.exchange({ WebIdentityToken });
  if ((await exchange.catch(() => undefined)) !== undefined) return 'ok';
  const { code, message } = await failureOf(exchange);
  return `${code}: ${message}`;
}

const trusting = {
  Action: ['sts:AssumeRoleWithWebIdentity', 'sts:TagSession', 'sts:SetSourceIdentity'],
};

const observations: readonly (readonly [string, () => Claims, Observed])[] = [
  ...['iss', 'sub', 'aud', 'iat', 'exp'].map(
    (claim) => [`no ${claim}`, () => ({ [claim]: undefined }), missing(claim)] as const,
  ),
  ['exp 299 s ago', () => ({ exp: now() - 299 }), 'ok'],
  ['exp 301 s ago', () => ({ exp: now() - 301 }), 'ExpiredTokenException: Token expired: '],
  ['iat 299 s ahead', () => ({ iat: now() + 299 }), 'ok'],
  ['iat 301 s ahead', () => ({ iat: now() + 301 }), 'InvalidIdentityToken: Token issued in the '],
  ['iat an hour ahead', () => ({ iat: now() + 3600 }), 'InvalidIdentityToken: Token issued in '],
  ['nbf 299 s ahead', () => ({ nbf: now() + 299 }), 'ok'],
  ['nbf 301 s ahead', () => ({ nbf: now() + 301 }), 'InvalidIdentityToken: Token not yet valid: '],
  ['a fraction in exp', () => ({ exp: now() + 60.5 }), badTime],
  ['null in exp', () => ({ exp: null }), badTime],
  ['a fraction in iat', () => ({ iat: now() - 0.5 }), badTime],
  ['null in nbf', () => ({ nbf: null }), badTime],
  ['exp as text', () => ({ exp: String(now() + 60) }), 'ok'],
  ['iat as text', () => ({ iat: String(now()) }), 'ok'],
  ['nbf as text', () => ({ nbf: String(now()) }), 'ok'],
  ['expired, as text', () => ({ exp: String(now() - 301) }), 'ExpiredTokenException: '],
  ['an empty sub', () => ({ sub: '' }), 'ok'],
  ['a number as sub', () => ({ sub: 7 }), 'ok'],
  ['a sub of 300 characters', () => ({ sub: 's'.repeat(300) }), 'ok'],
  ['null as sub', () => ({ sub: null }), 'InternalFailure'],
  ['a list of one audience', () => ({ aud: [clientId] }), 'ok'],
  ['another audience', () => ({ aud: 'x' }), notValidated],
  ['an empty audience', () => ({ aud: '' }), notValidated],
  [
    'no audience in a list',
    () => ({ aud: [] }),
    'InvalidIdentityToken: Claim is not allowed to be',
  ],
  [
    'two audiences',
    () => ({ aud: [clientId, 'x'] }),
    'InvalidIdentityToken: Token audience contain',
  ],
  ['two audiences and azp', () => ({ aud: [clientId, 'x'], azp: clientId }), 'ok'],
  ['azp in the place of aud', () => ({ aud: 'x', azp: clientId }), 'ok'],
  ['another azp', () => ({ azp: 'x' }), notValidated],
  ['an empty azp', () => ({ azp: '' }), notValidated],
  ['the role as text', () => roles(roleArn), 'ok'],
  ['the role in a list', () => roles([roleArn]), 'ok'],
  ['the role among others', () => roles([other, roleArn]), 'ok'],
  ['the role in a text with semicolons', () => roles(`${other};${roleArn}`), 'ok'],
  ['members that are no ARNs', () => roles(['x', 7, null, roleArn]), 'ok'],
  ['null roles', () => roles(null), 'ok'],
  ['another role', () => roles(other), notListed],
  ['another role in a list', () => roles([other]), notListed],
  ['no role in a list', () => roles([]), notListed],
  ['an empty text as roles', () => roles(''), notListed],
  ['the role in other letters', () => roles(roleArn.toUpperCase()), notListed],
  ['a wildcard', () => roles('arn:aws:iam::123456789012:role/broker/*'), notListed],
  ['the role without its path', () => roles(roleArn.replace('broker/', '')), notListed],
  ['tags with values in lists', () => tags({ principal_tags: { team: ['a'] } }), 'ok'],
  ['tags with plain values', () => tags({ principal_tags: { team: 'a' } }), 'InvalidIdentityToken'],
  ['flat tags', () => ({ 'https://aws.amazon.com/tags/principal_tags/team': 'a' }), 'ok'],
  [
    'keys that differ in case alone',
    () => tags({ principal_tags: { team: ['a'], Team: ['b'] } }),
    'InvalidIdentityToken',
  ],
  ['a source identity', () => ({ 'https://aws.amazon.com/source_identity': 'ada' }), 'ok'],
];

describe('the local STS answers as recorded', () => {
  it.each(observations)('to %s', async (_what, claims, observed) => {
    sts.sts.putRole({ arn: roleArn, trustPolicy: sts.trustPolicy(trusting) });
    expect((await observe(claims())).startsWith(observed)).toBe(true);
  });

  it.each<[string, Observed, Claims | undefined]>([
    ['the key', 'ok', { alg: 'RS256', kid: 'main' }],
    ['no key id', 'InvalidIdentityToken: Couldn', { alg: 'RS256' }],
    ['an empty key id', 'InvalidIdentityToken: Couldn', { alg: 'RS256', kid: '' }],
    ['an unknown key id', 'InvalidIdentityToken: Couldn', { alg: 'RS256', kid: 'x' }],
    [
      'a critical extension',
      'InvalidIdentityToken: The ID Token',
      { alg: 'RS256', kid: 'main', crit: ['b64'] },
    ],
  ])('to %s of several keys', async (_what, observed, header) => {
    sts.issuer.publish('another');
    // Until then the set is known with one key.
    await sts.clock.advance(61_000);
    sts.sts.putRole({ arn: roleArn, trustPolicy: sts.trustPolicy(trusting) });
    expect((await observe({}, { ...(header && { header }) })).startsWith(observed)).toBe(true);
  });

  it('to a session without anything, with a source identity, and with a long subject', async () => {
    sts.sts.putRole({ arn: roleArn, trustPolicy: sts.trustPolicy(trusting) });
    const packed = async (claims: Claims) =>
      (await sts.exchange({ WebIdentityToken: sts.token(claims) })).PackedPolicySize ?? 0;
    const bare = await packed({});
    expect([24, 25]).toContain(bare);
    expect(await packed({ 'https://aws.amazon.com/source_identity': 'a'.repeat(36) })).toBe(26);
    expect(await packed({ sub: 's'.repeat(300) })).toBe(34);
  });
});

describe('the keys of an issuer count as recorded', () => {
  const jwk = (key: ReturnType<StsHarness['issuer']['publish']>, kid: string, members: object) => {
    const { kty, n, e } = key.export({ format: 'jwk' });
    sts.issuer.publishJwk({ kty, n, e, kid, ...members });
  };

  it.each<[string, object, Observed]>([
    ['with another alg', { use: 'sig', alg: 'RS512' }, 'ok'],
    ['without a use', {}, 'ok'],
    ['for encryption', { use: 'enc' }, 'InvalidIdentityToken: Couldn'],
    ['with operations', { use: 'sig', key_ops: ['verify'] }, 'InvalidIdentityToken: Couldn'],
  ])('%s', async (what, members, observed) => {
    const key = sts.issuer.publish(`first ${what}`);
    jwk(key, what, members);
    expect((await observe({}, { key, kid: what })).startsWith(observed)).toBe(true);
  });

  it('by the later one of two with one id', async () => {
    const [first, second] = [sts.issuer.publish('twice'), sts.issuer.publish('twice')];
    expect(await observe({}, { key: second, kid: 'twice' })).toBe('ok');
    expect(await observe({}, { key: first, kid: 'twice' })).toMatch(/^InvalidIdentityToken/);
  });

  it('not at all beyond 100 of a type, and the other type goes on', async () => {
    const ec = sts.issuer.publish('ec', 'P-256');
    for (let n = 0; n < 101; n += 1) sts.issuer.publishJwk({ kty: 'RSA', kid: `filler-${n}` });
    await sts.clock.advance(61_000);
    expect(await observe({})).toMatch(/^InvalidIdentityToken: Couldn/);
    expect(await observe({}, { key: ec, kid: 'ec', alg: 'ES256' })).toBe('ok');
  });
});

describe('a trust policy sees of a web identity what was recorded', () => {
  const asked = async (condition: object, claims: Claims = {}) => {
    sts.sts.putRole({ arn: roleArn, trustPolicy: sts.trustPolicy({ Condition: condition }) });
    return (await sts.exchange({ WebIdentityToken: sts.token(claims) }).catch(() => undefined)) ===
      undefined
      ? 'denied'
      : 'allowed';
  };
  const equals = (key: string, value: string) => ({ StringEquals: { [key]: value } });
  let fresh: StsHarness;
  beforeAll(async () => {
    // The last test left the issuer with too many keys.
    fresh = sts;
    sts = await startStsHarness();
  });
  afterAll(() => fresh.stop());

  it('the provider, its account, and no principal ARN', async () => {
    expect(await asked(equals('aws:FederatedProvider', sts.providerArn))).toBe('allowed');
    expect(await asked(equals('aws:PrincipalAccount', '123456789012'))).toBe('allowed');
    expect(await asked(equals('aws:PrincipalType', 'User'))).toBe('allowed');
    expect(await asked(equals('aws:userid', sts.providerArn))).toBe('allowed');
    expect(await asked({ Null: { 'aws:PrincipalArn': 'true' } })).toBe('allowed');
  });

  it('whether the token names the role, only where it does', async () => {
    const demanded = { Bool: { 'sts:RoleAuthorizedByIdp': 'true' } };
    expect(await asked(demanded, roles(roleArn))).toBe('allowed');
    expect(await asked(demanded)).toBe('denied');
    expect(await asked(demanded, roles(null))).toBe('denied');
    const absent = { Null: { 'sts:RoleAuthorizedByIdp': 'true' } };
    expect(await asked(absent)).toBe('allowed');
    expect(await asked(absent, roles(roleArn))).toBe('denied');
    expect(await asked({ BoolIfExists: { 'sts:RoleAuthorizedByIdp': 'false' } })).toBe('allowed');
  });
});
