/** The first check of every request: refuses what two servers could read differently. */

import type { Request } from 'express';
import { BrokerError } from '../core/errors.ts';
import { forwardedAddresses } from './client-ip.ts';

export interface AdmissionOptions {
  /** Lower-case host names, without port, that this listener answers for; empty accepts any. */
  readonly allowedHosts: ReadonlySet<string>;
}

const maxHeaderFields = 64;
const maxTargetLength = 8_192;
/** Fields of which a second one would leave open which of the two counts; each has a bit of its own. */
const singleFields: ReadonlyMap<string, number> = new Map(
  [
    'host',
    'authorization',
    'content-length',
    'content-type',
    'content-encoding',
    'transfer-encoding',
    'x-forwarded-for',
  ].map((name, index) => [name, 1 << index]),
);
/** Origin form of plain segments: no empty or dot segments, nothing percent-encoded, no fragment. */
const plainTarget =
  /^(?:\/(?!\.{1,2}(?:[/?]|$))[A-Za-z0-9._~!$&'()*+,;=:@-]+)*\/?(?:\?[\x21\x24-\x7e]*)?$/;

/** @throws BrokerError when the request is not to be read any further. */
export type Admission = (req: Request) => void;

export function admission({ allowedHosts }: AdmissionOptions): Admission {
  return function admit({ method, url, headers, rawHeaders, httpVersion }) {
    if (rawHeaders.length > maxHeaderFields * 2) throw new BrokerError('headers_too_large');
    if (url.length > maxTargetLength) throw new BrokerError('uri_too_long');
    if (httpVersion !== '1.1') throw malformed('Use HTTP/1.1.');
    requireSingleFields(rawHeaders);
    if (!plainTarget.test(url)) throw malformed('Write the path plainly, in origin form.');
    requireHost(headers.host, allowedHosts);
    requirePlainFraming(method, headers);
    requireAddresses(headers['x-forwarded-for']);
    if (headers.origin !== undefined) throw new BrokerError('origin_refused');
  };
}

function requireSingleFields(rawHeaders: readonly string[]): void {
  let seen = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const bit = singleFields.get((rawHeaders[at] as string).toLowerCase()) ?? 0;
    if ((seen & bit) !== 0) throw malformed('Send each header field once.');
    seen |= bit;
  }
}

function requireHost(host: string | undefined, allowed: ReadonlySet<string>): void {
  if (host === undefined || host === '') throw malformed('Send a Host header.');
  if (allowed.size === 0) return;
  const name = host.replace(/:\d{1,5}$/, '').toLowerCase();
  if (!allowed.has(name)) throw new BrokerError('host_unknown');
}

function requirePlainFraming(
  method: string,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): void {
  const { 'transfer-encoding': transferEncoding, 'content-length': contentLength } = headers;
  if (transferEncoding !== undefined && transferEncoding !== 'chunked') {
    throw malformed('Use no transfer coding but chunked.');
  }
  if (headers['upgrade'] !== undefined) throw malformed('This service does not switch protocols.');
  const hasBody = transferEncoding !== undefined || (contentLength ?? '0') !== '0';
  if (hasBody && (method === 'GET' || method === 'HEAD')) {
    throw malformed(`${method} requests have no body here.`);
  }
}

function requireAddresses(forwardedFor: string | string[] | undefined): void {
  if (forwardedFor !== undefined && forwardedAddresses(String(forwardedFor)) === undefined) {
    throw malformed('X-Forwarded-For must be a list of IP addresses.');
  }
}

function malformed(detail: string): BrokerError {
  return new BrokerError('request_malformed', { detail });
}
