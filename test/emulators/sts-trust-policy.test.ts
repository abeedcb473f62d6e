import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { matchesGlob } from '../../src/iam-policy/glob.ts';
import {
  accountId,
  type Claims,
  clientId,
  failureOf,
  roleArn,
  type StsHarness,
  startStsHarness,
} from '../support/sts-harness.ts';

let sts: StsHarness;
beforeAll(async () => {
  sts = await startStsHarness({ sourceVpce: 'vpce-0a1b' });
});
afterAll(() => sts.stop());

/** Asks for a session of a role with this trust policy. */
async function ask(trustPolicy: object, claims: Claims = {}): Promise<'allowed' | 'denied'> {
  sts.sts.putRole({ arn: roleArn, trustPolicy });
  const exchange = sts.exchange({ WebIdentityToken: sts.token(claims) });
  const granted = await exchange.catch(() => undefined);
  if (granted) return 'allowed';
  expect(await failureOf(exchange)).toEqual({
    name: 'AccessDenied',
    code: 'AccessDenied',
    status: 403,
    message: 'Not authorized to perform sts:AssumeRoleWithWebIdentity',
  });
  return 'denied';
}

const askWith = (statement: Claims, claims: Claims = {}) => ask(sts.trustPolicy(statement), claims);

/** A condition over a key of the provider (`aud`) or a global one (`sts:RoleSessionName`). */
const condition = (operator: string, key: string, value: unknown) => ({
  Condition: { [operator]: { [key.includes(':') ? key : `${sts.providerName}:${key}`]: value } },
});

describe('a condition on an ARN', () => {
  const own = () => sts.providerArn;
  it.each<[string, () => unknown, 'allowed' | 'denied']>([
    ['ArnEquals', own, 'allowed'],
    ['ArnLike', () => own().replace('aws:iam::123456789012', '*:iam::*'), 'allowed'],
    ['ArnLike', () => own().replace(/\/[^/]*$/, '/*'), 'allowed'],
    ['ArnLike', () => own().replace('arn:aws:iam::123456789012', '*'), 'denied'],
    ['ArnLike', () => own().replace('123456789012', '999999999999'), 'denied'],
    ['ArnNotLike', () => own().replace('123456789012', '*'), 'denied'],
    ['ArnNotEquals', () => `${own()}/x`, 'allowed'],
  ])('%s %s', async (operator, value, verdict) => {
    const Condition = { [operator]: { 'aws:FederatedProvider': value() } };
    expect(await askWith({ Condition })).toBe(verdict);
  });
});

describe('a variable in a condition', () => {
  const variable = (name: string) => `\${${name}}`;
  const ofToken = (claim: string) => variable(`${sts.providerName}:${claim}`);
  const tagged = (tenant: string, claims: Claims = {}) => ({
    'https://aws.amazon.com/tags': { principal_tags: { tenant: [tenant] } },
    ...claims,
  });
  const tag =
    (value: () => string, operator = 'StringEquals') =>
    () => ({
      Action: 'sts:*',
      ...condition(operator, 'aws:RequestTag/tenant', value()),
    });

  it.each<[string, () => Claims, Claims, 'allowed' | 'denied']>([
    ['a key that fits', tag(() => ofToken('sub')), tagged('ada', { sub: 'ada' }), 'allowed'],
    ['a key in other letters', tag(() => ofToken('SUB')), tagged('ada', { sub: 'ada' }), 'allowed'],
    [
      'a key between texts',
      tag(() => `u-${ofToken('sub')}`),
      tagged('u-1', { sub: '1' }),
      'allowed',
    ],
    ['another key', tag(() => ofToken('sub')), tagged('ada', { sub: 'bob' }), 'denied'],
    [
      'a value that reads as a key',
      tag(() => ofToken('sub')),
      tagged(':sub', { sub: 'a' }),
      'denied',
    ],
    ['a key that is not there', tag(() => ofToken('email')), tagged('ada'), 'denied'],
    [
      'one that is not there, left out',
      tag(() => ofToken('email'), 'StringNotEquals'),
      tagged('ada'),
      'denied',
    ],
    [
      'one that does not end',
      tag(() => ofToken('sub').slice(0, -1)),
      tagged('ada', { sub: 'ada' }),
      'denied',
    ],
    [
      'a key among wildcards',
      tag(() => ofToken('sub'), 'StringLike'),
      tagged('ada', { sub: 'ada' }),
      'denied',
    ],
    [
      'a dollar sign',
      () => condition('StringEquals', 'sub', `${variable('$')}{x}`),
      { sub: variable('x') },
      'allowed',
    ],
    ['a star', () => condition('StringEquals', 'sub', variable('*')), { sub: '*' }, 'allowed'],
    [
      'a star, of which there is none',
      () => condition('StringEquals', 'sub', variable('*')),
      { sub: 'a' },
      'denied',
    ],
  ])('%s', async (_what, statement, claims, verdict) => {
    expect(await askWith(statement(), claims)).toBe(verdict);
  });

  it('is none in a document of the older version', async () => {
    const { Statement } = sts.trustPolicy(condition('StringEquals', 'sub', ofToken('sub'))) as {
      readonly Statement: unknown;
    };
    const older = { Version: '2008-10-17', Statement };
    expect(await ask(older, { sub: 'ada' })).toBe('denied');
    expect(await ask(older, { sub: ofToken('sub') })).toBe('allowed');
  });
});

describe('a condition', () => {
  const mfa = { amr: ['pwd', 'mfa'] };
  it.each<[string, string, unknown, Claims, 'allowed' | 'denied']>([
    ['StringEquals', 'aud', clientId, {}, 'allowed'],
    ['StringEquals', 'aud', ['x', clientId], {}, 'allowed'],
    ['StringEquals', 'aud', 'x', {}, 'denied'],
    ['StringEquals', 'aud', clientId.toUpperCase(), {}, 'denied'],
    ['StringEquals', 'AUD', clientId, {}, 'allowed'],
    ['StringEquals', 'aud', clientId, { azp: clientId, aud: 'resource' }, 'allowed'],
    ['StringEquals', 'aud', 'resource', { azp: clientId, aud: 'resource' }, 'denied'],
    ['StringEquals', 'oaud', 'resource', { azp: clientId, aud: 'resource' }, 'allowed'],
    ['StringEquals', 'oaud', 'resource', { azp: clientId, aud: ['resource', 'x'] }, 'denied'],
    ['ForAnyValue:StringEquals', 'oaud', 'x', { azp: clientId, aud: ['y', 'x'] }, 'allowed'],
    ['StringEquals', 'sub', 'user-1', { sub: 'user-1' }, 'allowed'],
    ['StringEquals', 'sub', 'user-*', { sub: 'user-1' }, 'denied'],
    ['StringLike', 'sub', 'user-*', { sub: 'user-1' }, 'allowed'],
    ['StringLike', 'sub', 'user-?', { sub: 'user-10' }, 'denied'],
    ['StringNotEquals', 'sub', 'user-1', { sub: 'user-2' }, 'allowed'],
    ['StringNotEquals', 'sub', ['user-1', 'user-2'], { sub: 'user-2' }, 'denied'],
    ['StringNotLike', 'sub', 'user-*', { sub: 'other' }, 'allowed'],
    ['StringNotLike', 'sub', 'user-*', { sub: 'user-2' }, 'denied'],
    ['StringEquals', 'email', 'a@example.com', { email: 'a@example.com' }, 'allowed'],
    ['StringEquals', 'email', 'a@example.com', {}, 'denied'],
    ['StringNotEquals', 'email', 'a@example.com', {}, 'allowed'],
    ['StringEqualsIfExists', 'email', 'a@example.com', {}, 'allowed'],
    ['StringEqualsIfExists', 'email', 'a@example.com', { email: 'b@example.com' }, 'denied'],
    ['StringLikeIfExists', 'email', '*@example.com', { email: 'b@example.org' }, 'denied'],
    ['StringNotEqualsIfExists', 'email', 'a@example.com', {}, 'allowed'],
    ['StringNotLikeIfExists', 'email', '*@example.com', { email: 'b@example.com' }, 'denied'],
    ['ForAnyValue:StringEquals', 'amr', 'mfa', mfa, 'allowed'],
    ['ForAnyValue:StringEquals', 'amr', 'hwk', mfa, 'denied'],
    ['ForAnyValue:StringEquals', 'amr', 'mfa', {}, 'denied'],
    ['ForAnyValue:StringEquals', 'amr', 'mfa', { amr: [] }, 'denied'],
    ['ForAnyValue:StringLike', 'amr', 'm*', mfa, 'allowed'],
    ['ForAnyValue:StringLikeIfExists', 'amr', 'm*', {}, 'allowed'],
    ['StringEquals', 'amr', 'mfa', mfa, 'denied'],
    ['StringNotEquals', 'amr', 'hwk', mfa, 'denied'],
    ['StringEquals', 'amr', 'mfa', { amr: ['mfa'] }, 'allowed'],
    ['Null', 'email', 'true', {}, 'allowed'],
    ['Null', 'email', true, {}, 'allowed'],
    ['Null', 'email', 'false', {}, 'denied'],
    ['Null', 'aud', 'false', {}, 'allowed'],
    ['StringEquals', 'sts:RoleSessionName', 'orders-service', {}, 'allowed'],
    ['StringLike', 'sts:RoleSessionName', 'payments-*', {}, 'denied'],
    ['StringEquals', 'aws:SourceVpce', 'vpce-0a1b', {}, 'allowed'],
    ['StringEquals', 'aws:SourceVpce', 'vpce-other', {}, 'denied'],
  ])('%s over %s with %j, for %j: %s', async (operator, key, value, claims, expected) => {
    expect(await askWith(condition(operator, key, value), claims)).toBe(expected);
  });

  it.each(['client_id', 'scope', 'cognito:groups', 'token_use', 'custom:team'])(
    'never sees the claim %s, as STS ignores it',
    async (claim) => {
      const key = `${sts.providerName}:${claim}`;
      expect(await askWith(condition('StringEquals', key, 'x'), { [claim]: 'x' })).toBe('denied');
    },
  );

  it('of an identity pool never matches a token of a user pool', async () => {
    const key = 'cognito-identity.amazonaws.com:aud';
    expect(await askWith(condition('StringEquals', key, clientId))).toBe('denied');
  });

  it('of the VPC endpoint never matches where requests come through none', async () => {
    const direct = await startStsHarness();
    const trustPolicy = direct.trustPolicy(condition('StringLike', 'aws:SourceVpce', '*'));
    direct.sts.putRole({ arn: roleArn, trustPolicy });
    const failure = await failureOf(direct.exchange());
    await direct.stop();
    expect(failure.code).toBe('AccessDenied');
  });

  it('must hold with all the others', async () => {
    const both = (sub: string) => ({
      Condition: {
        StringEquals: {
          [`${sts.providerName}:aud`]: clientId,
          [`${sts.providerName}:sub`]: sub,
        },
      },
    });
    expect(await askWith(both('user-1'), { sub: 'user-1' })).toBe('allowed');
    expect(await askWith(both('user-2'), { sub: 'user-1' })).toBe('denied');
  });

  it('of ForAllValues holds of every value that there is, and of none', async () => {
    const all = condition('ForAllValues:StringEquals', 'oaud', [clientId, 'x']);
    const azp = clientId;
    expect(await askWith(all, { aud: [clientId, 'x'], azp })).toBe('allowed');
    expect(await askWith(all, { aud: [clientId, 'y'], azp })).toBe('denied');
    const absent = condition('ForAllValues:StringEquals', 'amr', ['x']);
    expect(await askWith(absent)).toBe('allowed');
  });

  it.each([
    'StringEqualsIgnoreCase',
    'ForAllValues:StringNotEquals',
    'ForAnyValue:StringNotEquals',
    'IpAddress',
    'stringequals',
  ])(
    'with %s, which is not evaluated, allows nothing and does not disarm a deny',
    async (operator) => {
      const test = condition(operator, 'aud', clientId);
      expect(await askWith(test)).toBe('denied');
      const [allow] = statementsOf(sts.trustPolicy());
      const [deny] = statementsOf(sts.trustPolicy({ Effect: 'Deny', ...test }));
      expect(await ask({ Statement: [allow, deny] })).toBe('denied');
    },
  );
});

describe('a statement', () => {
  it.each<[string, unknown, 'allowed' | 'denied']>([
    [
      'the provider among others',
      () => ['arn:aws:iam::1:oidc-provider/x', sts.providerArn],
      'allowed',
    ],
    ['another provider', () => `${sts.providerArn}x`, 'denied'],
    [
      'the provider of another account',
      () => sts.providerArn.replace(accountId, '999999999999'),
      'denied',
    ],
    ['the issuer with its scheme', () => sts.issuer.url, 'denied'],
    ['a wildcard', () => '*', 'denied'],
  ])('for %s', async (_case, federated, expected) => {
    const Federated = (federated as () => unknown)();
    expect(await askWith({ Principal: { Federated } })).toBe(expected);
  });

  it.each<[unknown, 'allowed' | 'denied']>([
    ['sts:*', 'allowed'],
    ['*', 'allowed'],
    ['sts:AssumeRole*', 'allowed'],
    ['STS:assumerolewithwebidentity', 'allowed'],
    [['sts:TagSession', 'sts:AssumeRoleWithWebIdentity'], 'allowed'],
    ['sts:AssumeRole', 'denied'],
    ['sts:AssumeRoleWithSAML', 'denied'],
  ])('with the action %j: %s', async (Action, expected) => {
    expect(await askWith({ Action })).toBe(expected);
  });

  it('for an AWS principal, or for anyone, does not let a web identity in', async () => {
    expect(await askWith({ Principal: { AWS: `arn:aws:iam::${accountId}:root` } })).toBe('denied');
    expect(await askWith({ Principal: '*' })).toBe('denied');
  });

  it.each<[string, Claims]>([
    ['the provider', {}],
    ['anyone', { Principal: '*' }],
    ['any AWS principal, which means anyone', { Principal: { AWS: '*' } }],
  ])('that denies %s wins over an allow, wherever it stands', async (_case, statement) => {
    const [allow] = statementsOf(sts.trustPolicy());
    const [deny] = statementsOf(sts.trustPolicy({ Effect: 'Deny', ...statement }));
    expect(await ask({ Statement: [allow, deny] })).toBe('denied');
    expect(await ask({ Statement: [deny, allow] })).toBe('denied');
  });

  it('that denies under a condition leaves everybody else in', async () => {
    const [allow] = statementsOf(sts.trustPolicy());
    const [deny] = statementsOf(
      sts.trustPolicy({ Effect: 'Deny', ...condition('StringEquals', 'sub', 'blocked') }),
    );
    expect(await ask({ Statement: [allow, deny] }, { sub: 'blocked' })).toBe('denied');
    expect(await ask({ Statement: [allow, deny] }, { sub: 'user-1' })).toBe('allowed');
  });

  it.each<[string, object]>([
    ['no effect', { Effect: undefined }],
    ['an effect in lower case', { Effect: 'allow' }],
    ['no principal', { Principal: {} }],
    ['NotPrincipal', { NotPrincipal: { AWS: '*' } }],
    ['a resource', { Resource: '*' }],
    ['no action', { Action: [] }],
    ['a condition that is a list', { Condition: [] }],
    ['an operator without keys', { Condition: { StringEquals: 'x' } }],
    ['a comparison with an object', { Condition: { StringEquals: { 'a:b': {} } } }],
    ['a Sid with a space', { Sid: 'a b' }],
  ])('with %s cannot be put', (_case, fault) => {
    const trustPolicy = sts.trustPolicy({ ...fault });
    expect(() => sts.sts.putRole({ arn: roleArn, trustPolicy })).toThrow('trust policy');
  });

  it.each([
    { Version: '2020-01-01', Statement: [] },
    { Statement: [] },
    { Statement: 'x' },
    { Statements: [] },
  ])('in a document like %j cannot be put', (trustPolicy) => {
    expect(() => sts.sts.putRole({ arn: roleArn, trustPolicy })).toThrow('trust policy');
  });
});

describe('session tags in the token', () => {
  const tags = 'https://aws.amazon.com/tags';
  const nested = { [tags]: { principal_tags: { Team: ['x'] }, transitive_tag_keys: ['Team'] } };
  const flat = { [`${tags}/principal_tags/Team`]: 'x', [`${tags}/transitive_tag_keys`]: ['Team'] };
  const Action = ['sts:AssumeRoleWithWebIdentity', 'sts:TagSession'];

  it.each([
    ['nested', nested],
    ['flattened', flat],
    ['empty', { [tags]: {} }],
  ])('(%s) need sts:TagSession in the trust policy', async (_form, claims) => {
    expect(await askWith({}, claims)).toBe('denied');
    expect(await askWith({ Action }, claims)).toBe('allowed');
  });

  it('can be tested by conditions', async () => {
    const test = condition('StringEquals', 'aws:RequestTag/Team', 'x');
    const other = condition('StringEquals', 'aws:RequestTag/Team', 'y');
    const keys = condition('ForAnyValue:StringEquals', 'aws:TagKeys', 'Team');
    const transitive = condition('ForAnyValue:StringEquals', 'sts:TransitiveTagKeys', 'Team');
    expect(await askWith({ Action, ...test }, nested)).toBe('allowed');
    expect(await askWith({ Action, ...other }, nested)).toBe('denied');
    expect(await askWith({ Action, ...keys }, flat)).toBe('allowed');
    expect(await askWith({ Action, ...transitive }, flat)).toBe('allowed');
  });

  it.each<[string, Claims]>([
    ['more than 50', { principal_tags: manyTags(51) }],
    ['a key of 129 characters', { principal_tags: { ['k'.repeat(129)]: ['x'] } }],
    ['a value of 257 characters', { principal_tags: { Team: ['x'.repeat(257)] } }],
    ['two values', { principal_tags: { Team: ['x', 'y'] } }],
    ['a value outside a list', { principal_tags: { Team: 'x' } }],
    ['a value that is not text', { principal_tags: { Team: [1] } }],
    ['keys that differ in letter case only', { principal_tags: { Team: ['x'], team: ['y'] } }],
    ['a reserved key', { principal_tags: { 'aws:team': ['x'] } }],
    ['a forbidden character', { principal_tags: { 'Te|am': ['x'] } }],
    ['a transitive key without a tag', { transitive_tag_keys: ['Team'] }],
    ['transitive keys that are no list', { transitive_tag_keys: 'Team' }],
    ['tags that are no object', { principal_tags: ['Team'] }],
  ])('with %s are refused', async (_case, claim) => {
    sts.sts.putRole({ arn: roleArn, trustPolicy: sts.trustPolicy({ Action }) });
    const WebIdentityToken = sts.token({ [tags]: claim });
    const failure = await failureOf(sts.exchange({ WebIdentityToken }));
    expect(failure).toMatchObject({ code: 'InvalidIdentityToken', status: 400 });
  });
});

describe('a source identity in the token', () => {
  const claim = 'https://aws.amazon.com/source_identity';
  const Action = ['sts:AssumeRoleWithWebIdentity', 'sts:SetSourceIdentity'];

  it('needs sts:SetSourceIdentity in the trust policy, and is part of the answer', async () => {
    expect(await askWith({}, { [claim]: 'Admin' })).toBe('denied');
    expect(await askWith({ Action }, { [claim]: 'Admin' })).toBe('allowed');
    const answer = await sts.exchange({ WebIdentityToken: sts.token({ [claim]: 'Admin' }) });
    expect(answer.SourceIdentity).toBe('Admin');
  });

  it('can be tested by a condition', async () => {
    const test = condition('StringEquals', 'sts:SourceIdentity', 'Admin');
    expect(await askWith({ Action, ...test }, { [claim]: 'Admin' })).toBe('allowed');
    expect(await askWith({ Action, ...test }, { [claim]: 'Other' })).toBe('denied');
  });

  it.each(['x', 'aws:admin', 'a b', 'x'.repeat(65), 7])('like %j is refused', async (value) => {
    sts.sts.putRole({ arn: roleArn, trustPolicy: sts.trustPolicy({ Action }) });
    const WebIdentityToken = sts.token({ [claim]: value });
    const failure = await failureOf(sts.exchange({ WebIdentityToken }));
    expect(failure).toMatchObject({ code: 'InvalidIdentityToken', status: 400 });
  });
});

describe('a pattern', () => {
  it.each<[string, string, boolean]>([
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['?', '', false],
    ['a*c', 'abbc', true],
    ['a*c', 'abbcd', false],
    ['*ab', 'aab', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a?c*', 'abc', true],
    ['a.c', 'abc', false],
  ])('%j against %j: %s', (pattern, text, expected) => {
    expect(matchesGlob(pattern, text)).toBe(expected);
  });

  it('takes no exponential time', () => {
    expect(matchesGlob(`${'*a'.repeat(500)}b`, 'a'.repeat(5_000))).toBe(false);
  });
});

function statementsOf(policy: object): readonly unknown[] {
  return (policy as { readonly Statement: readonly unknown[] }).Statement;
}

function manyTags(count: number): Claims {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`Key${n}`, ['x']]));
}
