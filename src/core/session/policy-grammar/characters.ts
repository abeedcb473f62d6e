/**
 * The characters of a policy. STS takes tab, line feed, carriage return and U+0020 to U+00FF as its parameter; an
 * escape such as `\u0000` is made of those, but what IAM reads from it is not.
 */

import { isJsonObject } from '../../../kit/json/json-object.ts';

const usable = /^[\t\n\r\u0020-\u00ff]*$/;

/** What is wrong with a text or a name anywhere in the document, as it reads without escapes. */
export function unusableText(document: unknown): string | undefined {
  const detail = 'may only hold tabs, line ends and characters from U+0020 to U+00FF';
  return everyText(document, (text) => usable.test(text)) ? undefined : detail;
}

function everyText(node: unknown, test: (text: string) => boolean): boolean {
  if (typeof node === 'string') return test(node);
  if (Array.isArray(node)) return node.every((item) => everyText(item, test));
  if (!isJsonObject(node)) return true;
  return Object.entries(node).every(([name, value]) => test(name) && everyText(value, test));
}
