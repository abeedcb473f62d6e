/** The condition operators of IAM (IAM User Guide, reference_policies_elements_condition_operators). */

export const conditionOperators: readonly string[] = [
  ...['StringEquals', 'StringNotEquals', 'StringEqualsIgnoreCase', 'StringNotEqualsIgnoreCase'],
  ...['StringLike', 'StringNotLike'],
  ...['NumericEquals', 'NumericNotEquals', 'NumericLessThan', 'NumericLessThanEquals'],
  ...['NumericGreaterThan', 'NumericGreaterThanEquals'],
  ...['DateEquals', 'DateNotEquals', 'DateLessThan', 'DateLessThanEquals'],
  ...['DateGreaterThan', 'DateGreaterThanEquals'],
  ...['Bool', 'BinaryEquals', 'IpAddress', 'NotIpAddress'],
  ...['ArnEquals', 'ArnNotEquals', 'ArnLike', 'ArnNotLike'],
];
const operators: ReadonlySet<string> = new Set(conditionOperators);

const affixes = /^(?:ForAllValues:|ForAnyValue:)?(.*?)(?:IfExists)?$/s;

export function operatorFault(operator: string): string | undefined {
  if (operator === 'Null') return undefined;
  const bare = affixes.exec(operator)?.[1] ?? '';
  if (bare === 'Null') {
    return 'is not a condition operator: Null takes no ForAllValues:, ForAnyValue: or IfExists';
  }
  return operators.has(bare) ? undefined : 'is not a condition operator of IAM';
}

/** Only these compare texts, as claims are; of the others a value would change the kind of test, or be none. */
const ofTexts = /^(?:String|Arn)/;

export function takesClaims(operator: string): boolean {
  return ofTexts.test(affixes.exec(operator)?.[1] ?? '');
}
