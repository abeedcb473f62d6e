/**
 * HTTP pipelining (RFC 9112 section 9.3.2), bounded (T75). Node parses every request in the bytes that have arrived
 * before it does anything else, and 64 KiB hold thousands: one client that does not wait for its answers would
 * hold up everybody. So a connection's requests are parsed one at a time and answered one after the other, one in
 * a turn of the event loop, and a connection with more than a few of them unanswered is cut without a word.
 */

import type { EventEmitter } from 'node:events';
import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../kit/timing/clock.ts';

/** HTTP clients of today, AWS SDKs among them, wait for each answer before they ask again; proxies do too. */
const maxUnanswered = 8;
/** A connection is deaf for so long before it ends: a client that is cut at once comes again at once. */
const deafMs = 1_000;
/** More than so many at a time end at once: they must not take the place of others. */
const maxDeaf = 100;

export interface OneAtATimeOptions {
  readonly answer: RequestListener;
  readonly clock: Clock;
  /** Called for each connection that has too many requests unanswered. */
  readonly onCut: () => void;
}

/** One connection. */
interface Lane {
  unanswered: number;
  cut: boolean;
  /** Requests that have arrived behind the one that is being answered. */
  readonly waiting: (() => void)[];
}

export interface OneAtATime {
  /** Answers the requests of each connection in turn. */
  readonly answer: RequestListener;
  /** Whether a request of this connection has not been answered to the end. */
  isAnswering(socket: Socket): boolean;
  /** Ends the connections that were cut and are still there; those to come end at once. */
  close(): void;
}

export function oneAtATime({ answer, clock, onCut }: OneAtATimeOptions): OneAtATime {
  const lanes = new WeakMap<Socket, Lane>();
  const deaf = new DeafConnections(clock);

  const inTurn: RequestListener = (req, res) => {
    const { socket } = req;
    let lane = lanes.get(socket);
    if (lane === undefined) {
      lane = { unanswered: 0, cut: false, waiting: [] };
      lanes.set(socket, lane);
    }
    lane.unanswered += 1;
    if (lane.unanswered > maxUnanswered) {
      if (lane.cut) return;
      lane.cut = true;
      onCut();
      deaf.add(socket);
      return;
    }
    res.once('close', () => {
      lane.unanswered -= 1;
      const next = lane.waiting.shift();
      // Behind an answer that ends the connection nothing is done that nobody could be told of.
      if (next !== undefined && socket.writable && !lane.cut) setImmediate(next);
    });
    const begin = () => answer(req, res);
    if (lane.unanswered === 1) begin();
    else lane.waiting.push(begin);
  };
  return {
    answer: inTurn,
    isAnswering: (socket) => (lanes.get(socket)?.unanswered ?? 0) > 0,
    close: () => deaf.close(),
  };
}

/** They are neither read nor answered, until they end. */
class DeafConnections {
  readonly #clock: Clock;
  readonly #sockets = new Set<Socket>();
  #most = maxDeaf;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(socket: Socket): void {
    if (this.#sockets.size >= this.#most) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.removeAllListeners('data');
    // An answer that is finished lets Node read on.
    socket.on('resume', () => socket.pause()).pause();
    const ending = this.#clock.after(deafMs, () => socket.destroy());
    socket.once('close', () => {
      this.#sockets.delete(socket);
      ending.cancel();
    });
  }

  close(): void {
    this.#most = 0;
    for (const socket of this.#sockets) socket.destroy();
  }
}

const endOfHead = Buffer.from('\r\n\r\n');

/**
 * Has the parser of each connection read the head of one request at a time, so that it can be stopped behind each.
 * `connected` is the event by which the server takes a connection into use.
 */
export function parseOneAtATime(
  server: EventEmitter,
  connected: 'connection' | 'secureConnection',
): void {
  server.on(connected, (socket: Socket) => {
    const [parse] = socket.listeners('data') as Parse[];
    // Reading on without the bound would be worse than not reading.
    if (parse === undefined) throw new Error('node:http reads connections in a way not known here');
    socket.off('data', parse);
    socket.on('data', (bytes: Buffer) => parseByHead(socket, bytes, parse));
  });
  server.prependListener('connect', (_req, socket: Socket) => {
    socket.removeAllListeners('data');
  });
}

type Parse = (this: Socket, bytes: Buffer) => void;

function parseByHead(socket: Socket, bytes: Buffer, parse: Parse): void {
  let rest = bytes;
  while (rest.length > 0 && isParsed(socket)) {
    if (socket.isPaused()) {
      socket.unshift(rest);
      return;
    }
    const end = endOfOneHead(rest);
    parse.call(socket, end === rest.length ? rest : rest.subarray(0, end));
    rest = rest.subarray(end);
  }
}

/** Behind the first head, where there may be another; a request that came alone is parsed with its body in one go. */
function endOfOneHead(bytes: Buffer): number {
  const found = bytes.indexOf(endOfHead);
  if (found === -1) return bytes.length;
  const end = found + endOfHead.length;
  return bytes.indexOf(endOfHead, end) === -1 ? bytes.length : end;
}

/** Without its listener the connection was handed over (CONNECT), and its parser may be another one's by now. */
function isParsed(socket: Socket): boolean {
  return !socket.destroyed && socket.listenerCount('data') > 0;
}
