/** Text fit for a terminal: whoever wrote a file, a row or an answer chose what is in it. */

import { unprintable } from '../kit/text/unprintable.ts';

const everyUnprintable = new RegExp(unprintable, 'gu');

/** One line: what could act on the terminal, or change how the rest is shown, is escaped. */
export function printable(text: string): string {
  return text.replace(everyUnprintable, (character) => {
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
}

/** Of what is printable already, or painted. */
export function inLines(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

export function printableLines(lines: readonly string[]): string {
  return inLines(lines.map(printable));
}

/** A value as JSON on one line. */
export function printableJson(value: unknown): string {
  return value === undefined ? 'nothing' : printable(JSON.stringify(value));
}
