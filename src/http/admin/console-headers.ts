/** Headers of a page, other than those of the API: it may run its own scripts, and talk to this listener and the sign-in. */

import type { Socket } from 'node:net';
import { headersOfHelmet, strictTransport } from '../response-headers.ts';

/** `signInOrigin`: where codes are exchanged for tokens, the one other place that the page may talk to. */
export function consoleHeaders(signInOrigin: string): (socket: Socket | null) => readonly string[] {
  const inTheClear = headersOfHelmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        connectSrc: ["'self'", signInOrigin],
        // It has none that a browser would send by itself.
        formAction: ["'none'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
        requireTrustedTypesFor: ["'script'"],
        trustedTypes: ["'none'"],
      },
    },
    crossOriginOpenerPolicy: { policy: 'same-origin' },
    originAgentCluster: true,
  });
  const overTls = [...inTheClear, ...strictTransport];
  return (socket) => (socket !== null && 'encrypted' in socket ? overTls : inTheClear);
}
