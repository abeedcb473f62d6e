/**
 * JSON as this service accepts it from outside: RFC 8259 text in valid UTF-8 without a byte order mark, no
 * name twice in one object, no number that a double cannot hold (RFC 7493), bounded depth and size. Two parsers
 * must never read one document differently.
 */

export interface StrictJsonLimits {
  /** Nesting of objects and arrays. */
  readonly maxDepth: number;
  /** Names of all objects together. */
  readonly maxKeys: number;
  /**
   * `as_written`: a number must be in the spelling in which it will be written again, for documents whose
   * numbers somebody else compares as text. Otherwise any spelling of one that is exact (1.0, 1e2).
   */
  readonly numbers?: 'as_written';
}

/** What the structure check can take in one pass; whoever reads from outside sets a far lower limit. */
const maxBytes = 2 * 1024 * 1024;

export class StrictJsonError extends Error {
  override readonly name = 'StrictJsonError';
}

/**
 * The value, with objects that have no prototype.
 *
 * @throws StrictJsonError whose message is safe to show: it never repeats the input.
 */
export function parseStrictJson(bytes: Uint8Array, limits: StrictJsonLimits): unknown {
  if (bytes.length > maxBytes) throw new StrictJsonError('is too large');
  const text = decodeUtf8(bytes);
  // Limits come first: they bound what the parser is given.
  checkStructure(text, limits);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The engine's message quotes the input.
    throw new StrictJsonError('is not valid JSON');
  }
  return withoutPrototypes(value);
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: Uint8Array): string {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw new StrictJsonError('is not valid UTF-8');
  }
  if (text.charCodeAt(0) === 0xfeff) throw new StrictJsonError('starts with a byte order mark');
  return text;
}

const bracketNameOrNumber =
  /[{[]|([}\]])|"((?:[^"\\]|\\[\s\S])*)"?([ \t\n\r]*:)?|(-?\d[\d.eE+-]*)/g;

/**
 * One pass that knows only strings, brackets and numbers. On text that is not JSON its findings mean nothing, but
 * then the parser refuses the text right after.
 */
function checkStructure(text: string, { maxDepth, maxKeys, numbers }: StrictJsonLimits): void {
  const open: Set<string>[] = [];
  let keys = 0;
  for (const part of text.matchAll(bracketNameOrNumber)) {
    keys += take(part, open);
    if (numbers === 'as_written') requireAsWritten(part[4]);
    if (open.length > maxDepth) throw new StrictJsonError('is nested too deeply');
    if (keys > maxKeys) throw new StrictJsonError('has too many names');
  }
}

/** How many names it added. */
function take(part: RegExpExecArray, open: Set<string>[]): number {
  const [, closing, string, nameEnd, number] = part;
  if (nameEnd !== undefined) return addName(open.at(-1), string ?? '');
  if (number !== undefined) requireExact(number);
  else if (closing !== undefined) open.pop();
  else if (string === undefined) open.push(new Set());
  return 0;
}

const longestNumber = 40;

/** What the parser makes of it must have the same digits again: 9007199254740993 would come back one less. */
function requireExact(number: string): void {
  if (/^\d{1,15}$/.test(number)) return;
  if (number.length <= longestNumber && digitsOf(number) === digitsOf(String(Number(number))))
    return;
  throw new StrictJsonError('has a number that is larger or finer than can be told apart');
}

function requireAsWritten(number: string | undefined): void {
  if (number === undefined || number === String(Number(number))) return;
  throw new StrictJsonError(
    'has a number in a spelling that is not kept, such as 1.0: write it as text',
  );
}

/** The same text for each spelling of one number, whatever its sign. */
function digitsOf(number: string): string {
  const [, whole = '', fraction = '', exponent = '0'] =
    /^-?(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?/.exec(number) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  const power = Number(exponent) - fraction.length + digits.length - significant.length;
  return significant === '' ? '0' : `${significant}e${power}`;
}

function addName(names: Set<string> | undefined, raw: string): number {
  const name = raw.includes('\\') ? unescapeName(raw) : raw;
  if (name === '__proto__') throw new StrictJsonError('has a name that is not allowed');
  if (names?.has(name) === true) throw new StrictJsonError('has the same name twice in one object');
  names?.add(name);
  return 1;
}

function unescapeName(raw: string): string {
  try {
    return String(JSON.parse(`"${raw}"`));
  } catch {
    throw new StrictJsonError('is not valid JSON');
  }
}

function withoutPrototypes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPrototypes);
  if (typeof value !== 'object' || value === null) return value;
  const bare: Record<string, unknown> = Object.create(null);
  for (const [key, item] of Object.entries(value)) bare[key] = withoutPrototypes(item);
  return bare;
}
