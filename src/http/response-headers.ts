/** The headers of every answer: what helmet says, for an API, computed once, and nothing may be stored. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import helmet from 'helmet';

/** Name, value, name, value, …: the form that `writeHead` takes without building an object. */
export const responseHeaders: readonly string[] = Object.freeze([
  'Cache-Control',
  'no-store',
  'Pragma',
  'no-cache',
  ...helmetHeaders(),
]);

function helmetHeaders(): string[] {
  const apply = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
    strictTransportSecurity: { maxAge: 63_072_000, includeSubDomains: true },
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
