/** What tests read out of the documents. */

import { readFileSync } from 'node:fs';

export function readDocument(name: string): string {
  return readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
}

/** The cells of every row of every table that has this header; a backslash keeps a bar inside a cell. */
export function tableRows(document: string, header: string): readonly (readonly string[])[] {
  const lines = document.split('\n');
  return lines.flatMap((line, at) => {
    if (line !== header) return [];
    const end = lines.findIndex((other, index) => index > at && !other.startsWith('|'));
    return lines.slice(at + 2, end === -1 ? undefined : end).map(cellsOf);
  });
}

function cellsOf(row: string): readonly string[] {
  return row
    .replace(/^\| | \|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());
}

/** The contents of the fenced blocks in this language. */
export function codeBlocks(document: string, language: string): readonly string[] {
  const fences = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm');
  return [...document.matchAll(fences)].map((match) => match[1] ?? '');
}
