/** The first check of every request: refuses what two servers could read differently. */

import { isIPv6 } from 'node:net';
import type { Request, Response } from 'express';
import { BrokerError } from '../core/errors.ts';

export interface AdmissionOptions {
  /** Lower-case host names, without port, that this listener answers for; empty accepts any. */
  readonly allowedHosts: ReadonlySet<string>;
  /** Whether HTTP/1.0 is spoken too, in which a request need not say its Host. */
  readonly http10?: boolean;
  /** The one origin whose pages may send requests; default: none may. */
  readonly origin?: (() => string | undefined) | undefined;
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
  ].map((name, index) => [name, 1 << index]),
);
/** Origin form of plain segments: no empty or dot segments, nothing percent-encoded, no fragment. */
const plainTarget =
  /^(?:\/(?!\.{1,2}(?:[/?]|$))[A-Za-z0-9._~!$&'()*+,;=:@-]+)*\/?(?:\?[\x21\x24-\x7e]*)?$/;

declare const admitted: unique symbol;

/** What handlers are given of a request: nothing but admission makes one (T132). */
export type AdmittedRequest = Request & { readonly res: Response; readonly [admitted]: true };

/** @throws BrokerError when the request is not to be read any further. */
export type Admission = (req: Request) => AdmittedRequest;

export function admission({ allowedHosts, http10 = false, origin }: AdmissionOptions): Admission {
  return function admit(req) {
    const { method, url, headers, rawHeaders, httpVersion } = req;
    if (rawHeaders.length > maxHeaderFields * 2) throw new BrokerError('headers_too_large');
    if (url.length > maxTargetLength) throw new BrokerError('uri_too_long');
    requireVersion(httpVersion, http10);
    requireSingleFields(rawHeaders);
    if (!plainTarget.test(url)) throw malformed('Write the path plainly, in origin form.');
    if (httpVersion === '1.1' || headers.host !== undefined)
      requireHost(headers.host, allowedHosts);
    requirePlainFraming(method, headers, httpVersion);
    // Compared as a whole: several, `null` or another spelling is nobody's own.
    if (headers.origin !== undefined && headers.origin !== origin?.()) {
      throw new BrokerError('origin_refused');
    }
    return req as AdmittedRequest;
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

/**
 * HTTP/1.0 has no chunks, no Host that must be there and no rules for whose connection stays open, which is what
 * servers differ in; so it is for listeners whose requests have no body and no secret.
 */
function requireVersion(version: string, http10: boolean): void {
  if (version === '1.1' || (version === '1.0' && http10)) return;
  throw malformed(
    'Use HTTP/1.1. In nginx: proxy_http_version 1.1; in HAProxy: http-check send ver HTTP/1.1.',
  );
}

/** RFC 9112 section 3.2, RFC 3986 section 3.2.2: a name, an IPv4 address, or an IPv6 one in brackets. */
const hostAndPort =
  /^(?<host>\[(?<v6>[0-9A-Fa-f:.]+)\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::\d{0,5})?$/;

function requireHost(field: string | undefined, allowed: ReadonlySet<string>): void {
  if (field === undefined || field === '') throw malformed('Send a Host header.');
  const { host, v6 } = hostAndPort.exec(field)?.groups ?? {};
  if (host === undefined || (v6 !== undefined && !isIPv6(v6))) {
    throw malformed('Send a Host header that is a name or an address, with or without a port.');
  }
  if (allowed.size > 0 && !allowed.has(host.toLowerCase())) throw new BrokerError('host_unknown');
}

function requirePlainFraming(
  method: string,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  httpVersion: string,
): void {
  const { 'transfer-encoding': transferEncoding, 'content-length': contentLength } = headers;
  if (transferEncoding !== undefined && transferEncoding !== 'chunked') {
    throw malformed('Use no transfer coding but chunked.');
  }
  // RFC 9112 section 6.1: framing that a proxy of that version does not know.
  if (transferEncoding !== undefined && httpVersion === '1.0') {
    throw malformed('HTTP/1.0 has no transfer codings.');
  }
  const hasBody = transferEncoding !== undefined || (contentLength ?? '0') !== '0';
  if (hasBody && (method === 'GET' || method === 'HEAD')) {
    throw malformed(`${method} requests have no body here.`);
  }
}

function malformed(detail: string): BrokerError {
  return new BrokerError('request_malformed', { detail });
}
