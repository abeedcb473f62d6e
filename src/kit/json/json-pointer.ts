/** JSON Pointers (RFC 6901): where in a document something is wrong. */

/** The whole document, or a place in it. */
export type JsonPointer = '' | `/${string}`;

export function jsonPointer(path: readonly PropertyKey[]): JsonPointer {
  return path.map((part) => `/${escapePointer(String(part))}`).join('') as JsonPointer;
}

/** RFC 6901 section 3. */
export function isJsonPointer(value: unknown): value is JsonPointer {
  return typeof value === 'string' && /^(?:\/(?:[^~/]|~[01])*)*$/.test(value);
}

export function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
