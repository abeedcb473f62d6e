/**
 * JSON as this service accepts it from outside: RFC 8259 text in valid UTF-8 without a byte order mark, no
 * name twice in one object, bounded depth and size. Two parsers must never read one document differently.
 */

export interface StrictJsonLimits {
  /** Nesting of objects and arrays. */
  readonly maxDepth: number;
  /** Names of all objects together. */
  readonly maxKeys: number;
}

export class StrictJsonError extends Error {
  override readonly name = 'StrictJsonError';
}

/**
 * The value, with objects that have no prototype.
 *
 * @throws StrictJsonError whose message is safe to show: it never repeats the input.
 */
export function parseStrictJson(bytes: Uint8Array, limits: StrictJsonLimits): unknown {
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

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const colon = 0x3a;

/**
 * One pass that knows only strings and brackets. On text that is not JSON its findings mean nothing, but
 * then the parser refuses the text right after.
 */
function checkStructure(text: string, { maxDepth, maxKeys }: StrictJsonLimits): void {
  const open: Set<string>[] = [];
  let keys = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (character === openBrace || character === openBracket) {
      open.push(new Set());
      if (open.length > maxDepth) throw new StrictJsonError('is nested too deeply');
    } else if (character === closeBrace || character === closeBracket) {
      open.pop();
    } else if (character === quote) {
      const end = endOfString(text, at);
      if (isFollowedByColon(text, end)) {
        keys += 1;
        if (keys > maxKeys) throw new StrictJsonError('has too many names');
        addKey(open.at(-1), text.slice(at, end));
      }
      at = end - 1;
    }
  }
}

/** Index just behind the closing quote, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (character === backslash) at += 1;
    else if (character === quote) return at + 1;
  }
  return text.length;
}

function isFollowedByColon(text: string, from: number): boolean {
  let at = from;
  while (at < text.length && ' \t\n\r'.includes(text.charAt(at))) at += 1;
  return text.charCodeAt(at) === colon;
}

function addKey(names: Set<string> | undefined, literal: string): void {
  const name = literal.includes('\\') ? unescapeName(literal) : literal.slice(1, -1);
  if (name === '__proto__') throw new StrictJsonError('has a name that is not allowed');
  if (names?.has(name) === true) throw new StrictJsonError('has the same name twice in one object');
  names?.add(name);
}

function unescapeName(literal: string): string {
  try {
    return String(JSON.parse(literal));
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
