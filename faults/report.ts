/** The table of results: on the terminal while it grows, and as docs/failure-modes.md. */

import { cpus, totalmem } from 'node:os';
import { invariants } from './invariants.ts';
import { rssToleranceMiB } from './lab.ts';
import type { Row, RowResult } from './row.ts';

export function verdictOf({ met, violations, row }: RowResult): string {
  if (violations.length > 0) return 'INVARIANT BROKEN';
  if (met) return 'met';
  return row.shortfall === undefined ? 'MISSED' : 'missed, known';
}

/** True if something is wrong that nobody has accounted for. */
export function isFailure({ met, violations, row }: RowResult): boolean {
  return violations.length > 0 || (!met && row.shortfall === undefined);
}

export function printed(result: RowResult): string {
  const { row, seen, notes, violations, seconds } = result;
  const lines = [
    `${row.id}: ${verdictOf(result)} (${seconds.toFixed(0)} s)`,
    `  ${row.fault}: ${row.promise}`,
    `  demanded  ${row.demanded}`,
    `  seen      ${seen}`,
  ];
  if (notes !== undefined && notes !== '') lines.push(`  notes     ${notes}`);
  if (!result.met && row.shortfall !== undefined) lines.push(`  reason    ${row.shortfall}`);
  for (const violation of violations) lines.push(`  BROKEN    ${violation}`);
  return lines.join('\n');
}

/** What the last long run of a row saw. Rows that were not run this time keep what they had. */
export interface KeptResult {
  readonly id: string;
  readonly seen: string;
  readonly verdict: string;
  readonly notes: string;
  readonly date: string;
}

export function keptResult(result: RowResult, date: string): KeptResult {
  const { row, seen, notes = '', violations } = result;
  return {
    id: row.id,
    seen,
    verdict: verdictOf(result),
    // It ends up inside a comment as well.
    notes: [notes, ...violations].filter(Boolean).join('; ').replaceAll('-->', '->'),
    date,
  };
}

const startMark = '<!-- results: ';
const endMark = ' -->';

/** All that the document holds besides what the rows say of themselves. */
export interface KeptResults {
  readonly machine: string;
  readonly results: readonly KeptResult[];
}

export function thisMachine(): string {
  return `${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
}

/** What earlier runs left in the document. */
export function keptIn(document: string): KeptResults {
  const start = document.indexOf(startMark);
  if (start < 0) return { machine: thisMachine(), results: [] };
  const end = document.indexOf(endMark, start);
  return JSON.parse(document.slice(start + startMark.length, end)) as KeptResults;
}

export function failureModes(rows: readonly Row[], { machine, results }: KeptResults): string {
  const byId = new Map(results.map((result) => [result.id, result]));
  const known = rows.flatMap(({ id }) => byId.get(id) ?? []);
  return `# Failure modes

What breaks, what the broker then does by itself, what callers and operators see, and how far that was measured.

This page is written by \`npm run faults\`, the fault laboratory: it starts the built broker with its STS, DynamoDB, issuer and
audit disk behind servers that can be told to fail, sends requests through, and compares what comes out with what is promised.
Everything was emulated on loopback: none of it has met the real AWS. Figures are of one machine (${machine}) which also ran the
emulators and the load, so they are worse than a broker alone would show, and they vary from run to run. A figure that was
missed stays here, with the reason.

What to do about each of them in practice is in [operations.md](operations.md); the error codes are in [errors.md](errors.md).

## Under every fault

Each row also checks these, and is not met if one of them does not hold.

| | |
|---|---|
${Object.entries(invariants)
  .map(([name, text]) => `| ${name} | ${text} |`)
  .join('\n')}

"Return to what they were" is judged against the same process after its warm-up: descriptors within a tenth, memory within a
tenth or ${rssToleranceMiB} MiB, whichever is more, because Node.js gives memory back late. Processes that a row restarts are not judged by it.

## What was measured

| fault | promise | demanded | seen | |
|---|---|---|---|---|
${rows.map((row) => tableLine(row, byId.get(row.id))).join('\n')}

${missed(rows, byId)}
## What operators see and do

${rows.map(({ id, fault, operators }) => `- **${capital(fault)}** (\`${id}\`). ${operators}`).join('\n')}

## How it was measured

${known.map(({ id, notes, date }) => `- \`${id}\`, ${date}${notes === '' ? '' : `: ${cell(notes)}`}`).join('\n')}

\`npm run faults -- --help\` says how to run it. Each row has a short form, which runs in \`npm run test:all\` and asserts outcomes and
invariants, not times.

${startMark}${JSON.stringify({ machine, results: known })}${endMark}
`;
}

function tableLine({ id, fault, promise, demanded }: Row, result: KeptResult | undefined): string {
  const { seen = 'not measured yet', verdict = '' } = result ?? {};
  return `| \`${id}\`: ${cell(fault)} | ${cell(promise)} | ${cell(demanded)} | ${cell(seen)} | ${verdict} |`;
}

function missed(rows: readonly Row[], results: ReadonlyMap<string, KeptResult>): string {
  const lines = rows
    .filter(({ id }) => results.get(id)?.verdict.startsWith('missed') === true)
    .map(({ id, shortfall = '' }) => `- \`${id}\`: ${shortfall}`);
  return lines.length === 0 ? '' : `## What was missed, and why\n\n${lines.join('\n')}\n`;
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
