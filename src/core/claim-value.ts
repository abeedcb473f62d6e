/** The value of a claim as mappings see it. Nothing that a token says is lost: what cannot be compared says so. */

export type ClaimScalar = string | boolean | number;

/**
 * Present, but not to be compared: null, an object, a list with such items, a number that is no safe integer, or a
 * text that proves nothing (an address or a telephone number that nobody verified).
 */
export interface IncomparableClaim {
  readonly incomparable: unknown;
}

export type ComparableClaim = ClaimScalar | readonly ClaimScalar[];

export type ClaimValue = ComparableClaim | IncomparableClaim;

/** By their names. */
export interface Claims extends Iterable<[string, ClaimValue]> {
  get(name: string): ClaimValue | undefined;
}

/** Of parsed JSON. */
export function claimValue(json: unknown): ClaimValue {
  if (isScalar(json)) return json;
  return Array.isArray(json) && json.every(isScalar) ? json : { incomparable: json };
}

/** The items of a claim that can be compared; a single value is a list of one. */
export function comparableItems(value: ClaimValue): readonly ClaimScalar[] | undefined {
  if (!isComparable(value)) return undefined;
  return typeof value === 'object' ? value : [value];
}

export function isComparable(value: ClaimValue): value is ComparableClaim {
  return typeof value !== 'object' || !('incomparable' in value);
}

/** Two numbers beyond the safe integers may be one double, and fractions have more than one spelling. */
function isScalar(json: unknown): json is ClaimScalar {
  return typeof json === 'string' || typeof json === 'boolean' || Number.isSafeInteger(json);
}
