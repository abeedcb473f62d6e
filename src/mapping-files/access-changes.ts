/** Who gains and who loses which role when a plan is carried out, whatever the mappings are called that say so. */

import { canonicalJson } from '../kit/json/document-changes.ts';
import { isJsonObject, type JsonObject } from '../kit/json/json-object.ts';
import type { CurrentRow, PlannedChange } from './mapping-plan.ts';

export interface AccessChange {
  /** `terms`: who has the role, or is denied it, is the same; when and for what is not. */
  readonly kind: 'gains' | 'loses' | 'terms';
  readonly effect: 'allow' | 'deny';
  readonly principal: unknown;
  readonly role: unknown;
}

/**
 * By mappings that are enabled and have not ended, as proposals are judged (T382). A role that another mapping gives to the same
 * principal is neither gained nor lost, but on other terms perhaps.
 */
export function accessChanges(
  rows: readonly CurrentRow[],
  changes: readonly Pick<PlannedChange, 'id' | 'after'>[],
  now: number,
): readonly AccessChange[] {
  if (changes.length === 0) return [];
  const changed = new Set(changes.map(({ id }) => id));
  const had = grantsOf(
    rows.filter(({ id }) => changed.has(id)).map(({ document }) => document),
    now,
  );
  const has = grantsOf(
    changes.map(({ after }) => after),
    now,
  );
  // Of thousands of rows that stay, few have one of these roles.
  const roles = new Set([...had.values(), ...has.values()].map(({ grant }) => grant.role));
  const kept = grantsOf(
    rows
      .filter(({ id }) => !changed.has(id))
      .map(({ document }) => document)
      .filter((document) => isJsonObject(document) && isOneOf(roles, document['role'])),
    now,
  );
  return [
    ...without(has, [had, kept], 'gains'),
    ...without(had, [has, kept], 'loses'),
    ...onOtherTerms(had, has, kept),
  ];
}

/** What is no text may be equal without being the same. */
function isOneOf(roles: ReadonlySet<unknown>, role: unknown): boolean {
  return typeof role !== 'string' || roles.has(role);
}

type Grant = Omit<AccessChange, 'kind'>;

interface Granted {
  readonly grant: Grant;
  /** Of each mapping that says so. */
  readonly terms: readonly string[];
}

type Grants = ReadonlyMap<string, Granted>;

function grantsOf(documents: readonly unknown[], now: number): Grants {
  const grants = new Map<string, { readonly grant: Grant; readonly terms: string[] }>();
  for (const document of documents.filter(isJsonObject)) {
    const { principal, role, effect } = document;
    if ((effect !== 'allow' && effect !== 'deny') || !isInForce(document, now)) continue;
    const grant = { effect, principal, role } as const;
    const key = canonicalJson(grant) ?? '';
    const known = grants.get(key);
    if (known === undefined) grants.set(key, { grant, terms: [termsOf(document)] });
    else known.terms.push(termsOf(document));
  }
  return grants;
}

/** One that is yet to begin counts: whoever agrees to it gives something. */
function isInForce({ enabled, conditions }: JsonObject, now: number): boolean {
  if (enabled === false) return false;
  const expiresAt = isJsonObject(conditions) ? conditions['expiresAt'] : undefined;
  return !(typeof expiresAt === 'string' && Date.parse(expiresAt) <= now);
}

function termsOf({ conditions, session, precedence }: JsonObject): string {
  return canonicalJson([conditions, session, precedence]) ?? '';
}

function without(these: Grants, others: readonly Grants[], kind: 'gains' | 'loses') {
  return [...these]
    .filter(([key]) => !others.some((those) => those.has(key)))
    .map(([, { grant }]): AccessChange => ({ kind, ...grant }));
}

function onOtherTerms(had: Grants, has: Grants, kept: Grants): readonly AccessChange[] {
  const termsIn = (key: string, grants: Grants) =>
    new Set([grants, kept].flatMap((those) => those.get(key)?.terms ?? []));
  return [...new Map([...had, ...has])]
    .map(([key, { grant }]) => ({ grant, before: termsIn(key, had), after: termsIn(key, has) }))
    .filter(({ before, after }) => before.size > 0 && after.size > 0)
    .filter(({ before, after }) => before.size !== after.size || !isWithin(before, after))
    .map(({ grant }) => ({ kind: 'terms', ...grant }));
}

function isWithin(these: ReadonlySet<string>, others: ReadonlySet<string>): boolean {
  return [...these].every((one) => others.has(one));
}
