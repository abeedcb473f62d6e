/**
 * A file in which one role mapping says something else: comments, the order of members and the lines that need not change
 * stay as somebody wrote them.
 */

import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  parseAllDocuments,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { canonicalJson } from '../kit/json/document-changes.ts';
import { isJsonObject, type JsonObject } from '../kit/json/json-object.ts';
import { parseYaml } from '../kit/yaml/yaml-documents.ts';
import { mergedLines } from './merged-lines.ts';

/**
 * @param text of a file that `parseYaml` has nothing against
 * @param target what the mapping with this id is to say; undefined takes it out
 * @returns undefined where the text cannot be brought to say that, and nothing else; '' where nothing is left
 */
export function rewrittenYaml(
  text: string,
  id: string,
  target: JsonObject | undefined,
): string | undefined {
  const [plain, changed] = [documentsOf(text), documentsOf(text)];
  const at = changed.findIndex((document) => idOf(document) === id);
  const document = changed[at];
  if (document === undefined) return undefined;
  const wanted = changed.map((one) => (one === document ? target : one.toJS()));
  if (target === undefined) {
    if (changed.length === 1) return '';
    changed.splice(at, 1);
    return faithful(printed(changed, styleOf(text, plain)), wanted);
  }
  document.contents = reconciled(document, document.contents, target) as typeof document.contents;
  // The library prints in a way of its own: lines that it prints alike before and after are left as they were.
  const style = styleOf(text, plain);
  const after = printed(changed, style);
  const merged = mergedLines(text, printed(plain, style), after);
  return faithful(merged, wanted) ?? faithful(after, wanted);
}

const parsing = { version: '1.2', schema: 'core', merge: false, logLevel: 'silent' } as const;
const printing = { lineWidth: 0, compat: 'yaml-1.1' } as const;

/** In which whoever wrote the file may have written it. */
const styles = [true, false].flatMap((indentSeq) =>
  [true, false].map((flowCollectionPadding) => ({ indentSeq, flowCollectionPadding })),
);

type Style = (typeof styles)[number] & { readonly indent: number };

/** That in which the fewest lines of the text look otherwise. */
function styleOf(text: string, documents: readonly Document.Parsed[]): Style {
  const indent = /^( {1,8})[^ \n#-]/m.exec(text)?.[1]?.length ?? 2;
  const lines = new Set(text.split('\n'));
  const [best] = styles
    .map((style) => ({ ...style, indent }))
    .map((style) => {
      const others = printed(documents, style)
        .split('\n')
        .filter((line) => !lines.has(line));
      return { style, count: others.length };
    })
    .sort((a, b) => a.count - b.count);
  return best?.style ?? { indent, indentSeq: true, flowCollectionPadding: true };
}

function documentsOf(text: string): Document.Parsed[] {
  const parsed = parseAllDocuments(text, { ...parsing, compat: 'yaml-1.1' });
  return [...(parsed as Iterable<Document.Parsed>)];
}

function printed(documents: readonly Document.Parsed[], style: Style): string {
  const [first, ...others] = documents;
  // Where the one before it was taken out.
  if (first?.directives !== undefined) first.directives.docStart = null;
  for (const document of others) document.directives.docStart = true;
  return documents.map((document) => document.toString({ ...printing, ...style })).join('');
}

function idOf(document: Document.Parsed): unknown {
  return isMap(document.contents) ? document.contents.get('id') : undefined;
}

/** The text, if it says what is wanted to those who read it strictly. */
function faithful(text: string, wanted: readonly unknown[]): string | undefined {
  const { documents, faults } = parseYaml({ path: '', text });
  const said = documents.map(({ value }) => value);
  const expected = wanted.filter((value) => value !== undefined);
  return faults.length === 0 && canonicalJson(said) === canonicalJson(expected) ? text : undefined;
}

/** The node made to say the target, by as little as can be; or another node in its place. */
function reconciled(document: Document, node: unknown, target: unknown): unknown {
  if (canonicalJson(plainOf(node)) === canonicalJson(target)) return node;
  if (isMap(node) && isJsonObject(target)) return reconciledMap(document, node, target);
  if (isSeq(node) && Array.isArray(target)) return reconciledList(document, node, target);
  if (isScalar(node) && (target === null || typeof target !== 'object')) {
    node.value = target;
    return node;
  }
  return document.createNode(target);
}

function reconciledMap(document: Document, map: YAMLMap, target: JsonObject): YAMLMap {
  for (const { key } of [...map.items]) {
    if (!Object.hasOwn(target, String(plainOf(key)))) map.delete(key);
  }
  for (const [name, value] of Object.entries(target)) {
    map.set(name, reconciled(document, map.has(name) ? map.get(name, true) : undefined, value));
  }
  return map;
}

/** Items that stay keep their comments, wherever they stand; what is new takes the place of what is gone. */
function reconciledList(document: Document, list: YAMLSeq, target: readonly unknown[]): YAMLSeq {
  const free = new Set(list.items);
  const equal = target.map((value) => {
    const same = [...free].find((item) => canonicalJson(plainOf(item)) === canonicalJson(value));
    if (same !== undefined) free.delete(same);
    return same;
  });
  list.items = target.map((value, at) => {
    const kept = equal[at];
    if (kept !== undefined) return kept;
    const [gone] = free;
    if (gone !== undefined) free.delete(gone);
    return reconciled(document, gone, value);
  });
  return list;
}

function plainOf(node: unknown): unknown {
  return isMap(node) || isSeq(node) || isScalar(node) ? node.toJSON() : node;
}
