/** Commands of the AWS CLI, as text that a shell reads as it is meant, whatever is in the values. */

import { asciiJson } from '../kit/json/ascii-json.ts';

/** POSIX shell, section 2.2.2: within single quotes nothing is special but their end. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * What is no command, because the AWS CLI would take a value for a file, an address or an option, is a line that says so. A list is one
 * word of JSON: spread out, a value of it could be an option (T371).
 */
export function awsCommand(...words: readonly string[]): string {
  const odd = words.find((word, index) => isMisread(word, words[index - 1] ?? ''));
  if (odd !== undefined) {
    return `No command does it: the AWS CLI would read ${odd} in another way than as the value that it is.`;
  }
  return ['aws', ...words].map(shellWord).join(' ');
}

/** User guide of the AWS CLI, cli-usage-parameters-file; its first version fetches addresses as well, but for the one of an issuer. */
function isMisread(word: string, before: string): boolean {
  if (before.startsWith('--') && word.startsWith('-')) return true;
  return /^(?:fileb?|https?):\/\//i.test(word) && before !== '--url';
}

/** A document as one word in printable ASCII. */
export function documentWord(document: unknown): string {
  return asciiJson(JSON.stringify(document)).replaceAll("'", '\\u0027');
}
