import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ServiceCaller as Caller } from '../../src/client/service-caller.ts';
import {
  type ServiceRoleRules,
  serviceRolesFromRules,
} from '../../src/client/service-role-rules.ts';
import { serviceRolesFromFile } from '../../src/client/service-roles-file.ts';

const pool = 'us-east-1_AbCdEf123';
const now = Date.UTC(2026, 5, 1);

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'token-broker-test-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function fileWith(text: string): string {
  const file = join(directory, 'roles.yaml');
  writeFileSync(file, text);
  return file;
}

function caller(changes: Partial<Caller> = {}): Caller {
  const clientId = changes.clientId ?? '4abc0exampleclientid';
  return {
    issuer: `https://cognito-idp.us-east-1.amazonaws.com/${pool}`,
    pool,
    subject: 'user-1',
    clientId,
    tokenUse: 'access',
    machine: false,
    groups: [],
    scopes: new Set(),
    audience: undefined,
    sessionClaims: '',
    tokenId: undefined,
    originTokenId: undefined,
    tokenSha256: '0'.repeat(64),
    issuedAt: now,
    signedInAt: undefined,
    amr: [],
    expiresAt: now + 3_600_000,
    incomparableClaims: new Set(),
    ...changes,
    claims: new Map([['client_id', clientId], ...(changes.claims ?? [])]),
  };
}

describe('rules in code', () => {
  const one = (rule: ServiceRoleRules[string], changes: Partial<Caller>) =>
    serviceRolesFromRules({ editor: rule }).has(caller(changes), 'editor', now);

  it('give the role to one of the clients, in the pool', () => {
    const rule = { pool, clients: ['a', 'b'] };
    expect(one(rule, { clientId: 'b' })).toBe(true);
    expect(one(rule, { clientId: 'c' })).toBe(false);
    expect(one(rule, { clientId: 'b', pool: 'us-east-1_Another01' })).toBe(false);
  });

  it('give the role to one of the groups', () => {
    const rule = { pool, groups: ['editors', 'admins'] };
    expect(one(rule, { groups: ['readers', 'admins'] })).toBe(true);
    expect(one(rule, { groups: ['readers'] })).toBe(false);
    expect(one(rule, {})).toBe(false);
  });

  it('want all of the scopes', () => {
    const rule = { pool, scopes: ['orders/read', 'orders/write'] };
    expect(one(rule, { scopes: new Set(['orders/read', 'orders/write', 'x/y']) })).toBe(true);
    expect(one(rule, { scopes: new Set(['orders/write']) })).toBe(false);
  });

  it('want one of the values of every claim, letter for letter', () => {
    const rule = { pool, claims: { 'custom:team': ['orders', 'payments'], tier: ['gold'] } };
    const claims = (team: string, tier: string) =>
      new Map([
        ['custom:team', team],
        ['tier', tier],
      ]);
    expect(one(rule, { claims: claims('payments', 'gold') })).toBe(true);
    expect(one(rule, { claims: claims('Payments', 'gold') })).toBe(false);
    expect(one(rule, { claims: claims('payments', 'silver') })).toBe(false);
    expect(one(rule, {})).toBe(false);
  });

  it('want everything that one of them names, and of several rules only one', () => {
    const both = { pool, clients: ['web'], groups: ['editors'], scopes: ['orders/write'] };
    const fitting = { clientId: 'web', groups: ['editors'], scopes: new Set(['orders/write']) };
    expect(one(both, fitting)).toBe(true);
    expect(one(both, { ...fitting, clientId: 'cli' })).toBe(false);
    expect(one(both, { ...fitting, groups: [] })).toBe(false);
    expect(one(both, { ...fitting, scopes: new Set() })).toBe(false);
    expect(one([both, { pool, clients: ['cli'] }], { clientId: 'cli' })).toBe(true);
  });

  it('give no other role than their own', () => {
    const roles = serviceRolesFromRules({
      reader: { pool, groups: ['readers'] },
      editor: { pool, groups: ['editors'] },
    });
    expect(roles.has(caller({ groups: ['readers'] }), 'editor', now)).toBe(false);
    expect([...roles.names]).toEqual(['reader', 'editor']);
  });

  it.each<[what: string, rule: unknown]>([
    ['nothing at all', { pool }],
    ['no pool', { groups: ['editors'] }],
    ['any pool', { pool: '*', groups: ['editors'] }],
    ['no group', { pool, groups: [] }],
    ['no value of a claim', { pool, claims: { tier: [] } }],
    ['no claim', { pool, claims: {} }],
    ['a member that does not exist', { pool, groups: ['editors'], group: 'editors' }],
    ['a text where a list belongs', { pool, groups: 'editors' }],
    ['client_id as a claim', { pool, claims: { client_id: ['web'] } }],
    ['no rule', null],
  ])('are refused if they name %s', (_what, rule) => {
    const rules = { editor: rule } as ServiceRoleRules;
    expect(() => serviceRolesFromRules(rules)).toThrow(TypeError);
  });

  it.each(['*', 'Editor', '', '../x'])('are refused for a role named %j', (name) => {
    expect(() => serviceRolesFromRules({ [name]: { pool, groups: ['a'] } })).toThrow(TypeError);
  });
});

describe('rules in a file', () => {
  const editors = `
id: editors
principal: { pool: ${pool}, group: editors }
effect: allow
role: editor
owner: orders-team
`;

  it('are role mappings whose role is one of the service', () => {
    const roles = serviceRolesFromFile(fileWith(editors));
    expect(roles.has(caller({ groups: ['editors'] }), 'editor', now)).toBe(true);
    expect(roles.has(caller({ groups: ['others'] }), 'editor', now)).toBe(false);
    expect([...roles.names]).toEqual(['editor']);
  });

  it('are refused if one denies by a scope, which callers may leave out (T61)', () => {
    const file = fileWith(`${editors}---
id: no-writers
principal: { pool: ${pool}, any: true }
effect: deny
role: editor
conditions: { scopes: [orders/write] }
owner: security
`);
    expect(() => serviceRolesFromFile(file)).toThrow('/conditions/scopes');
  });

  it('deny by a claim whatever cannot be compared with it (T60)', () => {
    const roles = serviceRolesFromFile(
      fileWith(`${editors}---
id: suspended
principal: { pool: ${pool}, any: true }
effect: deny
role: '*'
conditions: { claims: { suspended: ['true'] } }
owner: security
`),
    );
    const by = (claims: Caller['claims']) =>
      roles.has(caller({ groups: ['editors'], claims }), 'editor', now);
    expect(by(new Map())).toBe(true);
    expect(by(new Map([['suspended', 'false']]))).toBe(true);
    for (const value of ['true', true, false, 9, ['x', 1]]) {
      expect(by(new Map([['suspended', value]]))).toBe(false);
    }
    const incomparableClaims = new Set(['suspended']);
    expect(roles.has(caller({ groups: ['editors'], incomparableClaims }), 'editor', now)).toBe(
      false,
    );
  });

  it.each(['editor', "'*'"])('deny role %s, whatever allows it', (role) => {
    const roles = serviceRolesFromFile(
      fileWith(`${editors}---
id: suspended
principal: { pool: ${pool}, user: user-2 }
effect: deny
role: ${role}
owner: security
`),
    );
    const member = { groups: ['editors'] };
    expect(roles.has(caller(member), 'editor', now)).toBe(true);
    expect(roles.has(caller({ ...member, subject: 'user-2' }), 'editor', now)).toBe(false);
  });

  it('hold from notBefore to expiresAt, and not while disabled', () => {
    const from = '2026-06-01T00:00:00Z';
    const until = '2026-07-01T00:00:00Z';
    const timed = `${editors}conditions: { notBefore: ${from}, expiresAt: ${until} }\n`;
    const roles = serviceRolesFromFile(fileWith(timed));
    const has = (at: string) =>
      roles.has(caller({ groups: ['editors'] }), 'editor', Date.parse(at));
    expect([has('2026-05-31T23:59:59Z'), has(from), has(until)]).toEqual([false, true, false]);
    const disabled = serviceRolesFromFile(fileWith(`${editors}enabled: false\n`));
    expect(disabled.has(caller({ groups: ['editors'] }), 'editor', now)).toBe(false);
  });

  it('do not take a machine for a user whose name is its client id', () => {
    const roles = serviceRolesFromFile(
      fileWith(editors.replace('group: editors', 'user: 4abc0exampleclientid')),
    );
    const machine = caller({ machine: true, subject: '4abc0exampleclientid' });
    expect(roles.has(machine, 'editor', now)).toBe(false);
  });

  it.each<[what: string, text: string, fault: RegExp]>([
    ['a member that does not exist', `${editors}session: {}\n`, /roles\.yaml:7:1: \/session: /],
    ['a member twice', `${editors}role: reader\n`, /roles\.yaml:7:1: .*twice/],
    ['an id twice', `${editors}---${editors}`, /\/id: is the id of another rule/],
    [
      'the ARN of an IAM role',
      editors.replace('role: editor', 'role: arn:aws:iam::1:role/x'),
      /\/role/,
    ],
    ['an allow of every role', editors.replace('role: editor', "role: '*'"), /must name one role/],
    ['an allow for anyone', editors.replace('group: editors', 'any: true'), /\/principal/],
    ['source addresses', `${editors}conditions: { sourceCidrs: [10.0.0.0/8] }\n`, /sourceCidrs/],
    ['an alias', `${editors}description: *x\n`, /aliases/],
    [
      'an end before the start',
      `${editors}conditions: { notBefore: 2026-06-01T00:00:00Z, expiresAt: 2026-05-01T00:00:00Z }\n`,
      /expiresAt/,
    ],
    ['nothing', '', /holds nothing/],
  ])('are refused whole for %s', (_what, text, fault) => {
    expect(() => serviceRolesFromFile(fileWith(text))).toThrow(fault);
  });

  it('are refused when the file cannot be read', () => {
    expect(() => serviceRolesFromFile(join(directory, 'none.yaml'))).toThrow(/ENOENT/);
  });
});
