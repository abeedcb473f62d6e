/** A listener: HTTP or HTTPS with bounded everything, an Express application behind it, and an orderly end. */

import { lookup } from 'node:dns/promises';
import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Express, Request, Response } from 'express';
import { BrokerError } from '../core/errors.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { isAnswered, noteRefusal } from './broken-connections.ts';
import { ConnectionRoom } from './connection-room.ts';
import { probeHandshakes } from './handshake-probe.ts';
import { oneAtATime, parseOneAtATime } from './pipelining.ts';
import { rawProblem } from './problem.ts';
import {
  readTlsFiles,
  type TlsFiles,
  type TlsMaterial,
  type TlsWatch,
  tlsProtocol,
  watchTlsFiles,
} from './tls-files.ts';
import { handshakeFailureOf, type TlsObserver } from './tls-observer.ts';

export interface ListenerOptions {
  readonly app: Express;
  /** Asked before the application; true if it has answered itself. */
  readonly guard?: ((req: Request, res: Response) => boolean) | undefined;
  readonly host: string;
  readonly port: number;
  readonly tls: TlsFiles | undefined;
  readonly maxConnections: number;
  /** Whether an answer of success is for those alone who have proven who they are; default: anybody may get one. */
  readonly successIsProof?: boolean | undefined;
  readonly clock: Clock;
  /** Once it is aborted no port is opened any more. */
  readonly signal: AbortSignal;
  /** Default: those of production. */
  readonly timeouts?: ListenerTimeouts | undefined;
  /**
   * Called for each connection that was ended, with the code that was answered; with `pipelining`, `crowded_out` and
   * `answer_unread` none was.
   */
  readonly onConnectionError: (code: string) => void;
  /** Default: nobody is told. */
  readonly tlsObserver?: TlsObserver | undefined;
}

/** In real time: Node's own timers enforce them. */
export interface ListenerTimeouts {
  /** From the first byte of a request to the end of its headers. */
  readonly headersMs: number;
  /** From the first byte of a request to the end of its body. */
  readonly requestMs: number;
  /** How often connections are looked at: a request may take that much longer. */
  readonly checkMs: number;
  /** How long an answer may wait for its client to read on. */
  readonly stalledMs: number;
}

export interface Listener {
  /** Such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Whether it completes TLS handshakes; undefined where it speaks plain HTTP. */
  readonly handshakes: (() => boolean) | undefined;
  /** Undefined where it speaks plain HTTP. */
  readonly certificate: ListenerCertificate | undefined;
  /** Answers from now on ask clients to close their connections. */
  drain(): void;
  /** Stops accepting, lets requests in flight finish for `graceMs`, then cuts what is left. */
  close(graceMs: number): Promise<void>;
}

/** A certificate that can be replaced while the listener listens. */
export type ListenerCertificate = Pick<TlsWatch, 'isInUse' | 'switchTo'>;

const defaultTimeouts: ListenerTimeouts = {
  headersMs: 5_000,
  requestMs: 10_000,
  checkMs: 1_000,
  // Longer than all deadlines of a request together can be.
  stalledMs: 60_000,
};
// Above the idle timeout of 60 s that load balancers use, so that they close first.
const keepAliveTimeoutMs = 65_000;
const maxHeaderBytes = 16_384;
const maxRequestsPerSocket = 10_000;
const sweepMs = 20;

/** Rejects when the files for TLS cannot be used or the port cannot be had; then nothing is left open. */
export async function startListener(options: ListenerOptions): Promise<Listener> {
  const {
    app,
    guard,
    host,
    port,
    tls,
    maxConnections,
    clock,
    signal,
    timeouts = defaultTimeouts,
  } = options;
  const inTurn = oneAtATime({
    answer: guard === undefined ? app : guarded(app, guard),
    clock,
    onCut: () => options.onConnectionError('pipelining'),
  });
  const room = new ConnectionRoom({
    maxConnections,
    successIsProof: options.successIsProof ?? false,
    onCrowdedOut: () => options.onConnectionError('crowded_out'),
  });
  const answer = room.watching(inTurn.answer);
  const serverOptions: http.ServerOptions = {
    headersTimeout: timeouts.headersMs,
    requestTimeout: timeouts.requestMs,
    connectionsCheckingInterval: timeouts.checkMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    maxHeaderSize: maxHeaderBytes,
    // Node's own refusal is no problem document; admission refuses a request without Host.
    requireHostHeader: false,
    ...bornWithPrototypesOf(app),
  };
  const { server, watch } =
    tls === undefined
      ? { server: http.createServer(serverOptions, answer), watch: undefined }
      : secureServer({ ...serverOptions, handshakeTimeout: timeouts.headersMs }, answer, {
          files: tls,
          clock,
          observer: options.tlsObserver,
        });
  // No limit by number: Node 20 hides fields beyond it and frames by them all the same (CVE-2026-58044), newer ones cut the
  // connection. Their bytes are bounded, so admission sees each, and refuses far fewer (T282).
  server.maxHeadersCount = 0;
  server.maxRequestsPerSocket = maxRequestsPerSocket;
  server.maxConnections = maxConnections;
  server.on('connection', (socket: Socket) => room.came(socket));
  // Of a connection on which nothing moves: Node begins anew with each byte, and has limits of its own between requests.
  server.timeout = timeouts.stalledMs;
  server.on('timeout', (socket: Socket) => {
    if (inTurn.isAnswering(socket)) options.onConnectionError('answer_unread');
    socket.destroy();
  });
  parseOneAtATime(server, tls === undefined ? 'connection' : 'secureConnection');
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    refuseConnection(error, socket, options.onConnectionError);
  });
  server.prependListener('request', endBehindOfferedUpgrade);
  // An unanswered `Expect` must not leave a connection hanging.
  server.on('checkExpectation', (request, response) => answer(request, response));
  server.on('connect', (_request, socket: Socket) => {
    refuseConnection(new Error('connect'), socket, options.onConnectionError);
  });

  try {
    // Node's own look-up of the name could not be followed by a second thought.
    const { address } = await lookup(host);
    signal.throwIfAborted();
    await listening(server, port, address);
    signal.throwIfAborted();
  } catch (error) {
    watch?.stop();
    server.close();
    throw error;
  }
  const address = server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;

  const probe = tls === undefined ? undefined : probeHandshakes(address, clock);

  return {
    handshakes: probe?.ok,
    certificate: watch,
    url: `${tls === undefined ? 'http' : 'https'}://${name}:${address.port}`,
    drain() {
      server.prependListener('request', (_request, response: http.ServerResponse) => {
        response.shouldKeepAlive = false;
      });
      // Idle connections stay until the end: a client may be sending its next request on one right now.
    },
    close(graceMs) {
      watch?.stop();
      probe?.stop();
      inTurn.close();
      return new Promise((resolve) => {
        const cut = clock.after(graceMs, () => server.closeAllConnections());
        let sweep = clock.after(0, closeIdle);
        // A connection whose request was in flight becomes idle only when that has its answer.
        function closeIdle() {
          server.closeIdleConnections();
          sweep = clock.after(sweepMs, closeIdle);
        }
        server.close(() => {
          cut.cancel();
          sweep.cancel();
          resolve();
        });
      });
    },
  };
}

function listening(server: http.Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function guarded(app: Express, guard: NonNullable<ListenerOptions['guard']>): http.RequestListener {
  // They are born with Express's prototypes.
  const answer = (req: Request, res: Response) => {
    if (!guard(req, res)) app(req, res);
  };
  return answer as unknown as http.RequestListener;
}

/**
 * An offered upgrade is ignored (RFC 9110 section 7.8): without a listener for `upgrade`, Node takes the request for
 * an ordinary one. But its parser stops behind the body of such a request, and what has arrived in one piece with it is
 * lost: where the next request begins would be in doubt.
 */
function endBehindOfferedUpgrade(req: http.IncomingMessage, res: http.ServerResponse): void {
  const { upgrade, 'content-length': length, 'transfer-encoding': coding } = req.headers;
  if (upgrade !== undefined && (length !== undefined || coding !== undefined)) {
    res.shouldKeepAlive = false;
  }
}

interface Certificate {
  readonly files: TlsFiles;
  readonly clock: Clock;
  readonly observer: TlsObserver | undefined;
}

function secureServer(
  options: https.ServerOptions,
  answer: http.RequestListener,
  { files, clock, observer }: Certificate,
): { readonly server: https.Server; readonly watch: TlsWatch } {
  const current = readTlsFiles(files, clock.now());
  const context = ({ cert, key }: TlsMaterial) => ({ ...tlsProtocol, cert, key });
  const server = https.createServer({ ...options, ...context(current) }, answer);
  server.prependListener('tlsClientError', (error, socket) => {
    // Counted here: Node reports it as an error of the connection only after this, and by then there is none.
    observer?.onHandshakeFailed(handshakeFailureOf(error));
    // No answer can be read before the handshake is over, so a socket that waits to send one would never close.
    socket.destroy();
  });
  const watch = watchTlsFiles({
    files,
    current,
    clock,
    use(material) {
      server.setSecureContext(context(material));
      observer?.onInUse({ notAfter: material.notAfter, reloaded: true });
    },
    onRefused: (error) => observer?.onRefused(error),
  });
  observer?.onInUse({ notAfter: current.notAfter, reloaded: false });
  return { server, watch };
}

/**
 * Express changes the prototypes of every request and response that it handles, which on Node 20 and 22 costs
 * more than the rest of a request. When they are born with those prototypes, the change is a no-op.
 */
function bornWithPrototypesOf(
  app: Express,
): Required<Pick<http.ServerOptions, 'IncomingMessage' | 'ServerResponse'>> {
  class Request extends http.IncomingMessage {}
  class Response<
    Req extends http.IncomingMessage = http.IncomingMessage,
  > extends http.ServerResponse<Req> {}
  Object.setPrototypeOf(Request.prototype, app.request);
  Object.setPrototypeOf(Response.prototype, app.response);
  app.request = Request.prototype as typeof app.request;
  app.response = Response.prototype as unknown as typeof app.response;
  return { IncomingMessage: Request, ServerResponse: Response };
}

const codeOfParserError: Readonly<Record<string, 'headers_too_large' | 'request_timeout'>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

/** What Node's parser refuses never reaches Express: it gets the same kind of answer here, then the connection ends. */
function refuseConnection(
  error: NodeJS.ErrnoException,
  socket: Socket,
  onConnectionError: (code: string) => void,
): void {
  const code = codeOfParserError[error.code ?? ''] ?? 'request_malformed';
  if (error.code === 'ECONNRESET' || !socket.writable || isAnswered(socket)) {
    socket.destroy();
    return;
  }
  onConnectionError(code);
  noteRefusal(socket, code);
  socket.end(rawProblem(new BrokerError(code), socket), () => socket.destroySoon());
}
