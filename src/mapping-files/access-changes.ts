/** Who gains and who loses which role when a plan is carried out, whatever the mappings are called that say so. */

import { canonicalJson } from '../core/policy/document-changes.ts';
import { isJsonObject } from '../kit/json/json-object.ts';
import type { PlannedChange, TableRow } from './mapping-plan.ts';

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
  rows: readonly TableRow[],
  changes: readonly Pick<PlannedChange, 'id' | 'after'>[],
): readonly AccessChange[] {
  const before = rows.map(({ document }) => document);
  const changed = new Set(changes.map(({ id }) => id));
  const kept = rows.filter(({ id }) => !changed.has(id)).map(({ document }) => document);
  const had = grantsOf(before);
  const has = grantsOf([...kept, ...changes.map(({ after }) => after)]);
  return [...without(has, had, 'gains'), ...without(had, has, 'loses')];
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
  those: ReadonlyMap<string, Grant>,
  kind: AccessChange['kind'],
): readonly AccessChange[] {
  return [...these].filter(([key]) => !those.has(key)).map(([, grant]) => ({ kind, ...grant }));
}
