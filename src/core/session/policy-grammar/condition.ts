/** The Condition of a statement: operators, below each its condition keys, below each its values. */

import { isJsonObject } from '../../../kit/json/json-object.ts';
import { escapePointer, type JsonPointer } from '../../../kit/json/json-pointer.ts';
import { conditionKeyFault, isConditionKey } from './condition-key.ts';
import { operatorFault, takesClaims } from './condition-operator.ts';
import { conditionValueFault } from './condition-value.ts';
import { hasClaim } from './policy-variable.ts';
import type { Report } from './report.ts';

export function checkCondition(condition: unknown, at: JsonPointer, report: Report): void {
  if (!isJsonObject(condition)) {
    report(at, 'must be an object of operators');
    return;
  }
  for (const [operator, block] of Object.entries(condition)) {
    const where = `${at}/${escapePointer(operator)}` as const;
    const fault = operatorFault(operator);
    if (fault !== undefined) report(where, fault);
    if (!isJsonObject(block)) {
      report(where, 'must be an object of condition keys');
      continue;
    }
    for (const [key, value] of Object.entries(block)) {
      const entry = `${where}/${escapePointer(key)}` as const;
      checkEntry(key, value, entry, report);
      if (!takesClaims(operator) && [value].flat().some(hasClaim)) report(entry, claimFault);
    }
  }
}

const claimFault =
  'has a claim where no text is compared: claims are for operators of strings and of ARNs';

function checkEntry(key: string, value: unknown, at: JsonPointer, report: Report): void {
  if (!isConditionKey(key)) report(at, conditionKeyFault);
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0) report(at, 'must not be empty');
  for (const item of values) {
    const fault = conditionValueFault(item);
    if (fault !== undefined) report(at, fault);
  }
}
