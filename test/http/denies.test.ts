/** What a deny sees of real tokens, and how roles are named, at the real door. */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RoleMappingInput } from '../../src/core/policy/role-mapping.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { allow, pool, roleNamed } from '../support/outside-world.ts';

const deny = (id: string, fields: Partial<RoleMappingInput>): RoleMappingInput => ({
  ...allow(id, 'orders', { effect: 'deny', ...fields }),
});
const policyFor = (resource: string) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: `arn:aws:s3:::${resource}` }],
});
const user = { username: 'ada', sub: '7d8e2a5c-1111-4222-8333-944445555666' };

let broker: BrokerFixture;
beforeAll(async () => {
  broker = await startBrokerFixture({
    users: [{ ...user, groups: ['billing'] }],
    matchableClaims: ['suspended', 'level'],
    mappings: [
      allow('open', 'orders'),
      allow('levelled', 'orders', { conditions: { claims: { level: [7, true] } } }),
      deny('suspended', { role: '*', conditions: { claims: { suspended: ['true'] } } }),
      allow('service', 'orders', { conditions: { caller: 'machine' } }),
      allow('spelled', 'stranger', { role: roleNamed('Spelled') }),
      deny('no-spelled', {
        principal: { pool, any: true },
        role: roleNamed('sPELLED').replace('/broker/', '/'),
      }),
      allow('narrow', 'reports', {
        role: roleNamed('shared'),
        session: { policy: policyFor('a') },
      }),
      allow('wide', 'reports', {
        principal: { pool, group: 'billing' },
        role: roleNamed('shared'),
      }),
    ],
  });
});
afterAll(() => broker.stop());

const issue = (token: string, body: object) =>
  broker.call({ method: 'POST', path: '/v1/credentials', token, body });

describe('a deny on a claim', () => {
  it.each<[unknown]>([
    ['true'],
    [true],
    [false],
    [9],
    [1.5],
    [null],
    [{}],
    [['true', 1]],
    [['no', 1]],
    [[null]],
    [[['true']]],
  ])('is not slipped past with a token that says %j there (T60)', async (suspended) => {
    const token = broker.token('orders', { claims: { suspended } });
    const answer = await issue(token, { role: 'open' });
    expect(answer).toMatchObject({ status: 403, body: { code: 'access_denied' } });
    expect(broker.auditRecordOf(answer)).toMatchObject({
      reason: 'explicit_deny',
      mapping: { id: 'suspended' },
    });
    const described = await broker.call({ path: '/v1/caller?role=open', token });
    expect(described.body).toMatchObject({ roles: [], asked: { decision: 'deny' } });
  });

  it.each<[unknown]>([['false'], [['no', 'never']], [[]], [undefined]])(
    'leaves alone who can be seen not to be meant: %j',
    async (suspended) => {
      const claims = suspended === undefined ? {} : { suspended };
      const token = broker.token('orders', { claims });
      expect(await issue(token, { role: 'open' })).toMatchObject({ status: 200 });
    },
  );
});

describe('an allow for machines', () => {
  it('is for the token of an app client and not for who signs in through it (T64)', async () => {
    const ofPerson = broker.token('orders', { user: user.username });
    expect(await issue(broker.token('orders'), { role: 'service' })).toMatchObject({ status: 200 });
    const answer = await issue(ofPerson, { role: 'service' });
    expect(answer).toMatchObject({ status: 403 });
    expect(broker.auditRecordOf(answer)).toMatchObject({ reason: 'caller_kind' });
  });
});

describe('an allow on a claim', () => {
  it.each<[unknown, number]>([
    [7, 200],
    [true, 200],
    [[7, false], 200],
    ['7', 403],
    [7.5, 403],
    [false, 403],
    [['7', 7], 403],
    [null, 403],
  ])('compares by type and value: %j (T60)', async (level, status) => {
    const token = broker.token('orders', { claims: { level } });
    expect(await issue(token, { role: 'levelled' })).toMatchObject({ status });
  });
});

describe('a role', () => {
  it('is denied however its ARN is spelled in the deny, as IAM reads it (T63)', async () => {
    for (const role of ['spelled', roleNamed('Spelled'), roleNamed('spelled'), undefined]) {
      const answer = await issue(broker.token('stranger'), role === undefined ? {} : { role });
      expect(answer).toMatchObject({ status: 403 });
      expect(broker.auditRecordOf(answer)).toMatchObject({ reason: 'explicit_deny' });
    }
  });

  it('comes with the session of its most specific mapping, however it is named (T62)', async () => {
    const token = broker.token('reports', { user: user.username });
    const ways = ['wide', 'narrow', roleNamed('shared'), roleNamed('SHARED'), undefined];
    for (const role of ways) {
      const answer = await issue(token, role === undefined ? {} : { role });
      expect(answer.status).toBe(200);
      expect(broker.auditRecordOf(answer)).toMatchObject({
        mapping: { id: 'narrow' },
        session: { role: roleNamed('shared'), policySha256: expect.any(String) },
      });
    }
    expect((await broker.call({ path: '/v1/caller', token })).body.roles).toMatchObject([
      { mapping: 'narrow' },
    ]);
  });
});
