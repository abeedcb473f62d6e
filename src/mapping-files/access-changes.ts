/** Who gains and who loses which role when a plan is carried out, whatever the mappings are called that say so. */

import { canonicalJson } from '../kit/json/document-changes.ts';
import { isJsonObject } from '../kit/json/json-object.ts';
import type { CurrentRow, PlannedChange } from './mapping-plan.ts';

export interface AccessChange {
  readonly kind: 'gains' | 'loses';
  readonly effect: 'allow' | 'deny';
  readonly principal: unknown;
  readonly role: unknown;
}

/**
 * By enabled mappings. A role that another mapping gives to the same principal is neither gained nor lost; on which conditions
 * somebody has it is not looked at, and stands among the differences.
 */
export function accessChanges(
  rows: readonly CurrentRow[],
  changes: readonly Pick<PlannedChange, 'id' | 'after'>[],
): readonly AccessChange[] {
  if (changes.length === 0) return [];
  const changed = new Set(changes.map(({ id }) => id));
  const had = grantsOf(rows.filter(({ id }) => changed.has(id)).map(({ document }) => document));
  const has = grantsOf(changes.map(({ after }) => after));
  // Of thousands of rows that stay, few have one of these roles.
  const roles = new Set([...had.values(), ...has.values()].map(({ role }) => role));
  const kept = grantsOf(
    rows
      .filter(({ id }) => !changed.has(id))
      .map(({ document }) => document)
      .filter((document) => isJsonObject(document) && isOneOf(roles, document['role'])),
  );
  return [...without(has, [had, kept], 'gains'), ...without(had, [has, kept], 'loses')];
}

/** What is no text may be equal without being the same. */
function isOneOf(roles: ReadonlySet<unknown>, role: unknown): boolean {
  return typeof role !== 'string' || roles.has(role);
}

type Grant = Omit<AccessChange, 'kind'>;

function grantsOf(documents: readonly unknown[]): ReadonlyMap<string, Grant> {
  const grants = documents.filter(isJsonObject).flatMap((document) => {
    const { principal, role, effect, enabled } = document;
    if (enabled === false || (effect !== 'allow' && effect !== 'deny')) return [];
    return [{ effect, principal, role } as const];
  });
  return new Map(grants.map((grant) => [canonicalJson(grant) ?? '', grant]));
}

function without(
  these: ReadonlyMap<string, Grant>,
  others: readonly ReadonlyMap<string, Grant>[],
  kind: AccessChange['kind'],
): readonly AccessChange[] {
  return [...these]
    .filter(([key]) => !others.some((those) => those.has(key)))
    .map(([, grant]) => ({ kind, ...grant }));
}
