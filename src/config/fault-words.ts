/** What the schema refuses, in the words of docs/configuration.md instead of the library's. */

import type { z } from 'zod';
import type { SettingFault } from './fault.ts';

/** For what has no words of its own in the schema. */
export function wordsFor(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(issue.expected, issue.input);
    case 'too_small':
      return isNumber(issue.origin)
        ? `must be at least ${issue.minimum}`
        : wrongSize(issue.origin, 'at least', Number(issue.minimum));
    case 'too_big':
      return isNumber(issue.origin)
        ? `must be at most ${issue.maximum}`
        : wrongSize(issue.origin, 'at most', Number(issue.maximum));
    case 'invalid_value':
      return issue.input === undefined ? missing : `must be ${issue.values.join(' or ')}`;
    default:
      return undefined;
  }
}

/** A name that is no setting is a fault of its own, at its own place. */
export function settingFaults({ path, ...issue }: z.core.$ZodIssue): SettingFault[] {
  if (issue.code !== 'unrecognized_keys') {
    return [{ path: path.map(String).join('.'), detail: issue.message }];
  }
  return issue.keys.map((key) => ({
    path: [...path, key].map(String).join('.'),
    detail: 'is no setting: docs/configuration.md lists those there are',
  }));
}

const missing = 'is required';

const kinds: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a section with settings of its own',
};

function wrongType(expected: string, input: unknown): string {
  if (input === undefined) return missing;
  const kind = kinds[expected] ?? expected;
  if (input === null) return `is empty: it must be ${kind}, or be left out for its default`;
  return expected === 'string' ? `must be ${kind}: put it in quotes` : `must be ${kind}`;
}

function wrongSize(origin: string, comparison: string, size: number): string {
  if (origin === 'string') {
    return comparison === 'at least' && size === 1
      ? 'must not be empty'
      : `must have ${comparison} ${size} characters`;
  }
  return `must list ${comparison} ${size}`;
}

function isNumber(origin: string): boolean {
  return origin === 'number' || origin === 'int';
}
