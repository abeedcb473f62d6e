import type { JsonPointer } from '../kit/json/json-pointer.ts';

/** One fault inside a document: where, and what is wrong there. */
export interface Fault {
  readonly pointer: JsonPointer;
  readonly detail: string;
}
