/**
 * The characters of a policy. STS takes tab, line feed, carriage return and U+0020 to U+00FF as its parameter; an
 * escape such as `\u0000` is made of those, but what IAM reads from it is not.
 */

import { isJsonObject } from '../../../kit/json/json-object.ts';

const usable = /^[\t\n\r\u0020-\u00ff]*$/;

/** What is wrong with a text or a name anywhere in the document, as it reads without escapes. */
export function unusableText(document: unknown): string | undefined {
  const detail = 'may only hold tabs, line ends and characters from U+0020 to U+00FF';
  return isUsable(document) ? undefined : detail;
}

function isUsable(node: unknown): boolean {
  if (typeof node === 'string') return usable.test(node);
  if (Array.isArray(node)) return node.every(isUsable);
  if (!isJsonObject(node)) return true;
  for (const name of Object.keys(node)) {
    if (!usable.test(name) || !isUsable(node[name])) return false;
  }
  return true;
}
