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

/** As people write where something is. */
export function dotted(pointer: string): string {
  return pointer.slice(1).replaceAll('/', '.');
}

export function escapePointer(key: string): string {
  // Hardly any name needs it.
  return /[~/]/.test(key) ? key.replaceAll('~', '~0').replaceAll('/', '~1') : key;
}

/** The names of members and the numbers of items on the way; of a sound pointer. */
export function pointerPath(pointer: JsonPointer): readonly string[] {
  const names = pointer.split('/').slice(1);
  return names.map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
}
