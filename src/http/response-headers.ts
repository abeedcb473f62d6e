/** The headers of every answer: what helmet says, for an API, computed once, and nothing may be stored. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import helmet, { type HelmetOptions } from 'helmet';

/**
 * Name, value, name, value, …: the form that `writeHead` takes without building an object. What makes browsers insist
 * on TLS may be said over TLS only (RFC 6797 section 7.2).
 */
export function responseHeaders(socket: Socket | null): readonly string[] {
  return socket !== null && 'encrypted' in socket ? overTls : inTheClear;
}

/** For answers over TLS alone. */
export const strictTransport: readonly string[] = Object.freeze([
  'Strict-Transport-Security',
  'max-age=63072000; includeSubDomains',
]);
const inTheClear: readonly string[] = Object.freeze([
  'Cache-Control',
  'no-store',
  'Pragma',
  'no-cache',
  ...headersOfHelmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
  }),
]);
const overTls: readonly string[] = Object.freeze([...inTheClear, ...strictTransport]);

/** What is the same for whatever is answered, and `special`, as names and values in turn. */
export function headersOfHelmet(
  special: Pick<
    HelmetOptions,
    'contentSecurityPolicy' | 'crossOriginOpenerPolicy' | 'originAgentCluster'
  >,
): readonly string[] {
  const apply = helmet({
    strictTransportSecurity: false,
    referrerPolicy: { policy: 'no-referrer' },
    xFrameOptions: { action: 'deny' },
    crossOriginResourcePolicy: { policy: 'same-origin' },
    // For pages only, or of no use to any client of an API.
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
    xPoweredBy: false,
    ...special,
  });
  const headers: string[] = [];
  const recorder = {
    setHeader(name: string, value: string) {
      headers.push(name, value);
    },
    removeHeader: () => undefined,
  };
  apply({} as IncomingMessage, recorder as unknown as ServerResponse, () => undefined);
  return headers;
}
