import { describe, expect, it } from '@jest/globals';
import { compileSnapshot, type PolicySnapshot } from '../../../src/core/policy/policy-snapshot.ts';
import type { RoleMapping, RoleMappingInput } from '../../../src/core/policy/role-mapping.ts';
import { domainPool, mapping, warningsOf } from '../../support/domain.ts';

const warningsIn = (candidate: RoleMapping, snapshot?: PolicySnapshot) =>
  warningsOf(candidate, { snapshot });
const ofClient = (id: string, client: string, fields: Partial<RoleMappingInput> = {}) =>
  mapping(id, {
    principal: { pool: domainPool, client },
    conditions: { caller: 'machine' },
    ...fields,
  });

/** One mapping for each of so many app clients, all in one account. */
function policyOf(clients: number) {
  const rows = Array.from({ length: clients }, (_, index) => ({
    mapping: ofClient(`m-${index}`, `client-${index}`),
    version: 1,
  }));
  return compileSnapshot(1, rows);
}

const pointers = (candidate: ReturnType<typeof mapping>, clients: number) =>
  warningsIn(candidate, policyOf(clients)).map(({ pointer }) => pointer);

describe('the warning of a mapping that says nothing of machines and people (T64)', () => {
  const warned = (fields: Partial<RoleMappingInput>) => warningsIn(ofClient('a', 'c', fields));

  it('says that whoever signs in through the app client gets the role, too', () => {
    expect(warned({ conditions: {} })).toEqual([
      { pointer: '/principal/client', detail: expect.stringContaining('signs in through the app') },
    ]);
  });

  it.each<[string, Partial<RoleMappingInput>]>([
    ['that is for machines', { conditions: { caller: 'machine' } }],
    ['that is for people', { conditions: { caller: 'person' } }],
    ['of a group', { principal: { pool: domainPool, group: 'g' }, conditions: {} }],
    ['that denies', { effect: 'deny', conditions: {} }],
  ])('is not about one %s', (_what, fields) => {
    expect(warned(fields)).toEqual([]);
  });
});

describe('the warning of a name that may be taken for another one (T383)', () => {
  const warned = (group: string, values: readonly string[] = ['x']) =>
    warningsIn(
      mapping('a', {
        principal: { pool: domainPool, group },
        conditions: { claims: { sub: [...values] } },
      }),
    ).map(({ pointer, detail }) => [pointer, /U\+[0-9A-F]+/.exec(detail)?.[0]]);

  it.each<[string, string, string]>([
    ['a Cyrillic letter', '\u0430dmins', 'U+0430'],
    ['a Greek letter', 'admin\u03bf', 'U+03BF'],
    ['a wide letter', '\uff41dmins', 'U+FF41'],
    ['a letter of mathematics', '\u{1d41a}dmins', 'U+1D41A'],
  ])('says which: %s among others', (_what, name, code) => {
    expect(warned(name)).toEqual([['/principal/group', code]]);
    expect(warned('g', ['x', name])).toEqual([['/conditions/claims/sub/1', code]]);
  });

  it.each([
    'admins',
    'm\u00fcller',
    '\u0430\u0434\u043c\u0438\u043d\u044b',
    '\u7ba1\u7406\u8005',
    '\ud55c\uad6d',
  ])('is not about a word of one language: %s', (name) => {
    expect(warned(name, [name])).toEqual([]);
  });
});

describe('the warning of a deny that cannot see everybody (T61)', () => {
  const warned = (fields: Partial<RoleMappingInput>) =>
    warningsIn(ofClient('deny', 'c', { effect: 'deny', ...fields }));

  it.each<[string, Partial<RoleMappingInput>, readonly string[]]>([
    ['a claim', { conditions: { claims: { 'a/b': ['x'] } } }, ['/conditions/claims/a~1b']],
    [
      'each claim that a token may lack',
      { conditions: { claims: { sub: ['x'], client_id: ['c'], one: [true], two: ['x'] } } },
      ['/conditions/claims/one', '/conditions/claims/two'],
    ],
    [
      'client_id, where tokens of identity pools may come',
      { principal: { pool: '*', any: true }, conditions: { claims: { client_id: ['c'] } } },
      ['/conditions/claims/client_id'],
    ],
    ['nothing that every token has', { conditions: { claims: { sub: ['x'] } } }, []],
    ['no address', { conditions: { sourceCidrs: ['10.0.0.0/8'] } }, []],
    ['no allow', { effect: 'allow', conditions: { caller: 'machine', claims: { a: ['x'] } } }, []],
  ])('is about %s', (_what, fields, pointers) => {
    expect(warned(fields).map(({ pointer }) => pointer)).toEqual(pointers);
  });

  it('says who slips past', () => {
    const [warning] = warned({ conditions: { claims: { suspended: ['true'] } } });
    expect(warning?.detail).toContain('whoever comes with a token without this claim slips past');
  });
});

describe('the warning that the OIDC provider of an account takes no more app clients', () => {
  it('comes with the 101st app client of a pool in one account', () => {
    const next = ofClient('next', 'client-next');
    expect([pointers(next, 99), pointers(next, 100)]).toEqual([[], ['/principal/client']]);
    const [warning] = warningsIn(next, policyOf(100));
    expect(warning?.detail).toContain('one of 101 app clients');
  });

  it('counts an app client once, however many mappings it has', () => {
    expect(pointers(ofClient('again', 'client-7'), 100)).toEqual([]);
  });

  it.each<[string, Partial<RoleMappingInput>]>([
    ['another account', { role: 'arn:aws:iam::999999999999:role/broker/x' }],
    ['another pool', { principal: { pool: 'us-east-1_Another01', client: 'client-next' } }],
    ['a group', { principal: { pool: domainPool, group: 'people' } }],
    ['a deny', { effect: 'deny' }],
  ])('does not count %s', (_what, fields) => {
    expect(pointers(ofClient('next', 'client-next', fields), 150)).toEqual([]);
  });
});
