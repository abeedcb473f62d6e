import { describe, expect, it } from '@jest/globals';
import { checkNewMapping, checkRoleMapping } from '../../../src/core/policy/mapping-check.ts';
import type { RoleMappingInput } from '../../../src/core/policy/role-mapping.ts';
import { identityPool as identityPoolKind } from '../../../src/identity/providers/identity-pool.ts';
import { userPool } from '../../../src/identity/providers/user-pool.ts';
import { knownPools } from '../../../src/identity/trusted-issuers.ts';
import { domainPool, mappingDocument, warningsOf } from '../../support/domain.ts';
import { rules as rowRules } from '../../support/mapping-folder.ts';

const identityPool = 'us-east-1:7d8e2a5c-0000-4222-8333-944445555666';
const idPool = 'us-east-1_IdTokens1';
const client = '4abc0exampleclientid';
const sub = '7d8e2a5c-1111-4222-8333-944445555666';
const ofUsers = { pool: domainPool, issuer: 'https://issuer.test', clients: [client] };
const pools = knownPools([
  userPool.trust({ ...ofUsers, tokenUse: ['access'] }),
  userPool.trust({ ...ofUsers, pool: idPool, tokenUse: ['id'] }),
  identityPoolKind.trust({
    pool: identityPool,
    issuer: 'https://ids.test',
    allowUnauthenticated: false,
  }),
]);
const rules = { ...rowRules, pools };

type Principal = RoleMappingInput['principal'];
type Conditions = RoleMappingInput['conditions'];

const claims = (value: string) => ({ claims: { client_id: [value] } });

/** Who can never come, where it says so, and what could change that. */
const nobody: readonly (readonly [string, Principal, Conditions, string, string])[] = [
  ['an unknown pool', { pool: 'us-east-1_Nowhere01', client }, {}, '/principal/pool', 'config'],
  [
    'everybody of an unknown pool',
    { pool: 'us-east-1_Nowhere01', any: true },
    {},
    '/principal/pool',
    'config',
  ],
  ['an unknown client', { pool: domainPool, client: 'typo' }, {}, '/principal/client', 'config'],
  ['a user by name', { pool: domainPool, user: 'alice' }, {}, '/principal/user', 'never'],
  [
    'a user by address',
    { pool: domainPool, user: 'a@example.com' },
    {},
    '/principal/user',
    'never',
  ],
  [
    'a user in upper case',
    { pool: domainPool, user: sub.toUpperCase() },
    {},
    '/principal/user',
    'never',
  ],
  ['a user that is a client', { pool: domainPool, user: client }, {}, '/principal/user', 'never'],
  [
    'a user by an identity id',
    { pool: domainPool, user: `us-east-1:${sub}` },
    {},
    '/principal/user',
    'never',
  ],
  ['an identity by a sub', { pool: identityPool, user: sub }, {}, '/principal/user', 'never'],
  [
    'a user who is a machine',
    { pool: domainPool, user: sub },
    { caller: 'machine' },
    '/conditions/caller',
    'never',
  ],
  [
    'a client of an identity pool',
    { pool: identityPool, client },
    {},
    '/principal/client',
    'never',
  ],
  [
    'a group with a wildcard',
    { pool: domainPool, group: 'team-*' },
    {},
    '/principal/group',
    'never',
  ],
  [
    'guests where none are let in',
    { pool: identityPool, group: 'unauthenticated' },
    {},
    '/principal/group',
    'config',
  ],
  [
    'machines of an identity pool',
    { pool: identityPool, group: 'authenticated' },
    { caller: 'machine' },
    '/conditions/caller',
    'never',
  ],
  [
    'machines where only ID tokens are taken',
    { pool: idPool, client },
    { caller: 'machine' },
    '/conditions/caller',
    'config',
  ],
  [
    'another client by its claim',
    { pool: domainPool, group: 'g' },
    claims('typo'),
    '/conditions/claims/client_id',
    'config',
  ],
];

describe('a mapping that matches nobody (T96)', () => {
  const checked = (effect: 'allow' | 'deny', principal: Principal, conditions: Conditions) => {
    const document = mappingDocument('m', { effect, principal, conditions });
    const check = checkNewMapping(document, rules);
    const row = checkRoleMapping(document, rules);
    if (row.kind === 'invalid') return { row, faults: ['not even a row'], warned: [] };
    return {
      row,
      faults: check.kind === 'invalid' ? check.faults.map(({ pointer }) => pointer) : [],
      warned: warningsOf(row.mapping, { pools })
        .filter(({ detail }) => detail.includes('matches nobody'))
        .map(({ pointer }) => pointer),
    };
  };

  it.each(nobody)('T96: is refused as a deny: %s', (_what, principal, conditions, pointer) => {
    const { row, faults } = checked('deny', principal, conditions);
    expect(faults).toEqual([pointer]);
    // What is in the table already goes on denying.
    expect(row.kind).toBe('valid');
  });

  it.each(nobody.filter(([, principal]) => !('any' in principal)))(
    'T96: is refused or warned of as an allow: %s',
    (_what, principal, conditions, pointer, mended) => {
      const { faults, warned } = checked('allow', principal, conditions);
      expect(faults).toEqual(mended === 'never' ? [pointer] : []);
      expect(warned).toEqual([pointer]);
    },
  );

  it.each<[string, Principal, Conditions]>([
    ['a client', { pool: domainPool, client }, {}],
    ['a machine', { pool: domainPool, client }, { caller: 'machine' }],
    ['a user', { pool: domainPool, user: sub }, { caller: 'person' }],
    ['a group', { pool: domainPool, group: 'billing' }, claims(client)],
    ['an identity', { pool: identityPool, user: `us-east-1:${sub}` }, {}],
    ['whoever has signed in', { pool: identityPool, group: 'authenticated' }, {}],
  ])('is not said of %s', (_what, principal, conditions) => {
    expect(checked('allow', principal, conditions)).toMatchObject({ faults: [], warned: [] });
    expect(checked('deny', principal, conditions)).toMatchObject({ faults: [], warned: [] });
  });

  it('is not said of a deny of everybody everywhere, nor of scopes that access tokens have', () => {
    expect(checked('deny', { pool: '*', any: true }, {}).faults).toEqual([]);
    const scopes = { scopes: ['orders/write'] };
    expect(checked('allow', { pool: domainPool, client }, scopes).warned).toEqual([]);
    expect(checked('allow', { pool: idPool, client }, scopes).warned).toEqual([
      '/conditions/scopes',
    ]);
  });

  it('is a question that nobody asks without a configuration', () => {
    const document = mappingDocument('m', { principal: { pool: domainPool, user: 'alice' } });
    expect(checkNewMapping(document, rowRules).kind).toBe('valid');
  });
});
