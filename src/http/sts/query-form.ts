/** The form of a request of the AWS query protocol: every parameter once, and nothing to guess. */

import type { IncomingMessage } from 'node:http';
import { BrokerError } from '../../core/errors.ts';
import { readBodyBytes } from '../body-bytes.ts';
import { requireMediaType } from '../media-type.ts';

export interface QueryForm {
  /** By full name, such as `PolicyArns.member.1.arn`. */
  readonly parameters: ReadonlyMap<string, string>;
  /** As they came: a signature covers them. */
  readonly bytes: Buffer;
}

/** The largest token and the largest policy that STS takes fit several times. */
const maxBytes = 64 * 1024;
const maxParameters = 64;
const plainName = /^[A-Za-z0-9.]{1,128}$/;

/** @throws BrokerError `media_type_unsupported`, `body_too_large` or `body_malformed`. */
export async function readQueryForm(req: IncomingMessage): Promise<QueryForm> {
  requireMediaType(req.headers, 'application/x-www-form-urlencoded');
  const bytes = await readBodyBytes(req, maxBytes);
  return { parameters: parametersIn(bytes), bytes };
}

function parametersIn(bytes: Buffer): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  if (bytes.length === 0) return parameters;
  const pairs = bytes.toString('latin1').split('&', maxParameters + 1);
  if (pairs.length > maxParameters) throw malformed('The form has too many parameters.');
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const name = decoded(pair.slice(0, Math.max(equals, 0)));
    if (!plainName.test(name)) throw malformed('Write each parameter as Name=value.');
    if (parameters.has(name)) throw malformed('Send each parameter once.');
    parameters.set(name, decoded(pair.slice(equals + 1)));
  }
  return parameters;
}

function decoded(text: string): string {
  if (!/^[\x21-\x7e]*$/.test(text)) throw malformed('Percent-encode everything beyond ASCII.');
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw malformed('Values must be percent-encoded UTF-8.');
  }
}

function malformed(detail: string): BrokerError {
  return new BrokerError('body_malformed', { detail });
}
