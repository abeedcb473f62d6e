/** Who gains and who loses a role by a change of one mapping, as far as the mapping alone says it. */

import { atOnce } from '../../kit/timing/in-turns.ts';
import { isNarrowing, type MappingStep } from './narrowing.ts';
import { principalKey } from './policy-snapshot.ts';
import type { Principal, RoleMapping } from './role-mapping.ts';

export interface Affected {
  readonly principal: Principal;
  readonly role: string;
  /** `terms`: who has the role, or is denied it, is the same; when and for what is not. */
  readonly effect: 'gains' | 'loses' | 'terms';
}

export function gainsAndLosses(
  before: RoleMapping | undefined,
  after: RoleMapping | undefined,
  now: number,
): readonly Affected[] {
  const [from, to] = [inForce(before, now), inForce(after, now)];
  if (from !== undefined && to !== undefined && isSameGrant(from, to)) {
    const narrows = (step: MappingStep) => atOnce(isNarrowing(step, []));
    const unchanged = narrows({ before, after }) && narrows({ before: after, after: before });
    return unchanged ? [] : [{ ...whose(to), effect: 'terms' }];
  }
  return [
    ...(from === undefined
      ? []
      : [{ ...whose(from), effect: from.effect === 'allow' ? 'loses' : 'gains' } as const]),
    ...(to === undefined
      ? []
      : [{ ...whose(to), effect: to.effect === 'allow' ? 'gains' : 'loses' } as const]),
  ];
}

/** One that is yet to begin counts: whoever approves it gives something. */
function inForce(mapping: RoleMapping | undefined, now: number): RoleMapping | undefined {
  if (mapping?.enabled !== true) return undefined;
  const { expiresAt } = mapping.conditions;
  return expiresAt !== undefined && Date.parse(expiresAt) <= now ? undefined : mapping;
}

function isSameGrant(one: RoleMapping, other: RoleMapping): boolean {
  return (
    one.effect === other.effect &&
    one.role === other.role &&
    principalKey(one.principal) === principalKey(other.principal)
  );
}

function whose({ principal, role }: RoleMapping) {
  return { principal, role };
}
