/**
 * The grammar of IAM session policies, as STS holds them to it (IAM User Guide, reference_policies_grammar):
 * what passes here, STS takes; what STS would refuse is refused here, where its writer is told. Stricter than
 * STS in two things on purpose: the older Version, in which `${…}` is plain text, and lists of no values.
 */

import { memberOf } from '../../../kit/json/json-object.ts';
import { escapePointer, type JsonPointer } from '../../../kit/json/json-pointer.ts';
import type { Fault } from '../../fault.ts';
import { unusableText } from './characters.ts';
import type { Report } from './report.ts';
import { checkStatement } from './statement.ts';

/**
 * Everything that would make STS refuse the policy, or make it mean something else than it seems to. No detail
 * repeats any of it.
 *
 * @param partition of the role, such as `aws-cn`; undefined where no role is named.
 */
export function checkSessionPolicy(
  policy: Readonly<Record<string, unknown>>,
  partition: string | undefined,
): Fault[] {
  const faults: Fault[] = [];
  const report: Report = (pointer, detail) => faults.push({ pointer, detail });
  for (const key of Object.keys(policy)) {
    if (!elements.includes(key)) {
      report(
        `/${escapePointer(key)}`,
        `is not an element of a policy: use ${elements.slice(0, -1).join(', ')} and ${elements.at(-1)}`,
      );
    }
  }
  const id = policy['Id'];
  if (id !== undefined && (typeof id !== 'string' || id.includes('${'))) {
    report('/Id', 'must be a string without variables');
  }
  if (policy['Version'] !== '2012-10-17') report('/Version', 'must be "2012-10-17"');
  const unusable = unusableText(policy);
  if (unusable !== undefined) report('', unusable);
  checkStatements(policy['Statement'], partition, report);
  return faults;
}

const elements = ['Version', 'Id', 'Statement'];

function checkStatements(value: unknown, partition: string | undefined, report: Report): void {
  const statements: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (value === undefined || statements.length === 0) {
    report('/Statement', 'must hold at least one statement');
    return;
  }
  const sids = new Set<string>();
  statements.forEach((statement, index) => {
    const at: JsonPointer = Array.isArray(value) ? `/Statement/${index}` : '/Statement';
    checkStatement(statement, { at, partition, report });
    const sid = memberOf(statement, 'Sid');
    if (typeof sid !== 'string' || sid === '') return;
    if (sids.has(sid)) report(`${at}/Sid`, 'is that of another statement, too: each needs its own');
    sids.add(sid);
  });
}
