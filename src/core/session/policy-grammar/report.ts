/** How the parts of the grammar say what is wrong, and where. */

/** `pointer` is a JSON Pointer into the policy. */
export type Report = (pointer: string, detail: string) => void;

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
