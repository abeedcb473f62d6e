/** What the schema refuses, in the words of docs/configuration.md instead of the library's. */

import type { z } from 'zod';
import { issueWords } from '../kit/json/issue-words.ts';
import type { SettingFault } from './fault.ts';

/** For what has no words of its own in the schema. */
export const wordsFor = issueWords('a section with settings of its own');

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
