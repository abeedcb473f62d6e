/** `mappings diff A B` between two folders: what a plan would show if the one were the table. */

import { leafChanges } from '../core/policy/leaf-changes.ts';
import type { WritingRules } from '../core/policy/mapping-check.ts';
import { systemClock } from '../kit/timing/clock.ts';
import type { SourceFault } from '../kit/yaml/source-fault.ts';
import { accessChanges } from '../mapping-files/access-changes.ts';
import { folderDifference } from '../mapping-files/folder-difference.ts';
import { changesReport, faultReport, reviewText } from './mapping-report.ts';
import { readMappingFolder } from './mapping-sources.ts';

export interface FolderDiff {
  readonly kind: 'compared';
  readonly document: unknown;
  readonly text: string;
  readonly isSame: boolean;
}

interface FoldersRefused {
  readonly kind: 'refused';
  readonly faults: readonly SourceFault[];
  /** Printable. */
  readonly report: string;
}

export function folderDiff(
  [from, to]: readonly [from: string, to: string],
  rules: WritingRules,
  markdown: boolean,
): FolderDiff | FoldersRefused {
  const [before, after] = [readMappingFolder(from, rules), readMappingFolder(to, rules)];
  const faults = [...before.faults, ...after.faults];
  if (faults.length > 0) return { kind: 'refused', faults, report: faultReport(faults) };
  const { changes, unchanged, rows } = folderDifference(before.mappings, after.mappings);
  const access = accessChanges(rows, changes, systemClock.now());
  const report = changesReport(`${from} -> ${to}`, { label: 'Difference', changes, unchanged });
  return {
    kind: 'compared',
    document: {
      from,
      to,
      changes: changes.map(({ action, id, source, before: was, after: is }) => ({
        action,
        id,
        source,
        differences: leafChanges(was ?? {}, is ?? {}),
      })),
      access,
      unchanged,
    },
    text: reviewText({ report, changes, access }, markdown),
    isSame: changes.length === 0,
  };
}
