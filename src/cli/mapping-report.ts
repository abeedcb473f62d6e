/** Faults and plans as people read them. */

import { leafChanges } from '../core/policy/leaf-changes.ts';
import type { DocumentChange } from '../kit/json/document-changes.ts';
import { memberOf } from '../kit/json/json-object.ts';
import { faultLine, inReadingOrder, type SourceFault } from '../kit/yaml/source-fault.ts';
import type { AccessChange } from '../mapping-files/access-changes.ts';
import { type HandEdits, toldApart } from '../mapping-files/hand-edits.ts';
import type { KeptRow, PlannedChange } from '../mapping-files/mapping-plan.ts';
import type { SavedPlan, TableName } from '../mapping-files/saved-plan.ts';
import { changeLines } from './change-lines.ts';
import type { HandEditsById } from './mapping-histories.ts';
import { noPaint } from './paint.ts';
import { principalText } from './principal-text.ts';
import { printableLines } from './printable.ts';
import { whoAndWhy } from './who-and-why.ts';

const maxLines = 200;

export function faultReport(faults: readonly SourceFault[], label = ''): string {
  const ordered = inReadingOrder(faults).slice(0, maxLines);
  const lines = ordered.map((fault) => faultLine(labelled(fault, label)));
  const omitted = faults.length - ordered.length;
  return `${printableLines(lines)}${omitted === 0 ? '' : `… and ${omitted} more\n`}`;
}

/** Shown of what has one cause. */
const maxAlike = 3;

/** One line says as much as hundreds that say the same of hundreds of mappings. */
export function warningReport(warnings: readonly SourceFault[]): string {
  const causes = new Map<string, SourceFault[]>();
  for (const warning of inReadingOrder(warnings)) {
    const cause = causeOf(warning);
    const alike = causes.get(cause);
    if (alike === undefined) causes.set(cause, [warning]);
    else alike.push(warning);
  }
  const shown = [...causes.values()].flatMap((alike) => {
    const [first, ...others] = alike;
    if (first === undefined || alike.length <= maxAlike) return alike;
    const detail = `${first.detail} (and the same in ${others.length} more places; mappings validate --json lists them)`;
    return [{ ...first, detail }];
  });
  return faultReport(shown, 'warning');
}

/** What stands in parentheses names others, and differs from place to place. */
function causeOf({ pointer, detail }: SourceFault): string {
  return `${pointer}\n${detail.replace(/\([^()]*\)/g, '')}`;
}

function labelled(fault: SourceFault, label: string): SourceFault {
  if (label === '') return fault;
  // Before the pointer, where compilers have it and editors look for it.
  const detail = fault.pointer === '' ? fault.detail : `${fault.pointer}: ${fault.detail}`;
  return { ...fault, pointer: '', detail: `${label}: ${detail}` };
}

export function planReport(plan: SavedPlan, handEdits: HandEditsById = new Map()): string {
  const { table, revision } = plan;
  return changesReport(`Table ${tableTitle(table)}, revision ${revision}`, plan, handEdits);
}

interface ReportedChanges {
  /** What these are. Default: `Plan`. */
  readonly label?: string;
  readonly changes: readonly PlannedChange[];
  readonly unchanged: number;
  readonly notInFiles?: readonly KeptRow[];
}

export function changesReport(
  title: string,
  changed: ReportedChanges,
  handEdits: HandEditsById = new Map(),
): string {
  const { changes, notInFiles = [] } = changed;
  const lines = [title, ''];
  for (const change of changes) {
    lines.push(...plannedLines(change, handEdits.get(change.id)), '');
  }
  if (notInFiles.length > 0) {
    lines.push('In the table, owned, and in no file (--prune deletes them):');
    for (const { id, version } of notInFiles) {
      lines.push(`    ${id}, version ${version}`, ...handEditLines(handEdits.get(id)));
    }
    lines.push('');
  }
  lines.push(summary(changed), ...howToKeep(handEdits));
  return printableLines(lines);
}

/** What somebody did in a hurry is lost by the next apply, unless it is noticed. */
function howToKeep(handEdits: HandEditsById): readonly string[] {
  if (handEdits.size === 0) return [];
  const ids = [...handEdits.keys()].sort((a, b) => (a < b ? -1 : 1)).join(', ');
  return [
    `Changed outside of Git: ${ids}.`,
    'To have that in the files as well: token-broker mappings export --config FILE --update DIR',
  ];
}

export function tableTitle({ name, region, endpoint }: TableName): string {
  return `${name} in ${region}${endpoint === null ? '' : ` at ${endpoint}`}`;
}

export function changeCounts({ changes }: { readonly changes: readonly PlannedChange[] }) {
  const count = (wanted: PlannedChange['action']) =>
    changes.filter(({ action }) => action === wanted).length;
  return { create: count('create'), replace: count('replace'), delete: count('delete') };
}

function summary(changed: ReportedChanges): string {
  const { label = 'Plan', changes, unchanged } = changed;
  const same = `${unchanged} unchanged`;
  if (changes.length === 0) return `${label}: nothing to change; ${same}.`;
  return `${label}: ${countsText(changed)}; ${same}.`;
}

function countsText(plan: { readonly changes: readonly PlannedChange[] }): string {
  const counts = changeCounts(plan);
  return `${counts.create} to create, ${counts.replace} to replace, ${counts.delete} to delete`;
}

const signs = { create: '+', replace: '~', delete: '-' } as const;

function plannedLines(change: PlannedChange, byHand: HandEdits | undefined): string[] {
  const { action, id, version, source } = change;
  const facts = [version === null ? undefined : `version ${version}`, source ?? undefined];
  const about = facts.filter((fact) => fact !== undefined).join(', ');
  return [`  ${signs[action]} ${id} (${about})`, ...differenceLines(change, byHand)];
}

function differenceLines(
  { before, after }: PlannedChange,
  byHand: HandEdits | undefined,
): readonly string[] {
  const indented = (changes: readonly DocumentChange[], by: string) =>
    changeLines(changes, noPaint).map((line) => `${by}${line}`);
  if (byHand === undefined) return indented(leafChanges(before ?? {}, after ?? {}), '      ');
  const { takesBack, own } = toldApart(before, after, byHand);
  const titled = (title: string, changes: readonly DocumentChange[]) =>
    changes.length === 0 ? [] : [`      ${title}`, ...indented(changes, '        ')];
  return [
    ...handEditLines(byHand),
    ...titled('which applying takes back:', takesBack),
    ...titled('this change:', own),
  ];
}

const maxHandEdits = 5;

function handEditLines(byHand: HandEdits | undefined): readonly string[] {
  if (byHand === undefined) return [];
  const { edits } = byHand;
  const more = edits.length - maxHandEdits;
  return [
    '      changed outside of Git:',
    ...edits.slice(0, maxHandEdits).map((edit) => `        ${whoAndWhy(edit)}`),
    ...(more > 0 ? [`        … and ${more} times before`] : []),
  ];
}

/** What the differences come to: a reviewer agrees to this, and then reads how. */
function accessReport(access: readonly AccessChange[]): string {
  const isAlike = access.every(({ kind }) => kind === 'terms');
  const nobody = isAlike ? 'Nobody gains or loses a role.\n' : '';
  return nobody + printableLines(access.map(accessLine));
}

const accessWords = {
  allow: { gains: 'gains', loses: 'loses', terms: 'has on other terms' },
  deny: { gains: 'is denied', loses: 'is denied no longer', terms: 'is denied on other terms' },
} as const;

function accessLine({ kind, effect, principal, role }: AccessChange): string {
  // A deny that goes widens as an allow that comes.
  const widens = (kind === 'gains') === (effect === 'allow');
  const sign = kind === 'terms' ? '~' : widens ? '+' : '-';
  const what = role === '*' ? 'every role' : String(role);
  return `  ${sign} ${principalText(principal)} ${accessWords[effect][kind]} ${what}`;
}

/** A line for each owner, where there are several to ask: whose a mapping was is asked as whose it will be (T378). */
function ownerReport({ changes }: Pick<SavedPlan, 'changes'>): string {
  const owners = new Map<string, PlannedChange[]>();
  for (const change of changes) {
    for (const owner of ownersOf(change)) {
      const its = owners.get(owner);
      if (its === undefined) owners.set(owner, [change]);
      else its.push(change);
    }
  }
  if (owners.size < 2) return '';
  const lines = [...owners].map(
    ([owner, its]) => `  ${owner}: ${countsText({ changes: its })}${lostText(owner, its)}`,
  );
  return printableLines(['By owner:', ...lines]);
}

function ownersOf({ before, after }: PlannedChange): ReadonlySet<string> {
  const known = [ownerOf(after), ownerOf(before)].filter((owner) => owner !== undefined);
  return new Set(known.length === 0 ? ['no owner'] : known);
}

function lostText(owner: string, changes: readonly PlannedChange[]): string {
  const lost = changes.filter(({ after }) => after !== null && ownerOf(after) !== owner);
  return lost.length === 0 ? '' : `; ${lost.length} of them to another owner`;
}

function ownerOf(document: unknown): string | undefined {
  const owner = memberOf(document, 'owner');
  return typeof owner === 'string' ? owner : undefined;
}

interface Review {
  /** Of changesReport. */
  readonly report: string;
  readonly changes: readonly PlannedChange[];
  readonly access: readonly AccessChange[];
  /** Of `validate`, as it prints them. */
  readonly warnings?: string;
}

/** What a reviewer agrees to, and then how; as Markdown for a pull request. */
export function reviewText({ report, changes, access, warnings = '' }: Review, markdown: boolean) {
  const who = changes.length === 0 ? '' : accessReport(access) + ownerReport({ changes });
  if (!markdown) return who === '' ? report : `${report}\n${who}`;
  // Every line within a fence begins with blanks or words of ours: none of it can end the fence.
  return [
    ...(who === '' ? [] : [`### Role mappings: who gains and who loses\n\n${fenced(who)}`]),
    ...(warnings === ''
      ? []
      : [`### Warnings\n\n${fenced(warnings.replace(/^/gm, '! ').replace(/! $/, ''))}`]),
    ...(who === '' ? [`### Role mappings\n\n${fenced(report)}`] : [fenced(report)]),
  ].join('\n');
}

function fenced(text: string): string {
  return `\`\`\`diff\n${text.replace(/^ +(?=[+~-] )/gm, '')}\`\`\`\n`;
}
