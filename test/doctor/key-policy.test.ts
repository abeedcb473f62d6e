/** Key policies by which somebody else signs as the broker: none of them passes. */

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type DoctorWorld, startDoctorWorld } from './doctor-world.ts';

let world: DoctorWorld;
beforeAll(async () => {
  world = await startDoctorWorld();
});
afterAll(() => world.stop());
beforeEach(() => world.reset());

async function of(check: string) {
  const { findings } = await world.report('--role', world.roles.orders);
  const [found] = findings.filter((one) => one.check === check && /webIdentity/.test(one.subject));
  return found;
}

function policy(statement: object): void {
  world.tokenKey.describeAs({
    policy: {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Resource: '*', Action: 'kms:*', ...statement }],
    },
  });
}

const everybody = { AWS: '*' };

describe('a key policy that', () => {
  it.each([
    ['names those whom it does not mean', { NotPrincipal: { AWS: 'arn:aws:iam::1:root' } }],
    ['lets everybody make grants', { Principal: everybody, Action: 'kms:CreateGrant' }],
    ['lets everybody replace it', { Principal: '*', Action: ['kms:Put*'] }],
    ['lets everybody do all but sign', { Principal: '*', NotAction: 'kms:Sign' }],
  ])('%s fails, and following the cure closes it (T368)', async (_, statement) => {
    policy(statement);
    const found = await of('kms-key-policy');
    expect(found).toMatchObject({ status: 'fail', detail: expect.stringMatching(/^everybody/) });
    expect(await world.follow(found?.cure ?? [])).toBe(1);
    expect(await of('kms-key-policy')).toMatchObject({ status: 'pass' });
  });

  it.each([
    ['TLS', { Bool: { 'aws:SecureTransport': 'true' } }],
    ['any account', { StringLike: { 'kms:CallerAccount': '*' } }],
    [
      'a role of that name in any account',
      { ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::*:role/x' } },
    ],
    ['an account, if there is one', { StringEqualsIfExists: { 'kms:CallerAccount': '1' } }],
    ['any account but one', { StringNotEquals: { 'kms:CallerAccount': '1' } }],
    [
      'the account that a caller says',
      { StringEquals: { 'aws:PrincipalAccount': `\${aws:userid}` } },
    ],
    ['an operator that nobody knows', { NumericEquals: { 'kms:CallerAccount': 1 } }],
    ['no condition block', ['x']],
  ])('lets everybody in for %s is no pass (T368)', async (_, Condition) => {
    policy({ Principal: everybody, Condition });
    expect(await of('kms-key-policy')).toMatchObject({ status: 'unknown' });
  });

  it('names the account in a condition passes', async () => {
    policy({ Principal: everybody, Condition: { StringEquals: { 'kms:CallerAccount': '1' } } });
    expect(await of('kms-key-policy')).toMatchObject({ status: 'pass' });
  });
});

describe('an answer of KMS with something else in the place of a text', () => {
  it.each([5, { a: 1 }, ['Enabled'], null])('such as %j is unknown (T369)', async (odd) => {
    for (const member of ['arn', 'state', 'usage']) {
      world.tokenKey.describeAs({ arn: 'arn:aws:kms:us-east-1:1:key/1', [member]: odd });
      for (const check of ['kms-key', 'kms-key-policy']) {
        expect(await of(check)).toMatchObject({ status: 'unknown' });
      }
    }
  });
});
