/** What is wrong with a file, and where: people and editors both read `file:line:col`. */

import type { JsonPointer } from '../json/json-pointer.ts';

export interface SourcePosition {
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly col: number;
}

export interface SourceFault extends SourcePosition {
  readonly file: string;
  /** JSON Pointer (RFC 6901) into the document; empty for the whole of it. */
  readonly pointer: JsonPointer;
  readonly detail: string;
}

/** Of a file as a whole. */
export function fileFault(file: string, detail: string): SourceFault {
  return { file, line: 1, col: 1, pointer: '', detail };
}

export function faultLine({ file, line, col, pointer, detail }: SourceFault): string {
  return `${file}:${line}:${col}: ${pointer === '' ? '' : `${pointer}: `}${detail}`;
}

/** The order in which a reader meets them. */
export function inReadingOrder(faults: readonly SourceFault[]): readonly SourceFault[] {
  return [...faults].sort(
    (a, b) => (a.file < b.file ? -1 : Number(a.file > b.file)) || a.line - b.line || a.col - b.col,
  );
}
