/** What a listener with TLS reports about its certificate and its handshakes. */

import type { TlsFilesError } from './tls-files.ts';

export interface TlsObserver {
  /** This certificate is in use from now on, whose end is epoch milliseconds: at the start, and after each reload. */
  onInUse(event: { readonly notAfter: number; readonly reloaded: boolean }): void;
  /** Files that changed, or whose certificate has ended, cannot be used: the old ones stay in use. */
  onRefused(error: TlsFilesError): void;
  onHandshakeFailed(failure: HandshakeFailure): void;
}

/**
 * `plain_http`: the peer spoke HTTP without TLS. `timeout`: it did not finish in time. `aborted`: it went away.
 * `refused`: version, cipher suites or certificate did not suit one of both.
 */
export const handshakeFailures = ['plain_http', 'timeout', 'aborted', 'refused'] as const;
export type HandshakeFailure = (typeof handshakeFailures)[number];

export function handshakeFailureOf({ code }: NodeJS.ErrnoException): HandshakeFailure {
  switch (code) {
    case 'ERR_SSL_HTTP_REQUEST':
      return 'plain_http';
    case 'ERR_TLS_HANDSHAKE_TIMEOUT':
      return 'timeout';
    case 'ECONNRESET':
    case 'EPIPE':
      return 'aborted';
    default:
      return 'refused';
  }
}
