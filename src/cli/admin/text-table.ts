/** Rows under their headings, as wide as they need to be. */

import type { Paint } from '../paint.ts';
import { inLines, printable } from '../printable.ts';

export interface Cell {
  readonly text: string;
  readonly tone: 'good' | 'bad';
}

export function textTable(
  headings: readonly string[],
  rows: readonly (readonly (string | Cell)[])[],
  paint: Paint,
): string {
  const texts = rows.map((row) => row.map((cell) => printable(textOf(cell))));
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...texts.map((row) => widthOf(row[column] ?? ''))),
  );
  const padded = (text: string, column: number) =>
    column === headings.length - 1
      ? text
      : text + ' '.repeat((widths[column] ?? 0) - widthOf(text) + 2);
  const head = headings.map((heading, column) => paint.title(padded(heading, column))).join('');
  const lines = rows.map((row, at) =>
    row
      .map((cell, column) => {
        const text = padded(texts[at]?.[column] ?? '', column);
        return typeof cell === 'string' ? text : paint[cell.tone](text);
      })
      .join('')
      .trimEnd(),
  );
  return inLines([head, ...lines]);
}

function textOf(cell: string | Cell): string {
  return typeof cell === 'string' ? cell : cell.text;
}

/** By code points: good enough for names, whatever a terminal makes of wide characters. */
function widthOf(text: string): number {
  return [...text].length;
}
