/**
 * `${…}` in resources and in values of conditions: a claim of ours, a policy variable of AWS (the name of a
 * condition key, with or without a default), or an escaped character.
 */

import { isConditionKey } from './condition-key.ts';

export interface Filled {
  /** The value with `#` for each variable. */
  readonly filled: string;
  /** What is wrong with one of them. */
  readonly fault: string | undefined;
}

export function fillVariables(value: string): Filled {
  let known = true;
  const filled = value
    // A claim may not be part of the name of a variable: no such name has a "#".
    .replace(claim, '#')
    .replace(variable, (_whole, content: string) => {
      known &&= isVariable(content);
      return '#';
    });
  const fault = 'has a variable that is neither a claim nor a policy variable of AWS';
  return { filled, fault: known && !filled.includes('${') ? undefined : fault };
}

/** Whether a value of a policy holds a claim of ours. */
export function hasClaim(value: unknown): boolean {
  return typeof value === 'string' && value.search(claim) >= 0;
}

const claim = /\$\{claim:[A-Za-z0-9_:.-]{1,128}\}/g;
/** Braces are never part of one, so that unclosed ones cost linear time. */
const variable = /\$\{([^{}]*)\}/g;
const withDefault = /^([^,']*?)(?: *, *'[^']*')?$/;

function isVariable(content: string): boolean {
  if (['*', '?', '$'].includes(content)) return true;
  const name = withDefault.exec(content)?.[1];
  // In other letters a claim would be left as it is, and STS would not know it.
  return name !== undefined && isConditionKey(name) && !/^claim:/i.test(name);
}
