/**
 * The plain part of YAML, read at a tenth of the library's price: what `mappings export` writes, what people mostly
 * write, and JSON. It knows texts of one line, true, false and numbers without exponents in ASCII, block maps and lists, and flow
 * collections that end on their line or are the whole document. Of a file with anything else in it, right or wrong, it
 * says nothing: that is the library's, which also has the words for every fault. A property holds it to the library's
 * answers (plain-yaml.test.ts).
 */

import { escapePointer, type JsonPointer } from '../json/json-pointer.ts';

export interface PlainDocument {
  /** Objects have no prototype. */
  readonly value: unknown;
  /** By pointer: where the member, or the item of a list, begins in the text. Made anew each time. */
  offsets(): ReadonlyMap<JsonPointer, number>;
}

/** Undefined: not plain, so the library has to say what it is. */
export function readPlainYaml(text: string): readonly PlainDocument[] | undefined {
  if (text.length > maxTextLength || otherThanPlain.test(text)) return undefined;
  try {
    return [...documentsOf(text)];
  } catch (error) {
    if (error === notPlain) return undefined;
    throw error;
  }
}

/** Where a text that is not plain stops being so, as far as it can be told: an offset. */
export function firstOddity(text: string): number {
  const odd = text.search(otherThanPlain);
  if (odd >= 0) return odd;
  const reader = new PlainReader(text);
  try {
    for (let goesOn = reader.firstDocument(); goesOn; goesOn = reader.nextDocument()) {
      reader.document();
    }
  } catch (error) {
    if (error !== notPlain) throw error;
  }
  return reader.at;
}

/** A text of eight million characters between two quotes is more than a regular expression has room for. */
const maxTextLength = 4 * 1024 * 1024;

/** Tabs and line ends of other systems among them. */
const otherThanPlain = /[^\n\x20-\x7e]/;

function* documentsOf(text: string): Generator<PlainDocument> {
  const reader = new PlainReader(text);
  let goesOn = reader.firstDocument();
  while (goesOn) {
    const { value, offsets } = reader.document();
    yield { value, offsets: () => byPointer(value, offsets) };
    goesOn = reader.nextDocument();
  }
}

/** `offsets` are of the values in the order in which they stand in the text, each before what is in it. */
function byPointer(document: unknown, offsets: readonly number[]): Map<JsonPointer, number> {
  const found = new Map<JsonPointer, number>();
  const visit = (value: unknown, pointer: JsonPointer) => {
    found.set(pointer, offsets[found.size] ?? 0);
    if (typeof value !== 'object' || value === null) return;
    for (const [name, inner] of Object.entries(value)) {
      visit(inner, `${pointer}/${escapePointer(name)}`);
    }
  };
  visit(document, '');
  return found;
}

/** No fault: it only ends the attempt, and one object does for all. */
const notPlain = new Error('not plain YAML');

/** Half of what the library is allowed: each of these is at most one level of it. */
const maxDepth = 16;

/** So that one line with many brackets is the library's to refuse. */
const maxKeyLength = 256;

type PlainObject = Record<string, unknown>;

class PlainReader {
  readonly #text: string;
  /** Of the document that is being read. */
  #offsets: number[] = [];
  #at = 0;
  /** Spaces before the first character of this line; of the end of a document: -1. */
  #indent = -1;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** An offset: how far it has come. */
  get at(): number {
    return this.#at;
  }

  /** To the first character of a document. */
  firstDocument(): boolean {
    this.#toContent();
    return this.#indent >= 0 || this.#afterMarker();
  }

  nextDocument(): boolean {
    return this.#at < this.#text.length && this.#afterMarker();
  }

  #afterMarker(): boolean {
    if (!this.#text.startsWith('---', this.#at)) throw notPlain;
    this.#at += 3;
    this.#toNextLine();
    if (this.#indent < 0) throw notPlain;
    return true;
  }

  document(): { readonly value: unknown; readonly offsets: readonly number[] } {
    if (this.#indent !== 0) throw notPlain;
    this.#offsets = [this.#at];
    const value = this.#text[this.#at] === '{' ? this.#flow(true) : this.#map(0);
    if (this.#indent >= 0) this.#requireEnd();
    return { value, offsets: this.#offsets };
  }

  /** After a document that is a flow collection; a block ends only where the next one begins. */
  #requireEnd(): void {
    this.#toNextLine();
    if (this.#indent >= 0) throw notPlain;
  }

  /** A member or an item begins here. */
  #mark(): void {
    this.#offsets.push(this.#at);
  }

  /** From the end of one to the first character of the next that says something. */
  #toNextLine(): void {
    this.#skipSpaces();
    if (this.#at < this.#text.length && this.#text[this.#at] !== '\n') throw notPlain;
    this.#at += 1;
    this.#toContent();
  }

  /** From the start of a line. */
  #toContent(): void {
    const text = this.#text;
    for (;;) {
      const start = this.#at;
      this.#skipSpaces();
      const indent = this.#at - start;
      if (this.#at >= text.length) {
        this.#at = text.length;
        this.#indent = -1;
        return;
      }
      const first = text.charCodeAt(this.#at);
      if (first !== lineFeed && first !== hash) {
        this.#indent = indent === 0 && text.startsWith('---', this.#at) ? -1 : indent;
        return;
      }
      const end = text.indexOf('\n', this.#at);
      this.#at = end < 0 ? text.length : end + 1;
    }
  }

  #skipSpaces(): void {
    while (this.#text.charCodeAt(this.#at) === space) this.#at += 1;
  }

  #skipLines(): void {
    let code = this.#text.charCodeAt(this.#at);
    while (code === space || code === lineFeed) code = this.#text.charCodeAt(++this.#at);
  }

  #deeper(): void {
    this.#depth += 1;
    if (this.#depth > maxDepth) throw notPlain;
  }

  /** A block map whose names stand in this column; the first of them is here. */
  #map(column: number): PlainObject {
    this.#deeper();
    const map: PlainObject = Object.create(null);
    do {
      this.#mark();
      const name = this.#name(blockName, map);
      map[name] = this.#memberValue(column);
    } while (this.#indent === column);
    if (this.#indent > column) throw notPlain;
    this.#depth -= 1;
    return map;
  }

  #memberValue(column: number): unknown {
    this.#skipSpaces();
    if (this.#at < this.#text.length && this.#text.charCodeAt(this.#at) !== lineFeed) {
      return this.#restOfLine();
    }
    this.#toNextLine();
    const inner = this.#indent;
    if (this.#isItem()) {
      if (inner < column) throw notPlain;
      return this.#list(inner);
    }
    if (inner <= column) throw notPlain;
    return this.#map(inner);
  }

  #isItem(): boolean {
    return this.#indent >= 0 && this.#text.startsWith('- ', this.#at);
  }

  #list(column: number): unknown[] {
    this.#deeper();
    const list: unknown[] = [];
    do {
      const start = this.#at;
      this.#at += 1;
      this.#skipSpaces();
      this.#mark();
      blockName.lastIndex = this.#at;
      list.push(
        blockName.test(this.#text) ? this.#map(column + this.#at - start) : this.#restOfLine(),
      );
    } while (this.#indent === column && this.#isItem());
    if (this.#indent > column) throw notPlain;
    this.#depth -= 1;
    return list;
  }

  /** A name with its colon, which no other member of the object has. */
  #name(pattern: RegExp, object: PlainObject): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null || found[0].length > maxKeyLength) throw notPlain;
    this.#at = pattern.lastIndex;
    const [, plain, double, single] = found;
    const name = plain ?? (double === undefined ? unquoted(single) : textOf(double));
    if (notPlainNames.test(name) || name in object) throw notPlain;
    return name;
  }

  /** A value in a block, which has the rest of its line. */
  #restOfLine(): unknown {
    const text = this.#text;
    const first = text.charCodeAt(this.#at);
    let value: unknown;
    if (first === openBrace || first === openBracket) value = this.#flow(false);
    else if (first === doubleQuote || first === singleQuote) value = this.#quoted();
    else {
      const end = text.indexOf('\n', this.#at);
      const rest = text.slice(this.#at, end < 0 ? text.length : end);
      if (!plainStart.test(rest) || unsafeInBlock.test(rest)) throw notPlain;
      this.#at += rest.length;
      value = scalarOf(rest);
    }
    this.#toNextLine();
    return value;
  }

  #quoted(): string {
    quoted.lastIndex = this.#at;
    const found = quoted.exec(this.#text);
    if (found === null) throw notPlain;
    this.#at = quoted.lastIndex;
    const [, double, single] = found;
    return double === undefined ? unquoted(single) : textOf(double);
  }

  /** `lines`: it may go on over several. */
  #flow(lines: boolean): unknown {
    this.#deeper();
    const isMap = this.#text.charCodeAt(this.#at) === openBrace;
    const value = isMap ? this.#flowMap(lines) : this.#flowList(lines);
    this.#depth -= 1;
    return value;
  }

  #flowMap(lines: boolean): PlainObject {
    const map: PlainObject = Object.create(null);
    if (this.#isEmpty(closeBrace, lines)) return map;
    do {
      this.#skipIn(lines);
      this.#mark();
      const name = this.#name(flowName, map);
      this.#skipIn(lines);
      map[name] = this.#flowValue(lines);
    } while (this.#goesOn(closeBrace, lines));
    return map;
  }

  #flowList(lines: boolean): unknown[] {
    const list: unknown[] = [];
    if (this.#isEmpty(closeBracket, lines)) return list;
    do {
      this.#skipIn(lines);
      this.#mark();
      list.push(this.#flowValue(lines));
    } while (this.#goesOn(closeBracket, lines));
    return list;
  }

  #skipIn(lines: boolean): void {
    if (lines) this.#skipLines();
    else this.#skipSpaces();
  }

  #isEmpty(close: number, lines: boolean): boolean {
    this.#at += 1;
    this.#skipIn(lines);
    if (this.#text.charCodeAt(this.#at) !== close) return false;
    this.#at += 1;
    return true;
  }

  #goesOn(close: number, lines: boolean): boolean {
    this.#skipIn(lines);
    const code = this.#text.charCodeAt(this.#at);
    if (code !== comma && code !== close) throw notPlain;
    this.#at += 1;
    return code === comma;
  }

  #flowValue(lines: boolean): unknown {
    const first = this.#text.charCodeAt(this.#at);
    if (first === openBrace || first === openBracket) return this.#flow(lines);
    if (first === doubleQuote || first === singleQuote) return this.#quoted();
    plainInFlow.lastIndex = this.#at;
    const found = plainInFlow.exec(this.#text);
    if (found === null) throw notPlain;
    this.#at = plainInFlow.lastIndex;
    return scalarOf(found[0]);
  }
}

const [lineFeed, space, hash, comma] = ['\n', ' ', '#', ','].map(codeOf) as Codes;
const [openBrace, closeBrace, openBracket, closeBracket] = ['{', '}', '[', ']'].map(
  codeOf,
) as Codes;
const [doubleQuote, singleQuote] = ['"', "'"].map(codeOf) as Codes;

type Codes = [number, number, number, number];

function codeOf(character: string): number {
  return character.charCodeAt(0);
}

/** Quoted on one line: without its quotes first the double form, then the single one. Few escapes are plain. */
const quotedForms = String.raw`"((?:[^"\\\n]|\\["\\])*)"|'((?:[^'\n]|'')*)'`;
const quoted = new RegExp(quotedForms, 'y');
/** A colon within a name, such as that of aws:SourceIp, is not followed by a space. */
const plainName = String.raw`([A-Za-z_](?:[\w./$@*-]|:(?=[\w./$@*-]))*)`;
const blockName = new RegExp(`(?:${plainName}|${quotedForms}):(?=[ \n])`, 'y');
/** After a quoted name the value may follow at once, as in JSON. */
const flowName = new RegExp(`(?:${plainName}(?=: )|${quotedForms}):`, 'y');
const plainStart = /^[\w/$]/;
const unsafeInBlock = /: |:$| #| $/;
const plainInFlow = /[\w/$](?:[\w./$@*+=-]|:(?=[\w./$])| +(?=[\w./$]))*/y;

/** The first two the library refuses; whole numbers do not keep their place among the members of an object. */
const notPlainNames = /^(?:__proto__|<<|\d+)$/;

function textOf(double: string): string {
  return double.includes('\\') ? double.replaceAll(/\\(["\\])/g, '$1') : double;
}

function unquoted(single = ''): string {
  return single.includes("'") ? single.replaceAll("''", "'") : single;
}

/** Whole numbers that stay as they are written. */
const wholeNumber = /^(?:0|[1-9]\d{0,14})$/;
/** So do these; what ends with a zero does not. */
const decimalNumber = /^(?:0|[1-9]\d{0,5})\.\d{0,5}[1-9]$/;
/** Such as the address 0.0.0.0: no number has two points. */
const manyPoints = /^\d+(?:\.\d+){2,}$/;
/** Perhaps something else than text: the library decides. */
const perhapsNoText = /^(?:\d[\d.eE+_xoa-fA-F-]*|null|true|false)$/i;

function scalarOf(text: string): string | number | boolean {
  if (text === 'true') return true;
  if (text === 'false') return false;
  if (wholeNumber.test(text) || decimalNumber.test(text)) return Number(text);
  if (manyPoints.test(text)) return text;
  if (perhapsNoText.test(text)) throw notPlain;
  return text;
}
