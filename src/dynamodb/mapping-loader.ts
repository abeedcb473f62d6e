/** A complete, consistent picture of all current mappings at one revision. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { MappingRules } from '../core/policy/mapping-check.ts';
import type { RoleMapping } from '../core/policy/role-mapping.ts';
import { type MapDraft, ShardedMap } from '../core/policy/sharded-map.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { incompleteRead, readChanges } from './change-log.ts';
import {
  currentSk,
  headKey,
  isOverride,
  readCurrent,
  readHead,
  type TableRow,
  type UnreadableRow,
  type ValidRow,
} from './role-mapping-item.ts';
import { type TableCalls, tableUnavailable } from './table-calls.ts';

export interface LoadOptions {
  /** What an earlier load made of a row: rows that are still equal give the same object again. */
  readonly known?: (id: string) => TableRow | undefined;
  /** A mapping that was checked by the rules of this load: a row that says the same is not checked once more. */
  readonly checked?: (id: string) => RoleMapping | undefined;
  /** Accepts fewer rows than HEAD counts. Only for an operator who has looked. Default false. */
  readonly acceptMissingRows?: boolean;
  /** Gives up between two pages. */
  readonly signal?: AbortSignal;
}

export interface LoadedMappings {
  readonly revision: number;
  /** Of the edit that made the revision. */
  readonly writeId: string | undefined;
  readonly rows: ShardedMap<ValidRow>;
  readonly quarantined: readonly UnreadableRow[];
  /** Ids of rows whose last edit knew that Git manages them, and was made outside of it. */
  readonly overridden: ReadonlySet<string>;
}

export interface LoaderParts {
  readonly calls: TableCalls;
  readonly rules: MappingRules;
  readonly clock: Clock;
  /** For the whole load. */
  readonly loadTimeoutMs: number;
}

/** About 5 ms of checking. */
const rowsPerTurn = 100;

/**
 * Only the primary key finds every `CURRENT` item with strong consistency, so this scans the table; what
 * changed while it did is put right from the change log.
 *
 * @throws BrokerError `table_unavailable` also when the read is not complete
 */
export async function loadMappings(
  parts: LoaderParts,
  options: LoadOptions = {},
): Promise<LoadedMappings> {
  const { calls, rules } = parts;
  const before = readHead(await calls.get(headKey));
  const found = await scanRows(parts, options);
  // Read after the scan: nothing that the scan saw can be newer than this.
  const head = readHead(await calls.get(headKey));
  if (head.revision < before.revision) throw incompleteRead('The revision of the table fell.');
  const range = { since: before.revision, through: head.revision };
  for (const { id, row, override } of await readChanges(calls, range, rules)) {
    put(found, id, row);
    note(found, id, row !== undefined && override === true);
  }
  const size = found.rows.size + found.quarantined.size;
  if (size < head.mappings && options.acceptMissingRows !== true) {
    throw incompleteRead('The table gave fewer role mappings than it counts.');
  }
  return {
    revision: head.revision,
    writeId: head.writeId,
    rows: found.rows.finished(),
    quarantined: [...found.quarantined.values()],
    overridden: found.overridden,
  };
}

/** Each row is in one of them. */
interface Found {
  readonly rows: MapDraft<ValidRow>;
  readonly quarantined: Map<string, UnreadableRow>;
  readonly overridden: Set<string>;
}

/** Undefined: there is none any more. */
function put({ rows, quarantined }: Found, id: string, row: TableRow | undefined): void {
  rows.set(id, row?.kind === 'valid' ? row : undefined);
  if (row?.kind === 'unreadable') quarantined.set(id, row);
  else if (quarantined.size > 0) quarantined.delete(id);
}

function note({ overridden }: Found, id: string, isOverridden: boolean): void {
  if (isOverridden) overridden.add(id);
  else overridden.delete(id);
}

async function scanRows(
  { calls, rules, clock, loadTimeoutMs }: LoaderParts,
  { known, checked, signal }: LoadOptions,
): Promise<Found> {
  const deadline = clock.monotonic() + loadTimeoutMs;
  const found: Found = {
    rows: ShardedMap.of<ValidRow>().draft(),
    quarantined: new Map(),
    overridden: new Set(),
  };
  for await (const page of calls.scan(currentSk, ['pk', 'version', 'mapping', 'override'])) {
    for (const [index, item] of page.entries()) {
      // Parsing a page takes longer than requests should wait for.
      if (index % rowsPerTurn === 0) await nextTurn();
      const row = readCurrent(item, rules, { known, checked });
      put(found, row.id, row);
      note(found, row.id, isOverride(item));
    }
    if (signal?.aborted === true) throw tableUnavailable(signal.reason);
    if (clock.monotonic() > deadline) throw tableUnavailable(undefined, tooSlow);
  }
  return found;
}

const tooSlow = 'Reading all role mappings took too long. The next try may be faster.';
