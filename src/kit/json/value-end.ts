/** Where a value of a JSON text ends, found without parsing it: what it holds may be more than there is memory for. */

const [quote, backslash, comma] = [0x22, 0x5c, 0x2c];
/** Of brackets and braces, by how many more are open behind them. */
const opening = new Int8Array(256);
for (const [mark, step] of Object.entries({ '[': 1, '{': 1, ']': -1, '}': -1 }))
  opening[mark.charCodeAt(0)] = step;

export interface ValueEnd {
  /** Of the byte after it; blanks behind a number or a word count as its own. */
  readonly end: number;
  /** How many lists and objects lie in each other in it, at most. */
  readonly depth: number;
}

/** Undefined: the text ends within the value. Whether it is sound within its brackets is not looked at. */
export function valueEnd(bytes: Buffer, from: number): ValueEnd | undefined {
  const first = bytes[from];
  if (first === undefined) return undefined;
  if (first === quote) return shallow(stringEnd(bytes, from));
  return opening[first] === 1 ? nestedEnd(bytes, from) : shallow(plainEnd(bytes, from));
}

function shallow(end: number | undefined): ValueEnd | undefined {
  return end === undefined ? undefined : { end, depth: 0 };
}

function nestedEnd(bytes: Buffer, from: number): ValueEnd | undefined {
  let [open, depth] = [0, 0];
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === quote) {
      const end = stringEnd(bytes, at);
      if (end === undefined) return undefined;
      at = end - 1;
      continue;
    }
    open += opening[byte] ?? 0;
    if (open > depth) depth = open;
    if (open === 0) return { end: at + 1, depth };
  }
  return undefined;
}

/** Of a number or a word: the mark that follows it. */
function plainEnd(bytes: Buffer, from: number): number | undefined {
  for (let at = from; at < bytes.length; at += 1)
    if (bytes[at] === comma || opening[bytes[at] ?? 0] === -1) return at;
  return undefined;
}

/** Of the byte after the string that begins at `from`. */
function stringEnd(bytes: Buffer, from: number): number | undefined {
  for (let at = bytes.indexOf(quote, from + 1); at >= 0; at = bytes.indexOf(quote, at + 1)) {
    let first = at;
    while (bytes[first - 1] === backslash) first -= 1;
    // Every second backslash is one that the one before it makes a character.
    if ((at - first) % 2 === 0) return at + 1;
  }
  return undefined;
}
