import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readCallerPolicy } from '../../../src/core/session/caller-policy.ts';
import { claimRef, roleArn } from '../../support/domain.ts';
import { runs, seenMoreThan } from '../../support/fuzz-budget.ts';

const role = roleArn('orders');
const arn = (name: string, account = '123456789012') => `arn:aws:iam::${account}:policy/${name}`;
const policyFor = (resource: string, fields: Readonly<Record<string, unknown>> = {}) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: resource, ...fields }],
});
const good = JSON.stringify(policyFor('arn:aws:s3:::invoices/*'));

const read = (policy: string | undefined, policyArns: readonly string[] = []) =>
  readCallerPolicy(policy, policyArns, role);

function faultsOf(policy: string | undefined, policyArns: readonly string[] = []) {
  const result = read(policy, policyArns);
  return result.kind === 'valid' ? [] : result.faults;
}

function pointersOf(policy: string | undefined, policyArns: readonly string[] = []) {
  return faultsOf(policy, policyArns).map(({ pointer }) => pointer);
}

describe("a caller's session policy", () => {
  it('is minified: white space makes no difference', () => {
    const spaced = JSON.stringify(JSON.parse(good), undefined, '\t').replaceAll('\n', '\r\n');
    expect(read(`\n${spaced} `)).toEqual({ kind: 'valid', policy: good, policyArns: [] });
  });

  it('may hold variables of AWS, and characters up to U+00FF', () => {
    const text = JSON.stringify(
      policyFor(`arn:aws:s3:::x/\${aws:username}/${'é'}`, {
        Condition: {
          Bool: { 'aws:SecureTransport': true },
          NumericLessThan: { 's3:max-keys': 10 },
        },
      }),
    );
    expect(read(text)).toEqual({ kind: 'valid', policy: text, policyArns: [] });
  });

  it.each<[string, string, string]>([
    ['is empty', '', '/policy'],
    ['is no JSON', '{', '/policy'],
    ['is no object', '[]', '/policy'],
    ['is null', 'null', '/policy'],
    ['is a text', '"x"', '/policy'],
    ['has a byte order mark', `\ufeff${good}`, '/policy'],
    ['has half a character', good.replace('invoices', '\ud800'), '/policy'],
    ['has a comment', good.replace('{', '{/**/'), '/policy'],
    ['has two effects', good.replace('"Effect"', '"Effect":"Deny","Effect"'), '/policy'],
    ['has a member __proto__', good.replace('"Version"', '"__proto__":{},"Version"'), '/policy'],
    ['is nested too deeply', '['.repeat(100), '/policy'],
    ['is very large', `${good}${' '.repeat(8192)}`, '/policy'],
    ['has an older version', good.replace('2012', '2008'), '/policy/Version'],
    ['has a principal', JSON.stringify(policyFor('*', { Principal: '*' })), '/policy/Statement/0'],
    ['has characters beyond U+00FF', JSON.stringify(policyFor('arn:aws:s3:::€')), '/policy'],
    [
      'has no such effect',
      JSON.stringify(policyFor('*', { Effect: 'allow' })),
      '/policy/Statement/0/Effect',
    ],
    [
      'has no ARN for a resource',
      JSON.stringify(policyFor('invoices')),
      '/policy/Statement/0/Resource',
    ],
    [
      'has a number without bounds',
      JSON.stringify(policyFor('*', { Condition: { NumericEquals: { 'aws:x': 4711 } } })).replace(
        '4711',
        '1e999',
      ),
      '/policy',
    ],
    ...['9007199254740993', '10000000000000000999', '1.0', '1e3', '-0'].map<
      [string, string, string]
    >((number) => [
      `has the number ${number}, which would be sent as another`,
      JSON.stringify(policyFor('*', { Condition: { NumericEquals: { 'aws:x': 4711 } } })).replace(
        '4711',
        number,
      ),
      '/policy',
    ]),
    [
      'has a resource in another partition than the role',
      JSON.stringify(policyFor('arn:aws-cn:s3:::invoices/*')),
      '/policy/Statement/0/Resource',
    ],
    ['has U+0000 in an escape', JSON.stringify(policyFor('arn:aws:s3:::a\u0000b')), '/policy'],
    [
      'refers to a claim',
      JSON.stringify(policyFor(`arn:aws:s3:::${claimRef('sub')}/*`)),
      '/policy',
    ],
    [
      'refers to a claim in an escaped form',
      JSON.stringify(policyFor(`arn:aws:s3:::${claimRef('sub')}/*`)).replace('$', '\\u0024'),
      '/policy',
    ],
    [
      'refers to a claim in other letters',
      JSON.stringify(policyFor(`arn:aws:s3:::${claimRef('sub').toUpperCase()}`)),
      '/policy/Statement/0/Resource',
    ],
    [
      'refers to a claim inside a variable',
      JSON.stringify(policyFor(`arn:aws:s3:::\${aws:${claimRef('sub')}}`)),
      '/policy/Statement/0/Resource',
    ],
  ])('is refused when it %s', (_case, text, pointer) => {
    expect(pointersOf(text)).toContain(pointer);
  });

  it('is refused for a reference to a claim wherever one stands', () => {
    const ref = claimRef('sub');
    for (const fields of [
      { Action: ref },
      { Sid: ref },
      { NotResource: ref, Resource: undefined },
      { Condition: { StringEquals: { 'aws:x': ['y', ref] } } },
      { Condition: { StringEquals: { [ref]: 'y' } } },
      { Condition: { [ref]: { 'aws:x': 'y' } } },
    ]) {
      expect(pointersOf(JSON.stringify(policyFor('*', fields)))).not.toEqual([]);
    }
  });

  it('is told its faults without a word of it', () => {
    const canary = 'CANARY';
    const text = JSON.stringify({
      [canary]: canary,
      Id: { [canary]: canary },
      Version: canary,
      Statement: [
        { [canary]: canary, Effect: canary, Action: canary, Resource: canary },
        { Effect: 'Allow', NotAction: [canary], NotResource: [{ [canary]: 1 }] },
        {
          ...policyFor(claimRef(canary)).Statement[0],
          Condition: { [`${canary}-`]: { [` ${canary}`]: [{ [canary]: canary }] } },
        },
      ],
    });
    const faults = faultsOf(text, [canary, `arn:aws:iam::999999999999:policy/${canary}`]);
    expect(faults.length).toBeGreaterThan(10);
    expect(JSON.stringify(faults)).not.toContain(canary);
    expect(JSON.stringify(faultsOf(canary))).not.toContain(canary);
  });

  it('is told no more than twenty faults', () => {
    const text = JSON.stringify({ Version: '2012-10-17', Statement: Array(500).fill(1) });
    expect(faultsOf(text)).toHaveLength(20);
  });

  it('never makes the check throw, whatever it is, and what passes is what was sent', () => {
    const sometimes = <T>(usual: fc.Arbitrary<T>) =>
      fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: fc.jsonValue() });
    const statement = fc.record(
      {
        Effect: sometimes(fc.constantFrom('Allow', 'Deny')),
        Action: sometimes(fc.constantFrom('s3:*', '*', ['s3:GetObject'])),
        Resource: sometimes(fc.constantFrom('*', ['*', 'arn:aws:s3:::x'])),
        Condition: sometimes(fc.constant({ Bool: { 'aws:x': true } })),
      },
      { requiredKeys: ['Effect', 'Action', 'Resource'] },
    );
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc
        .array(statement, { minLength: 1, maxLength: 3 })
        .map((Statement) => JSON.stringify({ Version: '2012-10-17', Statement }, undefined, 2)),
    );
    let valid = 0;
    fc.assert(
      fc.property(texts, (text) => {
        const result = read(text);
        if (result.kind === 'invalid') return;
        valid += 1;
        expect(JSON.parse(result.policy ?? '')).toEqual(JSON.parse(text));
        expect(result.policyArns).toEqual([]);
      }),
      runs(3000),
    );
    expect(valid).toBeGreaterThan(seenMoreThan(50));
  });
});

describe("a caller's policy ARNs", () => {
  it('may be those of AWS and of the account of the role', () => {
    const arns = ['arn:aws:iam::aws:policy/ReadOnlyAccess', arn('a/b/c')];
    expect(read(undefined, arns)).toMatchObject({ kind: 'valid', policy: undefined });
  });

  it('make no difference by their order, nor by standing there twice', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom<string>('a', 'b', 'B', 'c'), { maxLength: 10 }),
        (names) => {
          const distinct = ['B', 'a', 'b', 'c'].filter((name) => names.includes(name));
          const policyArns = distinct.map((name) => arn(name));
          expect(
            read(
              good,
              names.map((name) => arn(name)),
            ),
          ).toEqual({
            kind: 'valid',
            policy: good,
            policyArns,
          });
        },
      ),
    );
  });

  it.each([
    ['is no ARN', 'ReadOnlyAccess'],
    ['is empty', ''],
    ['is of a role', role],
    ['has a wildcard', `${arn('a')}*`],
    ['has a line feed', `${arn('a')}\n`],
    ['is of another account', arn('a', '999999999999')],
    ['is of another partition', 'arn:aws-cn:iam::aws:policy/ReadOnlyAccess'],
  ])('are refused when one %s', (_case, bad) => {
    expect(pointersOf(undefined, [arn('a'), bad])).toEqual(['/policyArns/1']);
  });

  it('may be ten', () => {
    const arns = Array.from({ length: 11 }, (_, index) => arn(`p${index}`));
    expect(pointersOf(undefined, arns.slice(0, 10))).toEqual([]);
    expect(pointersOf(undefined, arns)).toEqual(['/policyArns']);
  });
});

describe('the policy and its ARNs', () => {
  const ofLength = (length: number) => {
    const bare = JSON.stringify(policyFor('arn:aws:s3:::')).length;
    return JSON.stringify(policyFor(`arn:aws:s3:::${'x'.repeat(length - bare)}`), undefined, 1);
  };
  const arns = [arn('a'), arn('b')];
  const arnsLength = arns.join('').length;

  it('may have 2,048 characters together, white space not counted', () => {
    expect(pointersOf(ofLength(2048))).toEqual([]);
    expect(pointersOf(ofLength(2049))).toEqual(['/policy']);
    expect(pointersOf(ofLength(2048 - arnsLength), arns)).toEqual([]);
    expect(pointersOf(ofLength(2049 - arnsLength), arns)).toEqual(['/policy']);
    const wide = (count: number) =>
      Array.from({ length: 2 }, (_, index) =>
        arn(`${index}${'p'.repeat(count - arn('0').length)}`),
      );
    expect(pointersOf(undefined, wide(1024))).toEqual([]);
    expect(pointersOf(undefined, wide(1025))).toEqual(['/policyArns']);
  });
});
