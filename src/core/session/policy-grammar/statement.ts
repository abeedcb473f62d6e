/** One statement: its elements, each of them once, and no principal. */

import { isJsonObject } from '../../../kit/json/json-object.ts';
import { escapePointer, type JsonPointer } from '../../../kit/json/json-pointer.ts';
import { checkCondition } from './condition.ts';
import type { Report } from './report.ts';
import { resourceFault } from './resource.ts';

export interface StatementContext {
  /** JSON Pointer of the statement. */
  readonly at: JsonPointer;
  readonly partition: string | undefined;
  readonly report: Report;
}

export function checkStatement(
  statement: unknown,
  { at, partition, report }: StatementContext,
): void {
  if (!isJsonObject(statement)) {
    report(at, 'must be an object');
    return;
  }
  for (const key of Object.keys(statement)) {
    if (!elements.includes(key)) {
      report(`${at}/${escapePointer(key)}`, `is not allowed: use ${elements.join(', ')}`);
    }
  }
  const sid = statement['Sid'];
  if (sid !== undefined && (typeof sid !== 'string' || !sidPattern.test(sid))) {
    report(`${at}/Sid`, 'must be letters and digits');
  }
  if (statement['Effect'] !== 'Allow' && statement['Effect'] !== 'Deny') {
    report(`${at}/Effect`, 'must be "Allow" or "Deny"');
  }
  checkOneOf(statement, ['Action', 'NotAction'], { at, report, faultOf: actionFault });
  checkOneOf(statement, ['Resource', 'NotResource'], {
    at,
    report,
    faultOf: (value) => resourceFault(value, partition),
  });
  if (statement['Condition'] !== undefined) {
    checkCondition(statement['Condition'], `${at}/Condition`, report);
  }
}

const elements = ['Sid', 'Effect', 'Action', 'NotAction', 'Resource', 'NotResource', 'Condition'];
const sidPattern = /^[A-Za-z0-9]*$/;
const actionPattern = /^(?:\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$/;

function actionFault(value: string): string | undefined {
  return actionPattern.test(value)
    ? undefined
    : 'must be like "s3:GetObject"; claims are not allowed here';
}

interface OneOf {
  readonly at: JsonPointer;
  readonly report: Report;
  readonly faultOf: (value: string) => string | undefined;
}

function checkOneOf(
  statement: Readonly<Record<string, unknown>>,
  names: readonly [string, string],
  { at, report, faultOf }: OneOf,
): void {
  const [plain, negated] = names;
  const name = statement[plain] === undefined ? negated : plain;
  const value = statement[name];
  if (value === undefined || (name === plain && statement[negated] !== undefined)) {
    report(at, `must have exactly one of ${plain} and ${negated}`);
    return;
  }
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0) report(`${at}/${name}`, 'must not be empty');
  values.forEach((item, index) => {
    const fault =
      typeof item === 'string' ? faultOf(item) : 'must be a string or a list of strings';
    if (fault !== undefined) {
      report(`${at}/${name}${Array.isArray(value) ? `/${index}` : ''}`, fault);
    }
  });
}
