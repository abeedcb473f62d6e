import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  type AdminAccess,
  type AdminPermission,
  requireAdmin,
} from '../../src/core/admin-access.ts';
import type { Caller } from '../../src/core/caller.ts';
import { BrokerError } from '../../src/core/errors.ts';
import { caller, domainNow, domainPool, machineCaller } from '../support/domain.ts';
import { runs } from '../support/fuzz-budget.ts';

const clientId = '5admin0example0client0id00';
const sub = '7d8e2a5c-1111-4222-8333-944445555666';
const access: AdminAccess = {
  pool: domainPool,
  clients: new Set([clientId]),
  groups: new Set(['platform-admins']),
  users: new Set([sub]),
  machines: true,
  maxTokenAgeSeconds: 3600,
  maxSignInAgeSeconds: 900,
  requiredAmr: ['mfa'],
  readScope: 'broker/admin.read',
  writeScope: 'broker/admin.write',
  freezeScope: 'broker/admin.freeze',
};
const permissions: readonly AdminPermission[] = ['read', 'write', 'freeze'];

/** Everything an administrator needs, and nothing else. */
function administrators(permission: AdminPermission): readonly Caller[] {
  const scopes = new Set([access[`${permission}Scope`]]);
  const person = { clientId, scopes, signedInAt: domainNow, amr: ['mfa'] };
  return [
    caller({ ...person, subject: sub }),
    caller({ ...person, subject: 'somebody', groups: ['platform-admins'] }),
    machineCaller({ clientId, scopes }),
  ];
}

interface Lack {
  readonly of: Partial<Caller>;
  /** Whether whoever lacks it is a stranger, who is told nothing. */
  readonly stranger: boolean;
  /** Machines do not need it. */
  readonly peopleOnly?: boolean;
}

/** One thing each that an administrator must have. */
const lacks: readonly Lack[] = [
  { of: { pool: 'us-east-1_Other0001' }, stranger: true },
  { of: { clientId: '1orders0example0client0id0' }, stranger: true },
  { of: { clientId: undefined }, stranger: true },
  { of: { tokenUse: 'id' }, stranger: true },
  { of: { tokenUse: 'openid' }, stranger: true },
  { of: { subject: 'nobody', groups: ['customers'] }, stranger: true },
  { of: { issuedAt: domainNow - 3_600_001 }, stranger: false },
  { of: { scopes: new Set(['x/y']) }, stranger: false },
  { of: { signedInAt: undefined }, stranger: false, peopleOnly: true },
  { of: { signedInAt: domainNow - 900_001 }, stranger: false, peopleOnly: true },
  { of: { amr: ['pwd'] }, stranger: false, peopleOnly: true },
];

function refusal(of: Caller, permission: AdminPermission): BrokerError | undefined {
  try {
    requireAdmin(access, of, permission, domainNow);
    return undefined;
  } catch (error) {
    if (error instanceof BrokerError) return error;
    throw error;
  }
}

describe('the check of administrators', () => {
  it('T56: lets in people by sub or group, and machines, who have all that is asked for', () => {
    for (const permission of permissions) {
      for (const one of administrators(permission)) {
        expect(refusal(one, permission)).toBeUndefined();
      }
    }
  });

  it('T56: refuses whoever lacks any of it, and tells strangers the same, whatever else they lack', () => {
    const [known] = administrators('read');
    const told = refusal({ ...(known as Caller), pool: 'us-east-1_Other0001' }, 'read');
    fc.assert(
      fc.property(
        fc.constantFrom(...permissions),
        fc.nat({ max: 2 }),
        fc.subarray([...lacks], { minLength: 1 }),
        (permission, which, missing) => {
          const whole = administrators(permission)[which] as Caller;
          const counting = missing.filter(({ peopleOnly }) => !whole.machine || !peopleOnly);
          fc.pre(counting.length > 0);
          const lacking = Object.assign({}, whole, ...missing.map(({ of }) => of)) as Caller;
          const error = refusal(lacking, permission);
          expect(error).toBeDefined();
          if (!counting.some(({ stranger }) => stranger)) return;
          expect([error?.code, error?.message]).toEqual([told?.code, told?.message]);
        },
      ),
      runs(500),
    );
  });
});
