/** The current row of a mapping, as an edit needs it: what is there, and where the count of versions goes on. */

import type { MappingRules } from '../core/policy/mapping-check.ts';
import type { StoredRoleMapping } from '../core/policy/role-mapping.ts';
import { readInteger, readText } from './item-attributes.ts';
import { currentSk, readMapping, versionsBefore } from './role-mapping-item.ts';
import type { Item, TableCalls } from './table-calls.ts';

export interface BaseRow {
  /** The current row, if there is one. */
  readonly item: Item | undefined;
  /** Of the row, or the last one there was; 0: never was. */
  readonly version: number;
  readonly text: string | undefined;
  readonly stored: StoredRoleMapping | undefined;
}

/** @throws BrokerError `table_unavailable` */
export async function readBaseRow(
  calls: TableCalls,
  id: string,
  rules: MappingRules,
): Promise<BaseRow> {
  const versions = versionsBefore(id, Number.MAX_SAFE_INTEGER);
  // The current row is the first of its partition; where it is not, the mapping was deleted or never was.
  const [first] = await calls.query({
    ...versions,
    fromSk: currentSk,
    descending: false,
    limit: 1,
  });
  if (first === undefined) return absent(0);
  if (readText(first, 'sk') !== currentSk) {
    const [last] = await calls.query({ ...versions, limit: 1 });
    return absent(readInteger(last, 'version') ?? 0);
  }
  const version = readInteger(first, 'version') ?? 0;
  const text = readText(first, 'mapping');
  const row = readMapping({ id, version, text: text ?? '' }, rules);
  const stored = row.kind === 'valid' ? row.stored : undefined;
  return { item: first, version, text, stored };
}

function absent(version: number): BaseRow {
  return { item: undefined, version, text: undefined, stored: undefined };
}
