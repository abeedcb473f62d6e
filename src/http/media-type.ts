/** What a body says of itself, in every spelling that RFC 9110 allows (sections 5.6.6, 8.3 and 8.4). */

import type { IncomingHttpHeaders } from 'node:http';
import { BrokerError } from '../core/errors.ts';

const token = String.raw`[!#$%&'*+.^_\`|~0-9A-Za-z-]+`;
const quoted = String.raw`"(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t \x21-\x7e])*"`;
const parameter = new RegExp(String.raw`[ \t]*;[ \t]*(?:(${token})=(${token}|${quoted}))?`, 'y');

/**
 * A body of that media type in UTF-8, as it is. Parameters that the type does not know are ignored.
 *
 * @throws BrokerError `media_type_unsupported`.
 */
export function requireMediaType(
  { 'content-type': type = '', 'content-encoding': coding = 'identity' }: IncomingHttpHeaders,
  expected: string,
): void {
  const found = type.slice(0, expected.length).toLowerCase();
  const isPlain = /^identity$/i.test(coding.trim());
  if (found !== expected || !isPlain || !isInUtf8(type, expected.length)) {
    throw new BrokerError('media_type_unsupported', {
      detail: `Send Content-Type: ${expected} in UTF-8, without a content coding.`,
    });
  }
}

/** Whether nothing but parameters stands there, none of them naming another charset. */
function isInUtf8(type: string, from: number): boolean {
  const text = type.trimEnd();
  parameter.lastIndex = from;
  while (parameter.lastIndex < text.length) {
    const [, name, value = ''] = parameter.exec(text) ?? [];
    if (parameter.lastIndex === 0) return false;
    if (name?.toLowerCase() === 'charset' && !/^"?utf-?8"?$/i.test(value)) return false;
  }
  return true;
}
