import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { defaultGuardrails, type Guardrails } from '../../../src/core/policy/guardrails.ts';
import { checkRoleMapping } from '../../../src/core/policy/mapping-check.ts';
import { domainPool, mappingDocument } from '../../support/domain.ts';

type Fields = Readonly<Record<string, unknown>>;

function faults(fields: Fields, guardrails: Partial<Guardrails> = {}) {
  const rules = {
    matchableClaims: new Set<string>(),
    guardrails: { ...defaultGuardrails, ...guardrails },
  };
  const check = checkRoleMapping({ ...mappingDocument('orders'), ...fields }, rules);
  return check.kind === 'valid' ? [] : check.faults;
}

const roleNamed = (name: string) => `arn:aws:iam::123456789012:role/broker/${name}`;
const strict: Partial<Guardrails> = {
  allowedPartitions: ['aws'],
  allowedAccounts: ['123456789012', '210987654321'],
  rolePathPrefixes: ['/broker/', '/shared/tools/'],
  maxSessionSeconds: 3600,
};
const inForce = (fields: Fields) => faults(fields, strict);

describe('guardrails (T20, T53)', () => {
  it.each([
    'arn:aws:iam::123456789012:role/broker/orders',
    'arn:aws:iam::210987654321:role/broker/teams/orders',
    'arn:aws:iam::123456789012:role/shared/tools/orders',
  ])('let %s pass', (role) => {
    expect(inForce({ role })).toEqual([]);
  });

  it.each([
    ['another partition', 'arn:aws-cn:iam::123456789012:role/broker/x', 'allowedPartitions'],
    ['another account', 'arn:aws:iam::123456789013:role/broker/x', 'allowedAccounts'],
    ['no path', 'arn:aws:iam::123456789012:role/x', 'rolePathPrefixes'],
    ['another path', 'arn:aws:iam::123456789012:role/brokers/x', 'rolePathPrefixes'],
    ['a path that only contains one', 'arn:aws:iam::123456789012:role/a/broker/x', 'rolePath'],
    ['a path in another case', 'arn:aws:iam::123456789012:role/Broker/x', 'rolePathPrefixes'],
    ['a name like a path', 'arn:aws:iam::123456789012:role/shared/tools', 'rolePathPrefixes'],
  ])('refuse a role of %s, and name the setting', (_what, role, setting) => {
    expect(inForce({ role })).toEqual([
      { pointer: '/role', detail: expect.stringContaining(`guardrails.${setting}`) },
    ]);
  });

  it('are all told at once', () => {
    const role = 'arn:aws-cn:iam::000000000000:role/other/Administrator';
    const session = { maxDurationSeconds: 3601 };
    expect(inForce({ role, session }).map(({ pointer }) => pointer)).toEqual([
      '/role',
      '/role',
      '/role',
      '/role',
      '/session/maxDurationSeconds',
    ]);
  });

  it.each([
    'OrganizationAccountAccessRole',
    'organizationaccountaccessrole',
    'AWSControlTowerExecution',
    'AWSReservedSSO_ReadOnly_0123456789abcdef',
    'AWSServiceRoleForSupport',
    'Administrator',
    'db-admin',
    'PlatformADMINS',
  ])('keep the role %s out of mappings by themselves', (name) => {
    expect(faults({ role: roleNamed(name) })).toEqual([
      { pointer: '/role', detail: expect.stringContaining('guardrails.forbiddenRoleNames') },
    ]);
  });

  it.each(['OrganizationAccountAccess', 'MyAWSServiceRole', 'adm', 'orders-writer'])(
    'do not mistake %s for a forbidden role',
    (name) => {
      expect(faults({ role: roleNamed(name) })).toEqual([]);
    },
  );

  it.each([
    ['exact', 'Exact', ['exact', 'EXACT'], ['exactly', 'inexact']],
    ['a beginning', 'Own*', ['own', 'Owner'], ['disown']],
    ['an end', '*-root', ['-root', 'db-root'], ['root', 'db-roots']],
    ['a part', '*break*', ['break', 'outbreak', 'breakglass'], ['brea', 'bre-ak']],
    ['a name with dots', 'a.b', ['a.b'], ['aXb']],
  ])('match %s of a name', (_what, pattern, matching, others) => {
    const refused = (name: string) =>
      faults({ role: roleNamed(name) }, { forbiddenRoleNames: [pattern] }).length > 0;
    expect([matching.map(refused), others.map(refused)]).toEqual([
      matching.map(() => true),
      others.map(() => false),
    ]);
  });

  it('hold for disabled mappings, too: they may be enabled when nobody looks', () => {
    const role = roleNamed('Administrator');
    expect(faults({ role, enabled: false })).toHaveLength(1);
  });

  it('let any deny pass: it takes access away', () => {
    const role = 'arn:aws-cn:iam::000000000000:role/Administrator';
    const session = { maxDurationSeconds: 43_200 };
    expect(inForce({ effect: 'deny', role, session })).toEqual([]);
    const principal = { pool: domainPool, any: true };
    expect(inForce({ effect: 'deny', role: '*', principal })).toEqual([]);
  });

  it('let nothing pass that is outside of them, whatever the role is called', () => {
    const word = fc.stringMatching(/^[\w+=,.@-]{1,20}$/);
    fc.assert(
      fc.property(
        fc.constantFrom('aws', 'aws-cn', 'aws-us-gov'),
        fc.constantFrom('123456789012', '210987654321', '000000000000'),
        fc.array(fc.oneof(fc.constantFrom('broker', 'shared', 'tools'), word), { maxLength: 3 }),
        word,
        (partition, account, folders, name) => {
          const path = folders.map((folder) => `${folder}/`).join('');
          const role = `arn:${partition}:iam::${account}:role/${path}${name}`;
          const passes = inForce({ role }).length === 0;
          const inside =
            role.startsWith('arn:aws:iam::') &&
            ['123456789012', '210987654321'].includes(account) &&
            (path.startsWith('broker/') || path.startsWith('shared/tools/')) &&
            !/^awscontroltowerexecution$|^organizationaccountaccessrole$|^awsreservedsso_|^awsservicerole|admin/i.test(
              name,
            );
          expect([role, passes]).toEqual([role, inside]);
        },
      ),
    );
  });
});
