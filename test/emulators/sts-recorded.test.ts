/**
 * What a third party recorded on real AWS on 2026-09-11 (us-east-1), as far as it was told to us: each observation is
 * built, run against the local STS, and compared by code, and by words where these were told. The last test counts.
 */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { selfSigned } from '../support/self-signed.ts';
import {
  accountId,
  type Claims,
  clientId,
  failureOf,
  roleArn,
  type SignOptions,
  type StsHarness,
  startStsHarness,
} from '../support/sts-harness.ts';

/** `ok`, or the code; with a colon, the beginning of the words, too. */
type Observed = string;

interface Observation {
  readonly what: string;
  readonly recorded: Observed;
  readonly run: () => Promise<Observed>;
}

/** An issuer with one key, one with two, and one with more than STS looks at. */
let sts: StsHarness;
let several: StsHarness;
let crowded: StsHarness;
beforeAll(async () => {
  [sts, several, crowded] = await Promise.all([
    startStsHarness(),
    startStsHarness(),
    startStsHarness(),
  ]);
  several.issuer.publish('another', 'P-256');
});
afterAll(() => Promise.all([sts.stop(), several.stop(), crowded.stop()]));

const now = () => Math.floor(sts.clock.now() / 1000);
const other = 'arn:aws:iam::123456789012:role/broker/other';
const roles = (value: unknown): Claims => ({ 'https://aws.amazon.com/roles': value });
const tags = (value: unknown): Claims => ({ 'https://aws.amazon.com/tags': value });
const source = (value: unknown): Claims => ({ 'https://aws.amazon.com/source_identity': value });
const notListed =
  'InvalidIdentityToken: The target role ARN is not present in the roles claim of the identity token';
const notValidated =
  'InvalidIdentityToken: The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements.';
const badTime = 'InvalidIdentityToken: Invalid timestamp in token claims.';
const noKey =
  "InvalidIdentityToken: Couldn't retrieve verification key from your identity provider";
const missing = (claim: string) => `InvalidIdentityToken: Missing a required claim: ${claim}`;
const denied = 'AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity';

interface Asked {
  readonly of?: StsHarness;
  readonly token?: string;
  readonly claims?: Claims;
  readonly sign?: SignOptions;
  /** Of the role, besides the actions that tags and a source identity need. */
  readonly trust?: Claims;
  readonly request?: Parameters<StsHarness['exchange']>[0];
}

const everyAction = {
  Action: ['sts:AssumeRoleWithWebIdentity', 'sts:TagSession', 'sts:SetSourceIdentity'],
};

async function ask({ of = sts, trust = {}, request, ...asked }: Asked): Promise<Observed> {
  of.sts.putRole({
    arn: roleArn,
    maxSessionDurationSeconds: 43_200,
    trustPolicy: of.trustPolicy({ ...everyAction, ...trust }),
  });
  const { token = of.token(asked.claims, asked.sign) } = asked;
  const exchange = of.exchange({ WebIdentityToken: token, ...request });
  if ((await exchange.catch(() => undefined)) !== undefined) return 'ok';
  const { code, message } = await failureOf(exchange);
  return `${code}: ${message}`;
}

type Told = readonly [what: string, asked: () => Asked, recorded: Observed];

const told = (rows: readonly Told[]): readonly Observation[] =>
  rows.map(([what, asked, recorded]) => ({ what, recorded, run: () => ask(asked()) }));

const claimed = (rows: readonly (readonly [string, () => Claims, Observed])[]) =>
  told(rows.map(([what, claims, recorded]) => [what, () => ({ claims: claims() }), recorded]));

/** A JWT whose payload is this text, in which a member may stand twice. */
function withPayload(payload: string, header = JSON.stringify({ alg: 'RS256', kid: 'main' })) {
  return sts.issuer.signTexts(header, payload);
}

const twice = (first: string, last: string) =>
  withPayload(
    JSON.stringify(sts.claims({ aud: '@' })).replace(
      '"aud":"@"',
      `"aud":"${first}","aud":"${last}"`,
    ),
  );

const clocks = claimed([
  ['exp 299 s ago', () => ({ exp: now() - 299 }), 'ok'],
  ['iat 299 s ahead', () => ({ iat: now() + 299 }), 'ok'],
  [
    'iat 301 s ahead',
    () => ({ iat: now() + 301 }),
    'InvalidIdentityToken: Token issued in the future: ',
  ],
  [
    'iat an hour ahead',
    () => ({ iat: now() + 3600 }),
    'InvalidIdentityToken: Token issued in the future: ',
  ],
  ['nbf 299 s ahead', () => ({ nbf: now() + 299 }), 'ok'],
  [
    'nbf 301 s ahead',
    () => ({ nbf: now() + 301 }),
    'InvalidIdentityToken: Token not yet valid: current date/time ',
  ],
  [
    'exp 301 s ago',
    () => ({ exp: now() - 301 }),
    'ExpiredTokenException: Token expired: current date/time ',
  ],
  ['expired, as text', () => ({ exp: String(now() - 301) }), 'ExpiredTokenException: '],
  ['a fraction in exp', () => ({ exp: now() + 60.5 }), badTime],
  ['a fraction in iat', () => ({ iat: now() - 0.5 }), badTime],
  ['a fraction in nbf', () => ({ nbf: now() - 0.5 }), badTime],
  ['null in exp', () => ({ exp: null }), badTime],
  ['null in iat', () => ({ iat: null }), badTime],
  ['null in nbf', () => ({ nbf: null }), badTime],
  ['exp as text', () => ({ exp: String(now() + 60) }), 'ok'],
  ['iat as text', () => ({ iat: String(now()) }), 'ok'],
  ['nbf as text', () => ({ nbf: String(now()) }), 'ok'],
]);

const whose = [
  ...claimed(
    ['iss', 'sub', 'aud', 'iat', 'exp'].map(
      (claim) => [`no ${claim}`, () => ({ [claim]: undefined }), missing(claim)] as const,
    ),
  ),
  ...claimed([
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
      'InvalidIdentityToken: Claim is not allowed to be empty: aud',
    ],
    [
      'two audiences',
      () => ({ aud: [clientId, 'x'] }),
      'InvalidIdentityToken: Token audience contains more than one audience while authorized party is not present',
    ],
    ['two audiences and azp', () => ({ aud: [clientId, 'x'], azp: clientId }), 'ok'],
    ['azp in the place of aud', () => ({ aud: 'x', azp: clientId }), 'ok'],
    ['another azp', () => ({ azp: 'x' }), notValidated],
    ['an empty azp', () => ({ azp: '' }), notValidated],
  ]),
  ...told([
    ['aud twice, the last one right', () => ({ token: twice('x', clientId) }), 'ok'],
    ['aud twice, the last one wrong', () => ({ token: twice(clientId, 'x') }), notValidated],
    [
      'a key id twice, the last one right',
      () => ({
        token: withPayload(JSON.stringify(sts.claims()), '{"alg":"RS256","kid":"x","kid":"main"}'),
      }),
      'ok',
    ],
  ]),
];

const keys = told([
  ['no key id, of one key', () => ({ sign: { header: { alg: 'RS256' } } }), 'ok'],
  ['the key of several', () => ({ of: several }), 'ok'],
  ['no key id of several', () => ({ of: several, sign: { header: { alg: 'RS256' } } }), noKey],
  ['an empty key id of several', () => ({ of: several, sign: { kid: '' } }), noKey],
  ['an unknown key id of several', () => ({ of: several, sign: { kid: 'x' } }), noKey],
  ...(['RS256', 'RS384', 'RS512'] as const).map(
    (alg): Told => [alg, () => ({ sign: { alg } }), 'ok'],
  ),
  ...(
    [
      ['ES256', 'P-256'],
      ['ES384', 'P-384'],
      ['ES512', 'P-521'],
    ] as const
  ).map(
    ([alg, curve]): Told => [
      alg,
      () => ({ of: several, sign: { alg, kid: alg, key: several.issuer.publish(alg, curve) } }),
      'ok',
    ],
  ),
  [
    'a critical extension',
    () => ({ sign: { header: { alg: 'RS256', kid: 'main', crit: ['b64'] } } }),
    'InvalidIdentityToken: The ID Token provided is not a valid JWT',
  ],
  ['a key with another alg', () => published({ use: 'sig', alg: 'ES512' }), 'ok'],
  ['a key without a use', () => published({}), 'ok'],
  ['a key for encryption', () => published({ use: 'enc' }), noKey],
  ['a key with operations', () => published({ use: 'sig', key_ops: ['verify'] }), noKey],
  ['a key with no operations in a list', () => published({ use: 'sig', key_ops: [] }), noKey],
  ['a key with its certificate', () => certified('own'), 'ok'],
  ['a key with the certificate of another', () => certified('another'), noKey],
  ['the later of two keys with one id', () => duplicated(1), 'ok'],
  ['the earlier of two keys with one id', () => duplicated(0), 'InvalidIdentityToken'],
  ['one of 101 RSA keys', () => ({ of: overcrowded() }), noKey],
  [
    'an EC key beside 101 RSA keys',
    () => {
      const of = overcrowded();
      return { of, sign: { alg: 'ES256', kid: 'ec', key: of.issuer.publish('ec', 'P-256') } };
    },
    'ok',
  ],
]);

let count = 0;

/** A token by an EC key that is published with these members. */
function published(members: object): Asked {
  count += 1;
  const kid = `published-${count}`;
  // The private half; the public one is published once more below, as it is to be.
  const key = several.issuer.publish(`hidden-${count}`, 'P-256');
  const { kty, crv, x, y } = key.export({ format: 'jwk' });
  several.issuer.publishJwk({ kty, crv, x, y, kid, ...members });
  return { of: several, sign: { alg: 'ES256', kid, key } };
}

function certified(by: 'own' | 'another'): Asked {
  count += 1;
  const kid = `certified-${count}`;
  const [own, another] = [selfSigned('own'), selfSigned('another')];
  const der = new X509Certificate(by === 'own' ? own.cert : another.cert).raw.toString('base64');
  const jwk = new X509Certificate(own.cert).publicKey.export({ format: 'jwk' });
  several.issuer.publishJwk({ ...jwk, kid, use: 'sig', x5c: [der] });
  return { of: several, sign: { alg: 'ES256', kid, key: createPrivateKey(own.key) } };
}

function duplicated(index: number): Asked {
  count += 1;
  const kid = `twice-${count}`;
  const both = [several.issuer.publish(kid, 'P-256'), several.issuer.publish(kid, 'P-256')];
  const [first, last] = both;
  const key = index === 0 ? first : last;
  return { of: several, sign: { alg: 'ES256', kid, ...(key && { key }) } };
}

/** The main key is one of 101. */
function overcrowded(): StsHarness {
  for (let n = count; n < count + 100; n += 1) {
    crowded.issuer.publishJwk({ kty: 'RSA', kid: `filler-${n}` });
  }
  count += 100;
  return crowded;
}

const roleClaims = claimed([
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
  ['a wildcard for all', () => roles(['*']), notListed],
  ['the role without its path', () => roles(roleArn.replace('broker/', '')), notListed],
]);

const sessions = [
  ...claimed([
    ['tags with values in lists', () => tags({ principal_tags: { team: ['a'] } }), 'ok'],
    [
      'tags with plain values',
      () => tags({ principal_tags: { team: 'a' } }),
      'InvalidIdentityToken: principal_tags passed in claim is not in correct format',
    ],
    ['flat tags', () => ({ 'https://aws.amazon.com/tags/principal_tags/team': 'a' }), 'ok'],
    [
      'keys that differ in case alone',
      () => tags({ principal_tags: { team: ['a'], Team: ['b'] } }),
      'InvalidIdentityToken',
    ],
    ['a source identity', () => source('ada'), 'ok'],
  ]),
  ...told([
    [
      'tags, where the role lets nobody tag',
      () => ({
        claims: tags({ principal_tags: { team: ['a'] } }),
        trust: { Action: 'sts:AssumeRoleWithWebIdentity' },
      }),
      denied,
    ],
    [
      'a source identity, where the role lets nobody set it',
      () => ({ claims: source('ada'), trust: { Action: 'sts:AssumeRoleWithWebIdentity' } }),
      denied,
    ],
    [
      'a token that has a minute left, for two hours',
      () => ({ claims: { exp: now() + 60 }, request: { DurationSeconds: 7200 } }),
      'ok',
    ],
    ['a token that was used before', () => ({ token: sameToken() }), 'ok'],
    ['the same token once more', () => ({ token: sameToken() }), 'ok'],
    [
      'a provider id that is the issuer',
      () => ({ request: { ProviderId: sts.issuer.url } }),
      denied,
    ],
    [
      'the provider id of Facebook',
      () => ({ request: { ProviderId: 'graph.facebook.com' } }),
      denied,
    ],
    [
      'the provider id of Google',
      () => ({ request: { ProviderId: 'accounts.google.com' } }),
      denied,
    ],
    [
      'the provider id of Amazon',
      () => ({ request: { ProviderId: 'www.amazon.com' } }),
      'InvalidIdentityToken',
    ],
  ]),
];

let kept: string | undefined;
function sameToken(): string {
  kept ??= sts.token({ jti: 'once' });
  return kept;
}

const equals = (key: string, value: () => string) => () => ({
  trust: { Condition: { StringEquals: { [key]: value() } } },
});
const absent = (key: string) => () => ({ trust: { Condition: { Null: { [key]: 'true' } } } });
const namedBy =
  (Condition: object, claims: Claims = {}) =>
  () => ({ trust: { Condition }, claims });
const byName = { Bool: { 'sts:RoleAuthorizedByIdp': 'true' } };
const notByName = { Null: { 'sts:RoleAuthorizedByIdp': 'true' } };

const trustPolicies = told([
  ['the provider', equals('aws:FederatedProvider', () => sts.providerArn), 'ok'],
  ['the account of the provider', equals('aws:PrincipalAccount', () => accountId), 'ok'],
  ['another account', equals('aws:PrincipalAccount', () => '999999999999'), denied],
  ['the type of the principal', equals('aws:PrincipalType', () => 'User'), 'ok'],
  ['another type', equals('aws:PrincipalType', () => 'AssumedRole'), denied],
  ['the provider as user id', equals('aws:userid', () => sts.providerArn), 'ok'],
  ['no ARN of the principal', absent('aws:PrincipalArn'), 'ok'],
  ['any AWS principal', () => ({ trust: { Principal: { AWS: '*' } } }), denied],
  ['that the token names the role', namedBy(byName, roles(roleArn)), 'ok'],
  ['that it does, of one that names none', namedBy(byName), denied],
  ['that it does, of one with null', namedBy(byName, roles(null)), denied],
  ['that it does not', namedBy(notByName), 'ok'],
  ['that it does not, of one that does', namedBy(notByName, roles(roleArn)), denied],
  [
    'that it does not, if it says so at all',
    namedBy({ BoolIfExists: { 'sts:RoleAuthorizedByIdp': 'false' } }),
    'ok',
  ],
]);

/** IAM does not store them: whoever has an identity pool could take the role. */
const identityPools = 'cognito-identity.amazonaws.com';
const aud = `${identityPools}:aud`;
const pooled: readonly (readonly [string, object | undefined])[] = [
  ['without conditions', undefined],
  ['with none', {}],
  ['that looks at the subject', { StringEquals: { [`${identityPools}:sub`]: 'us-east-1:x' } }],
  [
    'that looks for a sign-in',
    { 'ForAnyValue:StringLike': { [`${identityPools}:amr`]: 'authenticated' } },
  ],
  ['that looks at the session name', { StringEquals: { 'sts:RoleSessionName': 'x' } }],
  ['that looks at the audience of another', { StringEquals: { 'accounts.google.com:aud': 'x' } }],
  ['that leaves an audience out', { StringNotEquals: { [aud]: 'x' } }],
  ['that leaves audiences out', { StringNotLike: { [aud]: 'x*' } }],
  ['that looks at the audience if there is one', { StringEqualsIfExists: { [aud]: 'x' } }],
  ['that asks for any audience', { Null: { [aud]: 'false' } }],
  ['that holds without an audience', { 'ForAllValues:StringEquals': { [aud]: 'x' } }],
];

function store(Condition: object | undefined): Observed {
  const trustPolicy = sts.trustPolicy({
    Principal: { Federated: identityPools },
    ...(Condition && { Condition }),
  });
  try {
    sts.sts.putRole({ arn: other, trustPolicy });
    return 'ok';
  } catch (error) {
    return `MalformedPolicyDocument: ${error}`;
  }
}

const storing: readonly Observation[] = [
  ...pooled.map(([what, condition]) => ({
    what,
    recorded: 'MalformedPolicyDocument',
    run: async () => store(condition),
  })),
  {
    what: 'that names the audience',
    recorded: 'ok',
    run: async () => store({ StringEquals: { [aud]: 'us-east-1:pool' } }),
  },
];

const observed = new Map<Observation, Promise<Observed>>();

/** Each is made once, in the order of its first mention. */
function answerTo(observation: Observation): Promise<Observed> {
  const answer = observed.get(observation) ?? observation.run();
  observed.set(observation, answer);
  return answer;
}

const groups: readonly (readonly [string, readonly Observation[]])[] = [
  ['to times', clocks],
  ['to subjects and audiences', whose],
  ['to keys', keys],
  ['to roles that a token names', roleClaims],
  ['to what makes a session', sessions],
  ['where a trust policy asks for', trustPolicies],
  ['to a trust policy for identity pools', storing],
];

describe.each(groups)('the local STS answers as recorded %s:', (_about, observations) => {
  it.each(observations.map((one) => [one.what, one] as const))('%s', async (_what, one) => {
    const answer = await answerTo(one);
    expect(answer.slice(0, one.recorded.length)).toBe(one.recorded);
  });
});

describe('the local STS says of the room in a session what was recorded', () => {
  it.each<[string, Claims, readonly number[]]>([
    ['without anything', {}, [24, 25]],
    ['with a source identity', source('a'.repeat(36)), [26]],
    ['with a subject of 300 characters', { sub: 's'.repeat(300) }, [34]],
  ])('%s', async (_what, claims, percent) => {
    expect(await ask({ claims })).toBe('ok');
    const { PackedPolicySize } = await sts.exchange({ WebIdentityToken: sts.token(claims) });
    expect(percent).toContain(PackedPolicySize);
  });
});

it('the local STS agrees in 95 % of the codes or more, and takes nothing that AWS refuses', async () => {
  const codeOf = (answer: Observed) => answer.split(':')[0] ?? '';
  const all = groups.flatMap(([, observations]) => observations);
  const others: { readonly what: string; readonly code: string }[] = [];
  for (const one of all) {
    const code = codeOf(await answerTo(one));
    if (code !== codeOf(one.recorded)) others.push({ what: one.what, code });
  }
  expect(others.filter(({ code }) => code === 'ok')).toEqual([]);
  expect((all.length - others.length) / all.length).toBeGreaterThanOrEqual(0.95);
});
