import { describe, expect, it } from '@jest/globals';
import { mappingWarnings } from '../../src/core/mapping-warnings.ts';
import { compileSnapshot } from '../../src/core/policy-snapshot.ts';
import type { RoleMappingInput } from '../../src/core/role-mapping.ts';
import { domainNow, domainPool, mapping } from '../support/domain.ts';

const ofClient = (id: string, client: string, fields: Partial<RoleMappingInput> = {}) =>
  mapping(id, { principal: { pool: domainPool, client }, ...fields });

/** One mapping for each of so many app clients, all in one account. */
function policyOf(clients: number) {
  const rows = Array.from({ length: clients }, (_, index) => ({
    mapping: ofClient(`m-${index}`, `client-${index}`),
    version: 1,
  }));
  return compileSnapshot(1, rows);
}

const pointers = (candidate: ReturnType<typeof mapping>, clients: number) =>
  mappingWarnings(candidate, policyOf(clients), domainNow).map(({ pointer }) => pointer);

describe('the warning that the OIDC provider of an account takes no more app clients', () => {
  it('comes with the 101st app client of a pool in one account', () => {
    const next = ofClient('next', 'client-next');
    expect([pointers(next, 99), pointers(next, 100)]).toEqual([[], ['/principal/client']]);
    const [warning] = mappingWarnings(next, policyOf(100), domainNow);
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
