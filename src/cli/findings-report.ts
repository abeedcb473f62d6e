/** What the doctor has found, as people or programs read it. */

import type { CheckedFinding } from '../doctor/examine.ts';
import { type OutputFormat, printDocument } from './output-format.ts';
import { type Paint, paintFor } from './paint.ts';
import { printable } from './printable.ts';
import type { Terminal } from './terminal.ts';

/** Where no account can be looked at from. */
const notLookedAt =
  'Not looked at: policies of the organization (SCP, RCP), of endpoints and of resources, and quotas.';

export function findingsReport(
  findings: readonly CheckedFinding[],
  { format, terminal }: { readonly format: OutputFormat; readonly terminal: Terminal },
): string {
  const count = (status: string) => findings.filter((one) => one.status === status).length;
  const counts = { pass: count('pass'), fail: count('fail'), unknown: count('unknown') };
  if (format !== 'table') return printDocument({ findings, counts, notLookedAt }, format);
  const paint = paintFor(terminal);
  const lines = findings.flatMap((finding) => linesOf(finding, paint));
  const summary = `${counts.pass} pass, ${counts.fail} fail, ${counts.unknown} unknown`;
  return [...lines, '', `${summary}. ${notLookedAt}`, ''].join('\n');
}

function linesOf(finding: CheckedFinding, paint: Paint): readonly string[] {
  const { check, subject, status, detail, missingPermission, cure = [] } = finding;
  const tone = { pass: paint.good, fail: paint.bad, unknown: paint.title }[status];
  const lacking =
    missingPermission === undefined ? '' : ` (missing permission: ${missingPermission})`;
  return [
    `${tone(status.padEnd(7))}  ${check}  ${printable(`${subject}: ${detail}${lacking}`)}`,
    // A command stands alone in its line, to be copied.
    ...cure.map((line) => `           ${printable(line)}`),
  ];
}
