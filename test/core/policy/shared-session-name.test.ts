import { describe, expect, it } from '@jest/globals';
import type { Caller } from '../../../src/core/caller.ts';
import type { RoleMapping, RoleMappingInput } from '../../../src/core/policy/role-mapping.ts';
import { renderSessionName } from '../../../src/core/session/session-name.ts';
import {
  ask,
  caller,
  domainPool,
  machineCaller,
  mapping,
  roleArn,
  snapshotOf,
  warningsOf,
} from '../../support/domain.ts';

const client = '4abc0exampleclientid';
const otherClient = '5def0exampleclientid';
const sub = '7d8e2a5c-1111-4222-8333-944445555666';
const otherSub = '7d8e2a5c-2222-4222-8333-944445555666';

/** People by two app clients, and the clients themselves. */
const everybody: readonly Caller[] = [
  caller({ clientId: client, subject: sub, groups: ['g'] }),
  caller({ clientId: client, subject: otherSub, groups: ['g', 'h'] }),
  caller({ clientId: otherClient, subject: otherSub, groups: ['g', 'h'] }),
  machineCaller({ clientId: client }),
  machineCaller({ clientId: otherClient }),
];

const principals: readonly Pick<RoleMappingInput, 'principal' | 'conditions'>[] = [
  { principal: { pool: domainPool, user: sub } },
  { principal: { pool: domainPool, user: otherSub } },
  { principal: { pool: domainPool, group: 'g' } },
  { principal: { pool: domainPool, client } },
  { principal: { pool: domainPool, client }, conditions: { caller: 'machine' } },
  { principal: { pool: domainPool, client }, conditions: { caller: 'person' } },
  {
    principal: { pool: domainPool, client: otherClient },
    conditions: { caller: 'machine' },
  },
];
const templates = ['{sub}', '{client}', '{mapping}', 'literal', '{sub}@{client}', 'x-{client}'];
const requested = ['{requested}@{client}', '{requested}@{sub}'];

const role = roleArn('shared');
const warns = (one: RoleMapping, ...others: readonly RoleMapping[]) =>
  warningsOf(one, { snapshot: snapshotOf(one, ...others) }).some(
    ({ pointer }) => pointer === '/session/name',
  );

/** The names that the callers of these mappings get, by whom. */
function whoBy(mappings: readonly RoleMapping[]): Map<string, Set<string>> {
  const names = new Map<string, Set<string>>();
  for (const one of mappings) {
    for (const by of everybody) {
      if (ask({ policy: [one], by }).kind !== 'allow') continue;
      const name = renderSessionName(one.session.name, by, one.id);
      const whose = names.get(name) ?? new Set();
      names.set(name, whose.add(by.subject));
    }
  }
  return names;
}

const areShared = (mappings: readonly RoleMapping[]) =>
  [...whoBy(mappings).values()].some(({ size }) => size > 1);

describe('two people under one RoleSessionName (T97)', () => {
  it.each(
    [...templates, ...requested].flatMap((name) =>
      principals.map((fields) => [name, JSON.stringify(fields), fields] as const),
    ),
  )('T97: %s of %s is warned of if, and only if, callers share a name', (name, _who, fields) => {
    const one = mapping('one', { ...fields, role, session: { name } });
    expect(warns(one)).toBe(areShared([one]));
  });

  it.each(templates)(
    'T97: %s is warned of wherever callers of two mappings share a name',
    (name) => {
      for (const fields of principals) {
        for (const others of principals) {
          const one = mapping('one', { ...fields, role, session: { name } });
          const two = mapping('two', { ...others, role, session: { name } });
          if (areShared([one, two])) expect(warns(one, two) || warns(two, one)).toBe(true);
          const elsewhere = mapping('two', { ...others, role: roleArn('x'), session: { name } });
          expect(warns(one, elsewhere)).toBe(areShared([one]));
        }
      }
    },
  );
});
