/** A complete, consistent picture of all current mappings at one revision. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { MappingRules } from '../core/policy/mapping-check.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { incompleteRead, readChanges } from './change-log.ts';
import {
  currentSk,
  headKey,
  type LoggedChange,
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
  /** Accepts fewer rows than HEAD counts. Only for an operator who has looked. Default false. */
  readonly acceptMissingRows?: boolean;
  /** Gives up between two pages. */
  readonly signal?: AbortSignal;
}

export interface LoadedMappings {
  readonly revision: number;
  readonly rows: readonly ValidRow[];
  readonly quarantined: readonly UnreadableRow[];
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
  const rows = await scanRows(parts, options);
  // Read after the scan: nothing that the scan saw can be newer than this.
  const head = readHead(await calls.get(headKey));
  if (head.revision < before.revision) throw incompleteRead('The revision of the table fell.');
  const range = { since: before.revision, through: head.revision };
  applyChanges(rows, await readChanges(calls, range, rules));
  if (rows.size < head.mappings && options.acceptMissingRows !== true) {
    throw incompleteRead('The table gave fewer role mappings than it counts.');
  }
  const all = [...rows.values()];
  return {
    revision: head.revision,
    rows: all.filter((row) => row.kind === 'valid'),
    quarantined: all.filter((row) => row.kind === 'unreadable'),
  };
}

async function scanRows(
  { calls, rules, clock, loadTimeoutMs }: LoaderParts,
  { known = () => undefined, signal }: LoadOptions,
): Promise<Map<string, TableRow>> {
  const deadline = clock.monotonic() + loadTimeoutMs;
  const rows = new Map<string, TableRow>();
  for await (const page of calls.scan(currentSk, ['pk', 'version', 'mapping'])) {
    for (const [index, item] of page.entries()) {
      // Parsing a page takes longer than requests should wait for.
      if (index % rowsPerTurn === 0) await nextTurn();
      const row = readCurrent(item, rules, known);
      rows.set(row.id, row);
    }
    if (signal?.aborted === true) throw tableUnavailable(signal.reason);
    if (clock.monotonic() > deadline) throw tableUnavailable(undefined, tooSlow);
  }
  return rows;
}

const tooSlow = 'Reading all role mappings took too long. The next try may be faster.';

function applyChanges(rows: Map<string, TableRow>, changes: readonly LoggedChange[]): void {
  for (const { id, row } of changes) {
    if (row === undefined) rows.delete(id);
    else rows.set(id, row);
  }
}
