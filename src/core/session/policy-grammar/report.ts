/** How the parts of the grammar say what is wrong, and where. */

/** `pointer` is a JSON Pointer into the policy. */
export type Report = (pointer: string, detail: string) => void;
