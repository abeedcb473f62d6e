/**
 * YAML as this service accepts it: version 1.2, plain trees of objects, lists and values. What makes one text
 * mean different things to different readers is refused (names twice, anchors, aliases, tags, directives,
 * numbers that are not kept as written), and every value keeps its place in the file.
 */

import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  Parser,
  type Scalar,
  type YAMLMap,
} from 'yaml';
import { escapePointer, type JsonPointer } from '../json/json-pointer.ts';
import { firstOddity, type PlainDocument, readPlainYaml } from './plain-yaml.ts';
import type { SourceFault, SourcePosition } from './source-fault.ts';

export interface SourceFile {
  /** As people will look for it. */
  readonly path: string;
  readonly text: string;
}

export interface SourceDocument {
  readonly file: string;
  /** Objects have no prototype. */
  readonly value: unknown;
  /** Of the member or item that the pointer names, or of the nearest one around it. */
  positionOf(pointer: JsonPointer): SourcePosition;
}

export interface ParsedYaml {
  /** Those without a fault. */
  readonly documents: readonly SourceDocument[];
  readonly faults: readonly SourceFault[];
}

/** Mappings need 10; composing something very deep ends the process, so this comes before it. */
const maxDepth = 32;
const maxFaultsPerFile = 50;

/**
 * Characters that the library is given: of four million it makes two gigabytes and half a minute, in which the process does
 * nothing else (T341).
 */
export const maxOddLength = 256 * 1024;

export function parseYaml(source: SourceFile): ParsedYaml {
  const plain = readPlainYaml(source.text);
  if (plain !== undefined) return plainDocuments(source, plain);
  return source.text.length > maxOddLength ? tooOdd(source) : parseAnyYaml(source);
}

function tooOdd({ path, text }: SourceFile): ParsedYaml {
  const place = linesOf(text).linePos(firstOddity(text));
  const detail =
    'is not plain, or wrong, from here on, and too long to find out: beyond 256 KiB every member and item has a line of its own, in ASCII, and texts have one line';
  return { documents: [], faults: [{ file: path, ...place, pointer: '', detail }] };
}

function plainDocuments({ path, text }: SourceFile, plain: readonly PlainDocument[]): ParsedYaml {
  let lines: LineCounter | undefined;
  const documents = plain.map(({ value, offsets }) => {
    let known: ReadonlyMap<JsonPointer, number> | undefined;
    return {
      file: path,
      value,
      positionOf(pointer: JsonPointer) {
        lines ??= linesOf(text);
        known ??= offsets();
        return lines.linePos(nearest(known, pointer));
      },
    };
  });
  return { documents, faults: [] };
}

function linesOf(text: string): LineCounter {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let feed = text.indexOf('\n'); feed >= 0; feed = text.indexOf('\n', feed + 1)) {
    lines.addNewLine(feed + 1);
  }
  return lines;
}

/** Whatever the text is: by the library. */
export function parseAnyYaml({ path, text }: SourceFile): ParsedYaml {
  const lines = new LineCounter();
  const place = (offset: number): SourcePosition => {
    const { line, col } = lines.linePos(offset);
    // An empty file has no line.
    return { line: Math.max(1, line), col: Math.max(1, col) };
  };
  const faults: SourceFault[] = [];
  const report: Report = (offset, detail, pointer = '') => {
    faults.push({ file: path, ...place(offset), pointer, detail });
  };
  const documents: SourceDocument[] = [];
  for (const composed of composeAll(text, lines, report)) {
    const before = faults.length;
    const offsets = new Map<string, number>();
    const value = readDocument(composed, { offsets, report });
    if (faults.length > before) continue;
    const positionOf = (pointer: JsonPointer) => place(nearest(offsets, pointer));
    documents.push({ file: path, value, positionOf });
  }
  if (documents.length === 0 && faults.length === 0) {
    report(0, 'holds nothing: write a document, or delete the file');
  }
  return { documents, faults: faults.slice(0, maxFaultsPerFile) };
}

function composeAll(text: string, lines: LineCounter, report: Report): Document.Parsed[] {
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  const obstacle = findObstacle(tokens);
  if (obstacle === undefined) {
    return [...new Composer(composerOptions).compose(tokens, false, text.length)];
  }
  report(obstacle.offset, obstacle.detail);
  return [];
}

function readDocument({ contents, errors, range }: Document.Parsed, reading: Reading): unknown {
  for (const { pos, message } of errors) reading.report(pos[0], withoutQuotes(message));
  if (errors.length > 0) return undefined;
  const start = contents?.range[0] ?? range[0];
  const value = toValue(contents, { pointer: '', offset: start }, reading);
  if (value === null) reading.report(start, 'is an empty document');
  return value;
}

/** What it is about stands at its place: a file that was taken for another one may hold what nobody is to see (T377). */
function withoutQuotes(message: string): string {
  return message.replace(/(?<=[\w)]): .*$/s, '');
}

const composerOptions = {
  version: '1.2',
  schema: 'core',
  strict: true,
  stringKeys: true,
  merge: false,
  // Checked below: the library takes quadratic time for it.
  uniqueKeys: false,
  prettyErrors: false,
  logLevel: 'silent',
} as const;

type Report = (offset: number, detail: string, pointer?: JsonPointer) => void;

interface Obstacle {
  readonly offset: number;
  readonly detail: string;
}

/** What must be known before documents are composed; without recursion, for the same reason. */
function findObstacle(tokens: readonly CST.Token[]): Obstacle | undefined {
  const directive = tokens.find(({ type }) => type === 'directive');
  if (directive !== undefined) {
    return {
      offset: directive.offset,
      detail: 'directives such as %YAML and %TAG are not allowed',
    };
  }
  let level: CST.Token[] = [...tokens];
  for (let depth = 0; level.length > 0; depth++) {
    const [first] = level;
    if (depth > maxDepth) return { offset: first?.offset ?? 0, detail: 'is nested too deeply' };
    level = level.flatMap(childrenOf);
  }
  return undefined;
}

function childrenOf(token: CST.Token): CST.Token[] {
  if (token.type === 'document') return token.value === undefined ? [] : [token.value];
  if (!('items' in token)) return [];
  return token.items.flatMap(({ key, value }) => [key, value]).filter((part) => part != null);
}

interface Place {
  readonly pointer: JsonPointer;
  readonly offset: number;
}

interface Reading {
  /** By pointer: where the member, or the item of a list, begins. */
  readonly offsets: Map<string, number>;
  readonly report: Report;
}

function toValue(node: ParsedNode | null, at: Place, reading: Reading): unknown {
  reading.offsets.set(at.pointer, at.offset);
  const refusal = refusedFeature(node);
  if (refusal !== undefined) {
    reading.report(node?.range[0] ?? at.offset, refusal, at.pointer);
    return undefined;
  }
  if (isMap<Scalar.Parsed, ParsedNode | null>(node)) return toObject(node, at, reading);
  if (isSeq<ParsedNode>(node)) {
    return node.items.map((item, index) =>
      toValue(item, { pointer: `${at.pointer}/${index}`, offset: item.range[0] }, reading),
    );
  }
  return isScalar(node) ? toScalar(node as Scalar.Parsed, at, reading) : null;
}

function refusedFeature(node: ParsedNode | null): string | undefined {
  if (isAlias(node)) return 'aliases (*name) are not allowed: write the value out';
  if (node === null) return undefined;
  if (node.anchor !== undefined) return 'anchors (&name) are not allowed';
  return node.tag === undefined ? undefined : 'tags (!name) are not allowed';
}

function toObject(
  map: YAMLMap<Scalar.Parsed, ParsedNode | null>,
  at: Place,
  reading: Reading,
): Record<string, unknown> {
  const object: Record<string, unknown> = Object.create(null);
  for (const { key, value } of map.items) {
    const name = String(key.value);
    const place: Place = { pointer: `${at.pointer}/${escapePointer(name)}`, offset: key.range[0] };
    const refusal = refusedFeature(key) ?? refusedName(name, object);
    if (refusal === undefined) object[name] = toValue(value, place, reading);
    else reading.report(place.offset, refusal, place.pointer);
  }
  return object;
}

function refusedName(name: string, object: Record<string, unknown>): string | undefined {
  if (name === '<<') return 'merge keys are not allowed: write the members out';
  if (name === '__proto__') return 'is not an allowed name';
  return Object.hasOwn(object, name) ? 'is there twice' : undefined;
}

function toScalar({ value, source, range }: Scalar.Parsed, at: Place, reading: Reading): unknown {
  if (typeof value !== 'number' || String(value) === source) return value;
  // An account id that begins with 0 would lose it, a long number its last digits.
  reading.report(
    range[0],
    'is not kept as it is written when read as a number: put it in quotes',
    at.pointer,
  );
  return undefined;
}

function nearest(offsets: ReadonlyMap<string, number>, pointer: string): number {
  const known = offsets.get(pointer);
  if (known !== undefined || pointer === '') return known ?? 0;
  return nearest(offsets, pointer.slice(0, pointer.lastIndexOf('/')));
}
