/** A document of elements that hold text or elements, and nothing else. */

export type XmlElement = readonly [
  name: string,
  /** Undefined leaves the element out. */
  content: string | undefined | readonly XmlElement[],
];

/** Each on a line of its own, as STS prints them. */
export function xmlElements(elements: readonly XmlElement[], indent = '  '): string {
  return elements.map((element) => xmlElement(element, indent)).join('');
}

function xmlElement([name, content]: XmlElement, indent: string): string {
  if (content === undefined) return '';
  if (typeof content === 'string') return `${indent}<${name}>${escaped(content)}</${name}>\n`;
  return `${indent}<${name}>\n${xmlElements(content, `${indent}  `)}${indent}</${name}>\n`;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  // Readers would turn it into a line feed.
  '\r': '&#13;',
};

function escaped(text: string): string {
  return (
    text
      // XML 1.0 cannot say these at all, not even by a character reference (section 2.2).
      .replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\u{FFFD}')
      .replace(/[&<>"'\r]/g, (character) => entities[character] as string)
  );
}
