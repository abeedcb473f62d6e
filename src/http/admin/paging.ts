/** Lists in pages: `limit`, an opaque `cursor`, and the next page as a link (RFC 8288). */

import { z } from 'zod';
import { BrokerError } from '../../core/errors.ts';

const maxPageSize = 200;
const defaultPageSize = 50;

export const limitParameter = z
  .string()
  .regex(/^[1-9]\d{0,3}$/, `must be a number from 1 to ${maxPageSize}`)
  .transform(Number)
  .refine((limit) => limit <= maxPageSize, `must be a number from 1 to ${maxPageSize}`)
  .default(defaultPageSize);

export const cursorParameter = z.string().max(256).optional();

/** `position` is the last thing on the page; the next one begins after it, whatever was edited meanwhile. */
export function encodeCursor(position: string): string {
  return Buffer.from(position).toString('base64url');
}

/** @throws BrokerError `query_invalid` if the cursor is not one of ours. */
export function decodeCursor(cursor: string | undefined, pattern: RegExp): string | undefined {
  if (cursor === undefined) return undefined;
  const position = Buffer.from(cursor, 'base64url').toString('latin1');
  if (pattern.test(position) && encodeCursor(position) === cursor) return position;
  throw new BrokerError('query_invalid', {
    detail: 'Take the cursor from the page before, as it is, or start without one.',
  });
}

/** Response header, or nothing on the last page. Undefined parameters are left out, lists are repeated. */
export function nextLink(
  path: string,
  parameters: Readonly<Record<string, string | number | readonly string[] | undefined>>,
  cursor: string | undefined,
): readonly string[] {
  if (cursor === undefined) return [];
  const query = Object.entries({ ...parameters, cursor })
    .flatMap(([name, value]) => [value ?? []].flat().map((one) => [name, one] as const))
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return ['Link', `<${path}?${query.join('&')}>; rel="next"`];
}
