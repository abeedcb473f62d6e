/** Reads the XML that this service prints: elements that hold text or elements, and nothing else. */

export type XmlContent = string | { readonly [name: string]: XmlContent };

export interface XmlDocument {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly content: XmlContent;
}

/** @throws Error if it is anything else, or not well-formed. */
export function parseXml(text: string): XmlDocument {
  const root = /^<(\w+)(?: xmlns="([^"<&]*)")?>([\s\S]*)<\/\1>\n?$/.exec(text);
  if (root === null) throw new Error(`not one element: ${text}`);
  const [, name = '', namespace, inner = ''] = root;
  return { name, namespace, content: contentOf(inner) };
}

function contentOf(inner: string): XmlContent {
  if (!inner.includes('<')) return unescaped(inner);
  const children = new Map<string, XmlContent>();
  let rest = inner.trim();
  while (rest !== '') {
    const [whole, name = '', content = ''] = /^<(\w+)>([\s\S]*?)<\/\1>\s*/.exec(rest) ?? [];
    if (whole === undefined) throw new Error(`not an element: ${rest}`);
    if (children.has(name)) throw new Error(`more than one ${name}`);
    children.set(name, contentOf(content));
    rest = rest.slice(whole.length);
  }
  return Object.fromEntries(children);
}

const characters: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  '#13': '\r',
};

function unescaped(text: string): string {
  return text.replace(/&([^;]*);?/g, (_whole, name: string) => {
    const character = characters[name];
    if (character === undefined) throw new Error(`not a reference: ${name}`);
    return character;
  });
}
