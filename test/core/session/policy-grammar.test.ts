import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { requireSessionPolicyGrammar as emulatedCheck } from '../../../emulators/sts/session-policy-grammar.ts';
import { StsError } from '../../../emulators/sts/sts-error.ts';
import { checkSessionPolicy } from '../../../src/core/session/policy-grammar/document.ts';
import type { SessionPolicy } from '../../../src/core/session/session-policy.ts';
import { claimRef } from '../../support/domain.ts';
import { runs, seenMoreThan } from '../../support/fuzz-budget.ts';
import { publishedPolicies } from './published-policies.ts';

const ref = claimRef('team');
const invoices = (name: string) => `arn:aws:s3:::invoices/${name}/*`;
const statement = '/Statement/0';

function policyOf(fields: Readonly<Record<string, unknown>>): SessionPolicy {
  const legal = { Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::invoices/*' };
  return { Version: '2012-10-17', Statement: [{ ...legal, ...fields }] };
}

const condition = (block: unknown) => policyOf({ Condition: block });
const equals = (entries: unknown) => condition({ StringEquals: entries });

function awsVariable(inside: string): string {
  return `\${${inside}}`;
}

function pointersOf(policy: SessionPolicy, partition = 'aws'): readonly string[] {
  return checkSessionPolicy(policy, partition).map(({ pointer }) => pointer);
}

function stsTakes(policy: SessionPolicy, partition = 'aws'): boolean {
  try {
    emulatedCheck(JSON.stringify(policy), partition);
    return true;
  } catch (error) {
    if (error instanceof StsError) return false;
    throw error;
  }
}

describe('a session policy', () => {
  it.each<[string, SessionPolicy]>([
    [
      'with one statement that is no list',
      { ...policyOf({}), Statement: { Effect: 'Deny', Action: '*', Resource: '*' } },
    ],
    ['with an Id and a Sid', { ...policyOf({ Sid: 'Read1' }), Id: 'invoices' }],
    [
      'with lists',
      policyOf({ Action: ['s3:Get*', 'kms:Decrypt'], Resource: ['*', invoices('a')] }),
    ],
    [
      'with NotAction and NotResource',
      {
        Version: '2012-10-17',
        Statement: [{ Effect: 'Deny', NotAction: 's3:*', NotResource: '*' }],
      },
    ],
    ['with a claim in a resource', policyOf({ Resource: invoices(ref) })],
    [
      'with a policy variable',
      policyOf({ Resource: invoices(awsVariable('aws:PrincipalTag/team')) }),
    ],
    [
      'with a policy variable that has a default',
      policyOf({ Resource: invoices(awsVariable("aws:PrincipalTag/team, 'none'")) }),
    ],
    [
      'with escaped characters',
      policyOf({ Resource: invoices(['*', '?', '$'].map(awsVariable).join('')) }),
    ],
    [
      'with conditions of every kind of value',
      equals({ 'aws:a': 'x', 's3:b/c': ['y', ref], 'aws:d': 1, 'aws:e': true }),
    ],
    [
      'with a set operator',
      condition({ 'ForAnyValue:StringLike': { 'aws:PrincipalOrgPaths': ['o-1/*'] } }),
    ],
  ])('passes %s', (_case, policy) => {
    expect(pointersOf(policy)).toEqual([]);
  });

  it.each<[string, SessionPolicy, string]>([
    ['an older Version', { ...policyOf({}), Version: '2008-10-17' }, '/Version'],
    ['no Version', { Statement: policyOf({})['Statement'] }, '/Version'],
    ['an unknown element', { ...policyOf({}), Statements: [] }, '/Statements'],
    ['an unknown element with a slash', { ...policyOf({}), 'a/b~c': [] }, '/a~1b~0c'],
    ['an Id with a claim', { ...policyOf({}), Id: ref }, '/Id'],
    ['an Id that is no text', { ...policyOf({}), Id: 7 }, '/Id'],
    ['no Statement', { Version: '2012-10-17' }, '/Statement'],
    ['an empty Statement', { Version: '2012-10-17', Statement: [] }, '/Statement'],
    ['a statement that is a text', { Version: '2012-10-17', Statement: ['x'] }, statement],
    ['a statement that is null', { Version: '2012-10-17', Statement: null }, '/Statement'],
    [
      'a lone statement with a fault',
      { Version: '2012-10-17', Statement: { Effect: 'Allow', Action: 's3', Resource: '*' } },
      '/Statement/Action',
    ],
    ['a Principal', policyOf({ Principal: '*' }), `${statement}/Principal`],
    ['a NotPrincipal', policyOf({ NotPrincipal: '*' }), `${statement}/NotPrincipal`],
    ['an unknown statement element', policyOf({ Conditions: {} }), `${statement}/Conditions`],
    ['an Effect in other letters', policyOf({ Effect: 'allow' }), `${statement}/Effect`],
    ['an Effect from a claim', policyOf({ Effect: ref }), `${statement}/Effect`],
    ['a Sid from a claim', policyOf({ Sid: ref }), `${statement}/Sid`],
    ['a claim in an Action', policyOf({ Action: `s3:${ref}` }), `${statement}/Action`],
    [
      'a claim in a list of Actions',
      policyOf({ Action: ['s3:Get*', `${ref}:Get`] }),
      `${statement}/Action/1`,
    ],
    ['an Action without a service', policyOf({ Action: 'GetObject' }), `${statement}/Action`],
    ['Action and NotAction', policyOf({ NotAction: 's3:*' }), statement],
    ['neither Action nor NotAction', policyOf({ Action: undefined }), statement],
    ['neither Resource nor NotResource', policyOf({ Resource: undefined }), statement],
    ['an empty list of Actions', policyOf({ Action: [] }), `${statement}/Action`],
    ['a Resource that is no ARN', policyOf({ Resource: 'invoices' }), `${statement}/Resource`],
    ['a Resource that is only a claim', policyOf({ Resource: ref }), `${statement}/Resource`],
    ['a Resource that is a number', policyOf({ Resource: [7] }), `${statement}/Resource/0`],
    [
      'an unknown variable',
      policyOf({ Resource: invoices(awsVariable('team')) }),
      `${statement}/Resource`,
    ],
    [
      'a claim whose name is not legal',
      policyOf({ Resource: invoices(claimRef('a b')) }),
      `${statement}/Resource`,
    ],
    [
      'a claim without a name',
      policyOf({ Resource: invoices(claimRef('')) }),
      `${statement}/Resource`,
    ],
    [
      'a claim reference in other letters',
      policyOf({ Resource: invoices(awsVariable('Claim:team')) }),
      `${statement}/Resource`,
    ],
    [
      'a claim reference that is not closed',
      policyOf({ Resource: `arn:aws:s3:::${ref.slice(0, -1)}` }),
      `${statement}/Resource`,
    ],
    [
      'a claim in the name of a policy variable',
      policyOf({ Resource: invoices(awsVariable(`aws:PrincipalTag/${ref}`)) }),
      `${statement}/Resource`,
    ],
    [
      'a claim that completes a policy variable',
      policyOf({ Resource: invoices(awsVariable(ref)) }),
      `${statement}/Resource`,
    ],
    ['a Condition that is a list', condition([]), `${statement}/Condition`],
    [
      'a number in a Condition that is no longer the one that was written',
      condition({ NumericEquals: { 'aws:x': [1, 2 ** 53] } }),
      `${statement}/Condition/NumericEquals/aws:x`,
    ],
    ...[
      'Null',
      'Bool',
      'NumericLessThan',
      'DateGreaterThanIfExists',
      'ForAnyValue:NotIpAddress',
      'BinaryEquals',
    ].map((operator): [string, SessionPolicy, string] => [
      `a claim where no text is compared, under ${operator}`,
      condition({ [operator]: { 'aws:x': ['true', ref] } }),
      `${statement}/Condition/${operator}/aws:x`,
    ]),
    [
      'a Condition operator from a claim',
      condition({ [ref]: {} }),
      `${statement}/Condition/${ref}`,
    ],
    [
      'a Condition block that is a text',
      condition({ StringEquals: 'x' }),
      `${statement}/Condition/StringEquals`,
    ],
    [
      'a Condition key with a claim',
      equals({ [`aws:${ref}`]: 'x' }),
      `${statement}/Condition/StringEquals/aws:${ref}`,
    ],
    [
      'a Condition value that is an object',
      equals({ 'aws:x/y': {} }),
      `${statement}/Condition/StringEquals/aws:x~1y`,
    ],
    [
      'a Condition without values',
      equals({ 'aws:x': [] }),
      `${statement}/Condition/StringEquals/aws:x`,
    ],
    [
      'an unknown variable in a Condition',
      equals({ 'aws:x': [awsVariable('x')] }),
      `${statement}/Condition/StringEquals/aws:x`,
    ],
    ['a character that STS does not take', policyOf({ Resource: invoices('\u0100') }), ''],
  ])('is refused for %s', (_case, policy, pointer) => {
    expect(pointersOf(policy)).toEqual([pointer]);
  });

  it('is told all its faults at once', () => {
    const policy = { Version: '1', Statement: [{ Effect: 'x', Action: 'y', Resource: 'z' }] };
    expect(pointersOf(policy)).toHaveLength(4);
  });
});

describe('what STS would refuse is refused where it is written (T156)', () => {
  const twice = { ...(policyOf({ Sid: 'Read' })['Statement'] as object[])[0] };
  it.each<[string, SessionPolicy, string]>([
    [
      'the same Sid twice',
      { Version: '2012-10-17', Statement: [twice, twice] },
      '/Statement/1/Sid',
    ],
    ['a Sid with a dash', policyOf({ Sid: 'read-it' }), `${statement}/Sid`],
    ['a Sid with a blank', policyOf({ Sid: 'read it' }), `${statement}/Sid`],
    ['a Sid in other letters', policyOf({ Sid: 'Lesén' }), `${statement}/Sid`],
    ...[
      ...['StringEqualz', 'stringEquals', 'String', '', 'Equals', 'StringEqual', 'NotStringEquals'],
      ...['NullIfExists', 'ForAnyValue:Null', 'ForAllValues:NullIfExists', 'IfExists', 'null'],
      ...['ForAllValue:StringEquals', 'ForAnyValues:StringEquals', 'forAnyValue:StringEquals'],
      ...['ForAnyValue:ForAllValues:StringLike', 'StringLikeIfExistsIfExists', 'ForAnyValue:'],
      ...['StringLikeIgnoreCase', 'BoolNotEquals', 'NotBinaryEquals', 'DateLike', ' StringLike'],
      ...['StringLike\n', 'constructor', 'toString', '__proto__2'],
    ].map<[string, SessionPolicy, string]>((operator) => [
      `the operator ${JSON.stringify(operator)}`,
      condition({ [operator]: { 'aws:x': 'y' } }),
      `${statement}/Condition/${operator}`,
    ]),
    ...[
      ...['SourceIp', 'aws', ':x', 'aws:', 'aws:a*', 'aws:a?b', "aws:a'b", 'aws:a,b', 'aws:a;b'],
      ...['a b:c', '-aws:x', 'aws:a\\b', 'aws:a(b)', 'aws:a\tb', awsVariable('aws:x')],
    ].map<[string, SessionPolicy, string]>((key) => [
      `the condition key ${JSON.stringify(key)}`,
      equals({ [key]: 'y' }),
      `${statement}/Condition/StringEquals/${key.replaceAll('/', '~1')}`,
    ]),
    ...[
      ...[
        'arn:',
        'arn:aws',
        'arn:aws:',
        'arn:aws:s3',
        'arn:aws:s3:',
        'arn:aws:s3::',
        'ARN:aws:s3:::x',
      ],
      ...['arn:aws-cn:s3:::x', 'arn:aws-us-gov:s3:::x', 'arn:AWS:s3:::x', 'arn:aw*:s3:::x'],
      ...['arn::s3:::x', 'arn:aws::::x', 'arn:aws:*:*:*:*', 'arn:aws:s?:::x', 'arn:aws:S3:::x'],
      ...['**', '', ' *', 'arn:aws:s3:x', `arn:aws:${ref}:::x`, `arn:${ref}:s3:::x`],
      ...[`arn:aws:s3:${awsVariable('aws:a:b')}`, 'arn :aws:s3:::x'],
    ].map<[string, SessionPolicy, string]>((resource) => [
      `the resource ${JSON.stringify(resource)}`,
      policyOf({ NotResource: [resource], Resource: undefined }),
      `${statement}/NotResource/0`,
    ]),
    ...[
      ...[
        'aws:',
        ':sub',
        'sub',
        '',
        'aws:a*',
        'aws:a, b',
        "aws:a, 'b",
        "aws:a, 'b' c",
        "aws:a 'b'",
      ],
      ...["aws:a, 'it's'", 'a b:c', '**'],
    ].flatMap<[string, SessionPolicy, string]>((inside) => [
      [
        `the variable ${JSON.stringify(inside)} in a resource`,
        policyOf({ Resource: invoices(awsVariable(inside)) }),
        `${statement}/Resource`,
      ],
      [
        `the variable ${JSON.stringify(inside)} in a condition`,
        equals({ 'aws:x': awsVariable(inside) }),
        `${statement}/Condition/StringEquals/aws:x`,
      ],
    ]),
    ['U+0000 in a resource', policyOf({ Resource: invoices('\u0000') }), ''],
    ['U+0000 in a condition', equals({ 'aws:x': 'a\u0000' }), ''],
    ['half of a pair in a condition', equals({ 'aws:x': '\ud800' }), ''],
    ['the other half of a pair in an Id', { ...policyOf({}), Id: '\udfff' }, ''],
    ['a whole pair in a resource', policyOf({ Resource: invoices('\u{1f600}') }), ''],
    ['a bell in a condition', equals({ 'aws:x': '\u0007' }), ''],
    ...[2 ** 53, -(2 ** 53), 1e21, 1e-7, -0].map<[string, SessionPolicy, string]>((number) => [
      `the number ${Object.is(number, -0) ? '-0' : number}`,
      condition({ NumericEquals: { 'aws:x': number } }),
      `${statement}/Condition/NumericEquals/aws:x`,
    ]),
  ])('%s', (_case, policy, pointer) => {
    expect(pointersOf(policy)).toEqual([pointer]);
  });

  it.each(['aws', 'aws-cn', 'aws-us-gov', 'aws-iso', 'aws-iso-b', 'aws-eusc'])(
    'a resource in another partition than that of a role in %s',
    (partition) => {
      const inPartition = (name: string) => policyOf({ Resource: `arn:${name}:s3:::invoices/*` });
      expect(pointersOf(inPartition(partition), partition)).toEqual([]);
      expect(pointersOf(inPartition('*'), partition)).toEqual([]);
      const other = partition === 'aws' ? 'aws-cn' : 'aws';
      expect(pointersOf(inPartition(other), partition)).toEqual([`${statement}/Resource`]);
    },
  );

  it('without repeating anything of it', () => {
    const secret = 'bXlzZWNyZXQ';
    const policy = {
      Version: secret,
      [secret]: 1,
      Id: awsVariable(secret),
      Statement: [
        { Sid: `${secret}-`, Effect: secret, Action: secret, Resource: `arn:${secret}` },
        { Condition: { [secret]: { [secret]: [awsVariable(secret), null, 1e300] } } },
      ],
    };
    const faults = checkSessionPolicy(policy, 'aws');
    expect(faults.length).toBeGreaterThan(10);
    expect(faults.map(({ detail }) => detail).join(' ')).not.toContain(secret);
  });
});

describe('what STS takes is taken', () => {
  it.each<[string, SessionPolicy]>([
    ...[
      ...['aws:ResourceTag/Cost Center', 'aws:RequestTag/a+b=c', 'aws:PrincipalTag/Größe'],
      ...['aws:ResourceTag/eks:eks-cluster-name', 'kms:EncryptionContext:aws:s3:arn'],
      ...['cognito-identity.amazonaws.com:sub', 'accounts.google.com:aud', 'saml:sub'],
      'oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B716D3041E:aud',
      'cognito-idp.us-east-1.amazonaws.com/us-east-1_AbCdEf123:aud',
    ].map<[string, SessionPolicy]>((key) => [`the condition key ${key}`, equals({ [key]: 'x' })]),
    ...[
      ...[
        'cognito-identity.amazonaws.com:sub',
        'accounts.google.com:sub',
        'www.amazon.com:user_id',
      ],
      ...['graph.facebook.com:id', 'saml:namequalifier', 'aws:PrincipalTag/eks:eks-cluster-name'],
      ...['aws:PrincipalTag/Cost Center', "aws:PrincipalTag/team, 'no team'", 'aws:username'],
      ...['ec2:SourceInstanceARN', 'iot:Connection.Thing.ThingName', '*', '?', '$'],
    ].flatMap<[string, SessionPolicy]>((inside) => [
      [
        `the variable ${inside} in a resource`,
        policyOf({ Resource: invoices(awsVariable(inside)) }),
      ],
      [`the variable ${inside} in a condition`, equals({ 'aws:x': `a${awsVariable(inside)}b` })],
    ]),
    [
      'variables in the region and the account of an ARN',
      policyOf({
        Resource: `arn:aws:ec2:${awsVariable('aws:RequestedRegion')}:${awsVariable('aws:PrincipalAccount')}:volume/*`,
      }),
    ],
    [
      'an ARN with colons in its resource',
      policyOf({ Resource: 'arn:aws:logs:*:*:log-group:/a:*' }),
    ],
    [
      'a Sid of no letters, as often as it is there',
      {
        Version: '2012-10-17',
        Statement: [
          { Sid: '', Effect: 'Allow', Action: '*', Resource: '*' },
          { Sid: '', Effect: 'Allow', Action: '*', Resource: '*' },
          { Sid: 'a', Effect: 'Allow', Action: '*', Resource: '*' },
          { Sid: 'A', Effect: 'Allow', Action: '*', Resource: '*' },
        ],
      },
    ],
    ...['', 'ForAllValues:', 'ForAnyValue:'].flatMap((set) =>
      ['', 'IfExists'].map<[string, SessionPolicy]>((suffix) => [
        `${set}StringLike${suffix}`,
        condition({ [`${set}StringLike${suffix}`]: { 'aws:TagKeys': ['a*'] } }),
      ]),
    ),
    ['Null', condition({ Null: { 'aws:TokenIssueTime': true } })],
    ['plain numbers', condition({ NumericEquals: { 's3:max-keys': [0, -7, 0.25, 2 ** 53 - 1] } })],
  ])('%s', (_case, policy) => {
    expect(pointersOf(policy)).toEqual([]);
    expect(stsTakes(policy)).toBe(true);
  });

  it.each(publishedPolicies)('the shape of $name, which AWS publishes', ({ policy }) => {
    expect(pointersOf(policy)).toEqual([]);
    expect(stsTakes(policy)).toBe(true);
  });
});

/** Texts around the edges of the grammar: pieces of it, put together in ways that are right and wrong. */
const pieces = fc.array(
  fc.constantFrom(
    ...[
      'aws',
      's3',
      'arn',
      ':',
      ':',
      '::',
      '/',
      '*',
      '?',
      'x',
      ' ',
      "'",
      ',',
      '#',
      '-',
      '_',
      '.',
      '+',
    ],
    ...[
      '=',
      '@',
      '${',
      '}',
      '{',
      ...['aws:username', '*', "aws:a, 'b'"].map(awsVariable),
      '\u0000',
      '\u0100',
      'é',
      '\ud800',
    ],
  ),
  { maxLength: 9 },
);
const text = pieces.map((parts) => parts.join(''));
const resource = fc.oneof(
  text,
  text.map((rest) => `arn:aws:s3:::${rest}`),
  fc
    .tuple(fc.constantFrom('aws', 'aws-cn', '*', ''), fc.constantFrom('s3', 's*', '', 'S3'), text)
    .map(([partition, service, rest]) => `arn:${partition}:${service}:${rest}`),
  fc.constant('*'),
);
const operator = fc
  .tuple(
    fc.constantFrom('', '', '', 'ForAllValues:', 'ForAnyValue:', 'ForAnyValues:'),
    fc.constantFrom(
      'Null',
      'Bool',
      'StringEquals',
      'StringLike',
      'ArnNotLike',
      'IpAddress',
      'Like',
    ),
    fc.constantFrom('', '', 'IfExists', 'ifExists'),
  )
  .map((parts) => parts.join(''));
const key = fc.oneof(
  fc.constantFrom('aws:x', 'aws:ResourceTag/Cost Center', 'accounts.google.com:sub'),
  text,
  text.map((name) => `aws:${name}`),
);
const value = fc.oneof(
  text,
  text.map((inside) => awsVariable(`aws:${inside}`)),
  fc.integer(),
  fc.boolean(),
  fc.constantFrom(null, {}, []),
);
const oneOrMore = (items: fc.Arbitrary<unknown>) =>
  fc.oneof(items, fc.array(items, { maxLength: 3 }));
const often = <T>(legal: T, other: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 8, arbitrary: fc.constant<unknown>(legal) }, { weight: 1, arbitrary: other });
const action = fc.constantFrom('s3:Get*', '*', 's3', '*:x', 's3:a b', `s3:${ref}`);
const anyStatement = fc.record(
  {
    Effect: often('Allow', fc.constantFrom('Deny', 'allow', true)),
    Action: often('s3:GetObject', oneOrMore(action)),
    Resource: fc.oneof(fc.constant<unknown>('*'), oneOrMore(resource)),
    Condition: fc.oneof(
      fc.dictionary(operator, fc.dictionary(key, oneOrMore(value), { maxKeys: 2 }), { maxKeys: 2 }),
      fc.constant({ StringEquals: { 'aws:x': 'y' } }),
    ),
    Sid: fc.constantFrom('', 'A', 'B', 'a-b'),
  },
  { requiredKeys: ['Effect', 'Action', 'Resource'] },
);
const anyPolicy = fc.record({
  Version: often('2012-10-17', fc.constant('2020-01-01')),
  Statement: fc.oneof(anyStatement, fc.array(anyStatement, { maxLength: 3 })),
});

describe('for any policy (T156)', () => {
  it('the emulated STS, whose grammar was written apart, says the same in both directions', () => {
    const seen = { taken: 0, refused: 0 };
    fc.assert(
      fc.property(anyPolicy, fc.constantFrom('aws', 'aws-cn'), (policy, partition) => {
        const taken = stsTakes(policy, partition);
        seen[taken ? 'taken' : 'refused'] += 1;
        expect({ policy, taken: pointersOf(policy, partition).length === 0 }).toEqual({
          policy,
          taken,
        });
      }),
      runs(20_000),
    );
    expect(seen.taken).toBeGreaterThan(seenMoreThan(1000));
    expect(seen.refused).toBeGreaterThan(seenMoreThan(1000));
  });
});
