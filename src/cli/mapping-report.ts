/** Faults and plans as people read them. */

import type { DocumentChange } from '../core/policy/document-changes.ts';
import { faultLine, inReadingOrder, type SourceFault } from '../kit/yaml/source-fault.ts';
import type { PlannedChange } from '../mapping-files/mapping-plan.ts';
import type { SavedPlan, TableName } from '../mapping-files/saved-plan.ts';
import { printable, printableJson } from './printable.ts';

const maxLines = 200;

export function faultReport(faults: readonly SourceFault[], label = ''): string {
  const ordered = inReadingOrder(faults).slice(0, maxLines);
  const lines = ordered.map((fault) => `${printable(faultLine(labelled(fault, label)))}\n`);
  const omitted = faults.length - ordered.length;
  return `${lines.join('')}${omitted === 0 ? '' : `… and ${omitted} more\n`}`;
}

function labelled(fault: SourceFault, label: string): SourceFault {
  if (label === '') return fault;
  // Before the pointer, where compilers have it and editors look for it.
  const detail = fault.pointer === '' ? fault.detail : `${fault.pointer}: ${fault.detail}`;
  return { ...fault, pointer: '', detail: `${label}: ${detail}` };
}

export function planReport(plan: SavedPlan): string {
  const { table, revision, changes, notInFiles } = plan;
  const lines = [`Table ${tableTitle(table)}, revision ${revision}`, ''];
  for (const change of changes) lines.push(...changeLines(change), '');
  if (notInFiles.length > 0) {
    lines.push('In the table, owned, and in no file (--prune deletes them):');
    lines.push(...notInFiles.map(({ id, version }) => `    ${id}, version ${version}`), '');
  }
  lines.push(summary(plan));
  return lines.map((line) => `${printable(line)}\n`).join('');
}

export function tableTitle({ name, region, endpoint }: TableName): string {
  return `${name} in ${region}${endpoint === null ? '' : ` at ${endpoint}`}`;
}

export function changeCounts({ changes }: { readonly changes: readonly PlannedChange[] }) {
  const count = (wanted: PlannedChange['action']) =>
    changes.filter(({ action }) => action === wanted).length;
  return { create: count('create'), replace: count('replace'), delete: count('delete') };
}

function summary(plan: SavedPlan): string {
  const counts = changeCounts(plan);
  const same = `${plan.unchanged} unchanged`;
  if (plan.changes.length === 0) return `Plan: nothing to change; ${same}.`;
  return `Plan: ${counts.create} to create, ${counts.replace} to replace, ${counts.delete} to delete; ${same}.`;
}

const signs = { create: '+', replace: '~', delete: '-' } as const;

function changeLines({ action, id, version, source, differences }: PlannedChange): string[] {
  const facts = [version === null ? undefined : `version ${version}`, source ?? undefined];
  const about = facts.filter((fact) => fact !== undefined).join(', ');
  return [
    `  ${signs[action]} ${id} (${about})`,
    ...differences.map((change) => `      ${differenceLine(change)}`),
  ];
}

/** One member that a change adds, takes away or rewrites. */
export function differenceLine(change: DocumentChange): string {
  const { pointer, before, after } = change;
  const name = pointer === '' ? 'document' : pointer.slice(1).replaceAll('/', '.');
  if (!('before' in change)) return `+ ${name}: ${printableJson(after)}`;
  if (!('after' in change)) return `- ${name}: ${printableJson(before)}`;
  return `~ ${name}: ${printableJson(before)} -> ${printableJson(after)}`;
}
