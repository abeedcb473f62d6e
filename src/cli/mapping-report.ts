/** Faults and plans as people read them. */

import { leafChanges } from '../core/policy/leaf-changes.ts';
import { isJsonObject } from '../kit/json/json-object.ts';
import { faultLine, inReadingOrder, type SourceFault } from '../kit/yaml/source-fault.ts';
import type { AccessChange } from '../mapping-files/access-changes.ts';
import type { PlannedChange } from '../mapping-files/mapping-plan.ts';
import type { SavedPlan, TableName } from '../mapping-files/saved-plan.ts';
import { changeLines } from './change-lines.ts';
import { noPaint } from './paint.ts';
import { principalText } from './principal-text.ts';
import { printable } from './printable.ts';

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
  for (const change of changes) lines.push(...plannedLines(change), '');
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
  const same = `${plan.unchanged} unchanged`;
  if (plan.changes.length === 0) return `Plan: nothing to change; ${same}.`;
  return `Plan: ${countsText(plan)}; ${same}.`;
}

function countsText(plan: { readonly changes: readonly PlannedChange[] }): string {
  const counts = changeCounts(plan);
  return `${counts.create} to create, ${counts.replace} to replace, ${counts.delete} to delete`;
}

const signs = { create: '+', replace: '~', delete: '-' } as const;

function plannedLines({ action, id, version, source, before, after }: PlannedChange): string[] {
  const facts = [version === null ? undefined : `version ${version}`, source ?? undefined];
  const about = facts.filter((fact) => fact !== undefined).join(', ');
  const differences = changeLines(leafChanges(before ?? {}, after ?? {}), noPaint);
  return [`  ${signs[action]} ${id} (${about})`, ...differences.map((line) => `      ${line}`)];
}

/** What the differences come to: a reviewer agrees to this, and then reads how. */
export function accessReport(access: readonly AccessChange[]): string {
  if (access.length === 0) return 'Nobody gains or loses a role; on which conditions is above.\n';
  return access.map((change) => `${printable(accessLine(change))}\n`).join('');
}

const accessWords = {
  allow: { gains: 'gains', loses: 'loses' },
  deny: { gains: 'is denied', loses: 'is denied no longer' },
} as const;

function accessLine({ kind, effect, principal, role }: AccessChange): string {
  // A deny that goes widens as an allow that comes.
  const sign = (kind === 'gains') === (effect === 'allow') ? '+' : '-';
  const what = role === '*' ? 'every role' : String(role);
  return `  ${sign} ${principalText(principal)} ${accessWords[effect][kind]} ${what}`;
}

/** A line for each owner, where there are several to ask. */
export function ownerReport({ changes }: SavedPlan): string {
  const owners = new Map<string, PlannedChange[]>();
  for (const change of changes) {
    const owner = ownerOf(change.after) ?? ownerOf(change.before) ?? 'no owner';
    const its = owners.get(owner);
    if (its === undefined) owners.set(owner, [change]);
    else its.push(change);
  }
  if (owners.size < 2) return '';
  const lines = [...owners].map(([owner, its]) => `  ${owner}: ${countsText({ changes: its })}`);
  return ['By owner:', ...lines].map((line) => `${printable(line)}\n`).join('');
}

function ownerOf(document: unknown): string | undefined {
  const owner = isJsonObject(document) ? document['owner'] : undefined;
  return typeof owner === 'string' ? owner : undefined;
}
