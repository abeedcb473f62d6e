/** A row of the policy ⇄ its line in the snapshot file. */

import { isDeepStrictEqual } from 'node:util';
import { HeldMapping, type LateCheck } from '../core/policy/compiled-mapping.ts';
import { checkRoleMapping, type MappingRules } from '../core/policy/mapping-check.ts';
import type { RoleMapping, StoredRoleMapping } from '../core/policy/role-mapping.ts';
import { withSharedParts } from '../core/policy/shared-parts.ts';
import { mappingsOf, type PolicyRow, type QuarantinedRow, toPolicyRow } from './quarantine.ts';
import { readMapping, textDigest, type ValidRow } from './role-mapping-item.ts';

/** Earlier and later releases read it: members may be added. */
interface RowLine {
  readonly id: string;
  readonly version: number;
  readonly mapping?: unknown;
  readonly quarantined?: {
    readonly digest?: string | undefined;
    readonly parsedDigest?: string | undefined;
    readonly faults: QuarantinedRow['faults'];
    readonly lastGood: StoredRoleMapping | null;
    readonly inForce: readonly StoredRoleMapping[];
  };
}

export function printRow(row: PolicyRow): string {
  return JSON.stringify(toLine(row));
}

function toLine(row: PolicyRow): RowLine {
  const { id, version } = row;
  if (row.kind === 'valid') return { id, version, mapping: row.stored.mapping };
  const { digest, parsedDigest, faults, lastGood = null, inForce } = row;
  return { id, version, quarantined: { digest, parsedDigest, faults, lastGood, inForce } };
}

/** Configuration, or the program, may have changed since: every mapping is checked again. */
export function checkedRow(line: string, rules: MappingRules): PolicyRow {
  return fromLine(JSON.parse(line) as RowLine, rules);
}

/** For a line that this very program printed under the same rules; a mapping is checked when it is to decide. */
export function trustedRow(line: string, rules: MappingRules, lateCheck: LateCheck): PolicyRow {
  const parsed = JSON.parse(line) as RowLine;
  const { id, version, mapping: document, quarantined } = parsed;
  if (quarantined !== undefined) return fromLine(parsed, rules);
  const mapping = document as RoleMapping;
  const start = `${JSON.stringify({ id, version }).slice(0, -1)},"mapping":`;
  const ours = mapping.id === id && Number.isSafeInteger(version) && version > 0;
  if (!ours || !line.startsWith(start)) throw new Error('a line is not as it was written');
  const digest = textDigest(line.slice(start.length, -1));
  const stored = new HeldMapping({ mapping: withSharedParts(mapping), version }, lateCheck);
  return { kind: 'valid', id: mapping.id, version, digest, stored } satisfies ValidRow;
}

/** By the rules that the file claims to have been checked by. `onFailed` hears of ids that others must have written. */
export function lateCheck(rules: MappingRules, onFailed: (id: string) => void): LateCheck {
  return (mapping) => {
    const check = checkRoleMapping(mapping, rules);
    // What the check would add was not printed by this program.
    const holds =
      check.kind === 'valid' && JSON.stringify(check.mapping) === JSON.stringify(mapping);
    if (!holds) onFailed(mapping.id);
    return holds;
  };
}

function fromLine({ id, version, mapping, quarantined }: RowLine, rules: MappingRules): PolicyRow {
  // A row without a readable version is quarantined, and has version 0.
  requireVersion(version, quarantined === undefined ? 1 : 0);
  const check = (document: unknown, at: number) =>
    readMapping({ id, version: at, text: JSON.stringify(document ?? null) }, rules);
  if (quarantined === undefined) {
    const row = toPolicyRow(check(mapping, version), undefined);
    // The text that was parsed here need not be that of the table.
    return row.kind === 'valid' ? row : { ...row, digest: undefined, parsedDigest: row.digest };
  }
  // As a valid line: what no longer passes has its deny in its place, if it denies something (T290).
  const today = (stored: StoredRoleMapping) => {
    requireVersion(stored.version, 0);
    return toPolicyRow(check(stored.mapping, Math.max(1, stored.version)), undefined);
  };
  const { digest, parsedDigest, faults, lastGood, inForce } = quarantined;
  const good = lastGood === null ? undefined : today(lastGood);
  const isLastGood = (stored: StoredRoleMapping) => isDeepStrictEqual(lastGood, stored);
  return {
    kind: 'quarantined',
    id,
    version,
    digest,
    parsedDigest,
    faults,
    lastGood: good?.kind === 'valid' ? good.stored : undefined,
    inForce: inForce.flatMap((stored) => {
      const kept = mappingsOf(good !== undefined && isLastGood(stored) ? good : today(stored));
      const denies = stored.mapping.effect === 'deny' && stored.mapping.enabled;
      if (denies && kept.length === 0) throw new Error(`${id}: nothing can stand in for a deny`);
      return kept;
    }),
  };
}

function requireVersion(version: unknown, least: number): void {
  const is = typeof version === 'number' && Number.isSafeInteger(version) && version >= least;
  if (!is) throw new Error('a line has no version');
}
