/** Commands of the AWS CLI, as text that a shell reads as it is meant, whatever is in the values. */

import { asciiJson } from '../kit/json/ascii-json.ts';

/** POSIX shell, section 2.2.2: within single quotes nothing is special but their end. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

export function awsCommand(...words: readonly string[]): string {
  return ['aws', ...words].map(shellWord).join(' ');
}

/** A document as one word in printable ASCII. */
export function documentWord(document: unknown): string {
  return asciiJson(JSON.stringify(document)).replaceAll("'", '\\u0027');
}
