/** How a result is printed: for people, or for programs. */

import { stringify } from 'yaml';
import { asciiJson } from '../kit/json/ascii-json.ts';
import { printable } from './printable.ts';

export const outputFormats = ['table', 'json', 'yaml'] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** For programs: whatever is in it, nothing of it acts on a terminal. */
export function printDocument(document: unknown, format: Exclude<OutputFormat, 'table'>): string {
  const json = `${asciiJson(JSON.stringify(document, null, 2))}\n`;
  if (format === 'json') return json;
  const text = stringify(document, { lineWidth: 0, aliasDuplicateObjects: false });
  // JSON is YAML, and has escapes wherever text can stand.
  return text.split('\n').every((line) => printable(line) === line) ? text : json;
}
