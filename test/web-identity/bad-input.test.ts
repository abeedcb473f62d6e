/** What is written wrongly about web identity is refused where it is written, with what is wrong, and changes nothing. */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RoleMappingInput } from '../../src/core/policy/role-mapping.ts';
import { claimRef } from '../support/domain.ts';
import { type IssuingBroker, startIssuingBroker } from '../support/issuing-broker.ts';
import { allow } from '../support/outside-world.ts';

let broker: IssuingBroker;
beforeAll(async () => {
  broker = await startIssuingBroker({
    mappings: [allow('orders-writer', 'orders')],
    matchableClaims: ['custom:team'],
  });
}, 30_000);
afterAll(() => broker.stop());

const put = (session: RoleMappingInput['session']) =>
  broker.call({
    listener: 'admin',
    method: 'PUT',
    path: '/v1/role-mappings/tried',
    token: broker.token('admin'),
    headers: { 'if-none-match': '*', 'change-reason': 'test' },
    body: { ...allow('orders-writer', 'orders'), id: 'tried', session },
  });

describe('a mapping is not taken', () => {
  it.each<[string, RoleMappingInput['session'], string]>([
    [
      'tags, and the identity of the caller',
      { identity: 'caller', tags: { tenant: 'a' } },
      'identity',
    ],
    [
      'a source identity, and that of the caller',
      { identity: 'caller', sourceIdentity: 'ada' },
      'identity',
    ],
    [
      'a transitive tag, and that of the caller',
      { identity: 'caller', transitiveTags: ['a'] },
      'transitiveTags',
    ],
    [
      'a transitive tag that is none of its tags',
      { tags: { a: 'b' }, transitiveTags: ['c'] },
      'transitiveTags',
    ],
    ['a value with quotes', { tags: { tenant: 'a"b' } }, 'tags/tenant'],
    ['a value with a line feed', { tags: { tenant: 'a\nb' } }, 'tags/tenant'],
    ['a value that turns the writing round', { tags: { tenant: '\u202eacme' } }, 'tags/tenant'],
    ['a value with what nobody sees', { tags: { tenant: 'ac\u200bme' } }, 'tags/tenant'],
    ['a value of 300 characters', { tags: { tenant: 'x'.repeat(300) } }, 'tags/tenant'],
    [
      'a variable without an end',
      { tags: { tenant: claimRef('sub').slice(0, -1) } },
      'tags/tenant',
    ],
    [
      'two claims in one value',
      { tags: { tenant: claimRef('sub') + claimRef('sub') } },
      'tags/tenant',
    ],
    [
      'a claim that configuration does not list',
      { tags: { tenant: claimRef('email') } },
      'tags/tenant',
    ],
    ['a key from a claim', { tags: { [claimRef('sub')]: 'a' } }, 'tags/'],
    ['a key of AWS', { tags: { 'aws:tenant': 'a' } }, 'tags/aws:tenant'],
    ['keys that differ in case alone', { tags: { a: 'b', A: 'b' } }, 'tags/A'],
    ['a source identity of one character', { sourceIdentity: 'a' }, 'sourceIdentity'],
    ['a source identity with a blank', { sourceIdentity: 'a b' }, 'sourceIdentity'],
    ['a source identity of 65 characters', { sourceIdentity: 'x'.repeat(65) }, 'sourceIdentity'],
  ])('with %s (T141)', async (_what, session, member) => {
    const answer = await put(session);
    const { status, body } = answer;
    expect([status, body.code]).toEqual([422, 'mapping_invalid']);
    const pointers = body.errors.map(({ pointer }: { pointer: string }) => pointer);
    expect(pointers.join()).toContain(`/session/${member}`);
    expect(broker.auditRecordOf(answer)).toMatchObject({
      outcome: 'refused',
      code: 'mapping_invalid',
    });
    const read = await broker.call({
      listener: 'admin',
      path: '/v1/role-mappings/tried',
      token: broker.token('admin'),
    });
    expect(read.status).toBe(404);
  });
});

describe('the listener of documents', () => {
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(`${broker.urls.identity}${path}`, init);

  it.each([
    '/',
    '/.well-known/jwks.json',
    '/broker',
    '/broker/',
    '/broker/.well-known/',
    '/broker/.well-known/jwks.json/',
    '/broker/.well-known/jwks.json/x',
    '/broker/.well-known/%2e%2e/jwks.json',
    '/BROKER/.well-known/jwks.json',
    '/broker/.well-known/JWKS.json',
    '/v1/credentials',
    '/v1/role-mappings',
    '/console/',
    '/sts',
    '/metrics',
    '/livez',
  ])('has nothing at %s (T250)', async (path) => {
    const answer = await ask(path);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([
      404,
      'application/problem+json',
    ]);
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it.each([
    '/broker/.well-known//jwks.json',
    '/broker/.well-known/jwks.json%00',
    '/broker/.well-known%2fjwks.json',
  ])('does not read %s in two ways (T250)', async (path) => {
    const answer = await ask(path);
    expect([400, 404]).toContain(answer.status);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('takes no %s (T250)', async (method) => {
    const answer = await ask('/broker/.well-known/jwks.json', { method });
    expect(answer.status).toBe(405);
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it('looks at no token, and says the same with one (T250)', async () => {
    const headers = { authorization: `Bearer ${broker.token('admin')}` };
    const path = '/broker/.well-known/jwks.json';
    expect(await (await ask(path, { headers })).text()).toBe(await (await ask(path)).text());
  });
});
