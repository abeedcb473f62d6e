/** How the parts of the grammar say what is wrong, and where. */

import type { JsonPointer } from '../../../kit/json/json-pointer.ts';

/** `pointer` is a JSON Pointer into the policy. */
export type Report = (pointer: JsonPointer, detail: string) => void;
