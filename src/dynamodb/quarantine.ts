/**
 * What stands in for a row that cannot be read (T52): what it said when it last could be, unless it may now
 * deny something. Then its principal is denied every role, because access too little can be asked for and
 * access too much cannot be taken back. Where nothing but the conditions of a deny is at fault, it is denied the
 * role that the deny names, whatever the conditions.
 */

import type { Fault } from '../core/fault.ts';
import {
  type Principal,
  roleMappingSchema,
  type StoredRoleMapping,
} from '../core/policy/role-mapping.ts';
import { isJsonObject, type JsonObject } from '../kit/json/json-object.ts';
import type { TableRow, UnreadableRow, ValidRow } from './role-mapping-item.ts';

/** A row of the policy in force. */
export type PolicyRow = ValidRow | QuarantinedRow;

export interface QuarantinedRow {
  readonly kind: 'quarantined';
  readonly id: string;
  readonly version: number;
  /** Of the text in the table; undefined where that is not known. */
  readonly digest: string | undefined;
  /** Where that is not known: of what was parsed of it, which is the same for what this API wrote. */
  readonly parsedDigest?: string | undefined;
  readonly faults: readonly Fault[];
  readonly lastGood: StoredRoleMapping | undefined;
  readonly inForce: readonly StoredRoleMapping[];
}

export interface QuarantineReport {
  readonly id: string;
  readonly version: number;
  readonly faults: readonly Fault[];
  /** What is in force in its place. */
  readonly standIn: 'last_good' | 'deny' | 'none';
}

export function quarantineReport(row: QuarantinedRow): QuarantineReport {
  const { id, version, faults, lastGood, inForce } = row;
  const denies = inForce.some((stored) => stored !== lastGood);
  const standIn = denies ? 'deny' : inForce.length > 0 ? 'last_good' : 'none';
  return { id, version, faults, standIn };
}

export function toPolicyRow(row: TableRow, known: PolicyRow | undefined): PolicyRow {
  return row.kind === 'valid' ? row : quarantine(row, known);
}

export function mappingsOf(row: PolicyRow): readonly StoredRoleMapping[] {
  return row.kind === 'valid' ? [row.stored] : row.inForce;
}

function quarantine(row: UnreadableRow, known: PolicyRow | undefined): QuarantinedRow {
  const { id, version, digest, faults, document } = row;
  const lastGood = known?.kind === 'valid' ? known.stored : known?.lastGood;
  const fields = isJsonObject(document) ? document : {};
  const disabled = fields['enabled'] === false;
  const denied = disabled ? [] : deniedPrincipals(fields, lastGood);
  const role = deniedRole(document);
  const standIns = denied.map((principal) => ({ mapping: deny(id, principal, role), version }));
  const stillHolds = lastGood?.mapping.effect === 'deny' || (!disabled && standIns.length === 0);
  const kept = lastGood !== undefined && stillHolds ? [lastGood] : [];
  // Denies in the place of one that this row replaced: where it names nobody, they have no end yet.
  const earlier = known === undefined || standIns.length > 0 ? [] : mappingsOf(known);
  const stillDenied = earlier.filter((held) => held !== lastGood && held.mapping.effect === 'deny');
  return {
    kind: 'quarantined',
    id,
    version,
    digest,
    faults,
    lastGood,
    inForce: [...kept, ...stillDenied, ...standIns],
  };
}

/** Everybody whom the row denies something, as far as that can be told. */
function deniedPrincipals(
  fields: JsonObject,
  lastGood: StoredRoleMapping | undefined,
): readonly Principal[] {
  if (fields['effect'] === 'allow') return [];
  const readable = readablePrincipals(fields['principal']);
  if (readable.length > 0) return readable;
  return fields['effect'] === 'deny' && lastGood !== undefined ? [lastGood.mapping.principal] : [];
}

/** A principal with a stray or a second name is illegal, but each name in it can still be read. */
function readablePrincipals(principal: unknown): readonly Principal[] {
  if (!isJsonObject(principal)) return [];
  return ['client', 'user', 'group', 'any'].flatMap((kind) => {
    const alone = { pool: principal['pool'], [kind]: principal[kind] };
    const parsed = roleMappingSchema.shape.principal.safeParse(alone);
    return parsed.success ? [parsed.data] : [];
  });
}

function deniedRole(document: unknown): string {
  const bare = isJsonObject(document) ? { ...document, conditions: undefined } : undefined;
  const parsed = roleMappingSchema.safeParse(bare);
  return parsed.success && parsed.data.effect === 'deny' ? parsed.data.role : '*';
}

function deny(id: string, principal: Principal, role: string): StoredRoleMapping['mapping'] {
  return roleMappingSchema.parse({
    id,
    description: 'Stands in for a row that may deny something but cannot be read.',
    principal,
    effect: 'deny',
    role,
    owner: 'token-broker',
  });
}
