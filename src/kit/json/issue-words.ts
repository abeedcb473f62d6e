/** What a schema refuses, in plain words instead of the library's. */

import type { z } from 'zod';

export type IssueWords = (issue: z.core.$ZodRawIssue) => string | undefined;

/**
 * For what has no words of its own in the schema.
 *
 * @param objects what an object is called to whoever writes it
 */
export function issueWords(objects: string): IssueWords {
  const named: Readonly<Record<string, string>> = { ...kinds, object: objects };
  return (issue) => {
    switch (issue.code) {
      case 'invalid_type':
        return wrongType(named[issue.expected] ?? issue.expected, issue.expected, issue.input);
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
  };
}

const missing = 'is required';

const kinds: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
};

function wrongType(kind: string, expected: string, input: unknown): string {
  if (input === undefined) return missing;
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
