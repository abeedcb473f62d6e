import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { failureOf, type StsHarness, startStsHarness } from '../support/sts-harness.ts';

let sts: StsHarness;
beforeAll(async () => {
  sts = await startStsHarness();
});
afterAll(() => sts.stop());

const statement = {
  Effect: 'Allow',
  Action: 's3:GetObject',
  Resource: 'arn:aws:s3:::invoices/user-1/*',
};
const document = (...statements: object[]) => ({ Version: '2012-10-17', Statement: statements });
const exchange = (policy: unknown, PolicyArns?: { arn: string }[]) =>
  sts.exchange({
    ...(policy === undefined
      ? {}
      : { Policy: typeof policy === 'string' ? policy : JSON.stringify(policy) }),
    ...(PolicyArns ? { PolicyArns } : {}),
  });
const malformed = (message: string) => ({
  name: 'MalformedPolicyDocumentException',
  code: 'MalformedPolicyDocument',
  status: 400,
  message,
});

describe('a session policy is accepted', () => {
  it.each<[string, object]>([
    ['with one statement', document(statement)],
    ['with a statement outside a list', { Version: '2012-10-17', Statement: statement }],
    [
      'of the older version, with an id',
      { ...document(statement), Version: '2008-10-17', Id: 'x' },
    ],
    [
      'with wildcards',
      document({ Effect: 'Deny', Action: ['s3:*', 'ec2:Get?', '*'], Resource: '*' }),
    ],
    [
      'with NotAction and NotResource',
      document({ Effect: 'Allow', NotAction: 'iam:*', NotResource: 'arn:aws:s3:::secret' }),
    ],
    [
      'with ids and conditions',
      document(
        { ...statement, Sid: 'Read1', Condition: { StringEquals: { 's3:prefix': ['a', 'b'] } } },
        {
          ...statement,
          Sid: '',
          Condition: {
            'ForAllValues:StringLikeIfExists': { 'aws:TagKeys': 'x*' },
            NumericLessThanEquals: { 's3:max-keys': 10 },
            Bool: { 'aws:SecureTransport': true },
            NotIpAddress: { 'aws:SourceIp': '10.0.0.0/8' },
          },
        },
      ),
    ],
  ])('%s', async (_case, policy) => {
    const answer = await exchange(policy);
    expect(answer.PackedPolicySize).toBeGreaterThan(0);
    expect(sts.sts.requests.at(-1)?.policy).toBe(JSON.stringify(policy));
  });
});

describe('a session policy is refused', () => {
  const syntax = 'Syntax errors in policy.';
  const vendor = 'Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.';
  const oneStatement = (change: object) => document({ ...statement, ...change });
  it.each<[string, unknown, string]>([
    ['that is not JSON', '{"Version":', 'This policy contains invalid Json'],
    ['that is a list', [], syntax],
    ['that is null', 'null', syntax],
    ['without a version', { Statement: [statement] }, versionMessage()],
    ['of an unknown version', { ...document(statement), Version: '2020-01-01' }, versionMessage()],
    ['with an unknown member', { ...document(statement), Extra: 1 }, syntax],
    ['without statements', document(), syntax],
    ['with a statement that is text', { Version: '2012-10-17', Statement: 'x' }, syntax],
    ['with an unknown member in a statement', oneStatement({ Actions: [] }), syntax],
    ['with an effect in lower case', oneStatement({ Effect: 'allow' }), syntax],
    [
      'with a principal',
      oneStatement({ Principal: '*' }),
      'Policy document should not specify a principal.',
    ],
    [
      'without actions',
      oneStatement({ Action: undefined }),
      'Policy statement must contain actions.',
    ],
    [
      'with an empty list of actions',
      oneStatement({ Action: [] }),
      'Policy statement must contain actions.',
    ],
    ['with Action and NotAction', oneStatement({ NotAction: 's3:*' }), syntax],
    ['with an action without a service', oneStatement({ Action: 'GetObject' }), vendor],
    ['with a wildcard for the service', oneStatement({ Action: '*:GetObject' }), vendor],
    ['with an action that is a number', oneStatement({ Action: 1 }), syntax],
    [
      'without resources',
      oneStatement({ Resource: undefined }),
      'Policy statement must contain resources.',
    ],
    ['with Resource and NotResource', oneStatement({ NotResource: '*' }), syntax],
    [
      'with a resource that is no ARN',
      oneStatement({ Resource: 'invoices/*' }),
      'Resource invoices/* must be in ARN format or "*".',
    ],
    [
      'with an ARN that is cut short',
      oneStatement({ Resource: 'arn:aws:s3' }),
      'Resource arn:aws:s3 must be in ARN format or "*".',
    ],
    ['with an unknown operator', oneStatement({ Condition: { StringIs: { 'a:b': 'c' } } }), syntax],
    [
      'with a key without a service',
      oneStatement({ Condition: { Bool: { Mfa: 'true' } } }),
      vendor,
    ],
    [
      'with a value that is an object',
      oneStatement({ Condition: { Bool: { 'a:b': {} } } }),
      syntax,
    ],
    ['with conditions in a list', oneStatement({ Condition: [] }), syntax],
    [
      'with an id that has a dash',
      oneStatement({ Sid: 'a-b' }),
      'Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*',
    ],
    [
      'with one id twice',
      document({ ...statement, Sid: 'A' }, { ...statement, Sid: 'A' }),
      'Statement IDs (SID) in a single policy must be unique.',
    ],
  ])('%s', async (_case, policy, message) => {
    expect(await failureOf(exchange(policy))).toEqual(malformed(message));
  });

  it('with a character beyond Latin-1', async () => {
    const failure = await failureOf(exchange(oneStatement({ Resource: 'arn:aws:s3:::☃' })));
    expect(failure).toMatchObject({ code: 'ValidationError', status: 400 });
    expect(failure.message).toContain('[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+');
  });

  it('with 2049 characters', async () => {
    const failure = await failureOf(exchange(policyOfLength(2049)));
    expect(failure).toMatchObject({ code: 'ValidationError', status: 400 });
    expect(failure.message).toContain('Member must have length less than or equal to 2048');
  });
});

describe('the size of policies', () => {
  const arn = 'arn:aws:iam::123456789012:policy/limits';

  it('is reported in per cent, and 2048 characters fit', async () => {
    expect((await exchange(policyOfLength(2048))).PackedPolicySize).toBe(60);
    expect((await exchange(undefined, [{ arn }])).PackedPolicySize).toBe(26);
  });

  it('counts the policy and all policy ARNs together', async () => {
    const failure = await failureOf(exchange(policyOfLength(2048 - arn.length + 1), [{ arn }]));
    expect(failure).toEqual({
      name: 'PackedPolicyTooLargeException',
      code: 'PackedPolicyTooLarge',
      status: 400,
      message: 'Packed policy consumes 101% of allotted space, please use smaller policy.',
    });
    const answer = await exchange(policyOfLength(2048 - arn.length), [{ arn }]);
    expect(answer.PackedPolicySize).toBe(60);
  });
});

describe('policy ARNs', () => {
  const arns = (count: number) =>
    Array.from({ length: count }, (_, n) => ({ arn: `arn:aws:iam::aws:policy/P${n}` }));

  it('may be ten, of AWS or of the account of the role', async () => {
    const own = { arn: 'arn:aws:iam::123456789012:policy/team/limits' };
    await exchange(undefined, [own, ...arns(9)]);
    const logged = sts.sts.requests.at(-1)?.policyArns;
    expect(logged).toEqual([own, ...arns(9)].map(({ arn }) => arn));
  });

  it.each<[string, { arn: string }[]]>([
    ['of another account', [{ arn: 'arn:aws:iam::999999999999:policy/limits' }]],
    ['that name a role', [{ arn: 'arn:aws:iam::123456789012:role/limits' }]],
    ['that are too short', [{ arn: 'arn:aws:iam::aws' }]],
    ['in a list of eleven', arns(11)],
  ])('%s are refused', async (_case, PolicyArns) => {
    const failure = await failureOf(exchange(undefined, PolicyArns));
    expect(failure).toMatchObject({ code: 'ValidationError', status: 400 });
  });
});

function policyOfLength(length: number): string {
  const text = JSON.stringify(document(statement));
  return text.slice(0, -1) + ' '.repeat(length - text.length) + text.slice(-1);
}

function versionMessage(): string {
  return 'Policy document must be version 2012-10-17 or greater.';
}
