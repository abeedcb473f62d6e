/**
 * Room for whoever comes: anybody who can reach a listener can open connections and keep them, and one small request
 * a minute is all that it takes (T113). So where all but an eighth of the places are taken, each further
 * connection ends one on which nobody has proven who they are: the one that has been quiet for longest, or, where all of
 * them have a request under way, the one whose request began first.
 */

import type { RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface ConnectionRoomOptions {
  readonly maxConnections: number;
  /** Whether an answer of success, unless it is noted to be for anybody, is for those alone who have proven who they are. */
  readonly successIsProof: boolean;
  /** Called for each connection that had to give way. */
  readonly onCrowdedOut: () => void;
}

const forAnybody = new WeakSet<ServerResponse>();

/** An answer of success that proves nothing, on a listener where others do. */
export function noteForAnybody(res: ServerResponse): void {
  forAnybody.add(res);
}

export class ConnectionRoom {
  readonly #most: number;
  readonly #successIsProof: boolean;
  readonly #onCrowdedOut: () => void;
  #open = 0;
  /** Connections that have proven nothing, by the address of their other end; those that go first come first. */
  readonly #quiet = new Map<string, Socket>();
  readonly #busy = new Map<string, Socket>();
  /** Those that have, by the socket of their requests. */
  readonly #proven = new WeakSet<Socket>();

  constructor({ maxConnections, successIsProof, onCrowdedOut }: ConnectionRoomOptions) {
    this.#most = Math.ceil(maxConnections * 0.875);
    this.#successIsProof = successIsProof;
    this.#onCrowdedOut = onCrowdedOut;
  }

  /** A connection was accepted; with TLS, before its handshake. */
  came(socket: Socket): void {
    const peer = peerOf(socket);
    this.#open += 1;
    if (this.#open > this.#most) this.#makeRoom();
    this.#quiet.set(peer, socket);
    socket.once('close', () => {
      this.#open -= 1;
      this.#quiet.delete(peer);
      this.#busy.delete(peer);
    });
  }

  /** `answer`, with each of its requests taken note of. */
  watching(answer: RequestListener): RequestListener {
    return (req, res) => {
      if (this.#proven.has(req.socket)) {
        answer(req, res);
        return;
      }
      const peer = peerOf(req.socket);
      const socket = this.#quiet.get(peer);
      if (socket !== undefined) {
        this.#quiet.delete(peer);
        this.#busy.set(peer, socket);
      }
      if (this.#busy.has(peer)) res.once('close', () => this.#answered(peer, req.socket, res));
      answer(req, res);
    };
  }

  #answered(peer: string, by: Socket, res: ServerResponse): void {
    const socket = this.#busy.get(peer);
    this.#busy.delete(peer);
    const isProof = this.#successIsProof && !forAnybody.has(res);
    if (isProof && res.writableFinished && res.statusCode < 300) {
      this.#quiet.delete(peer);
      this.#proven.add(by);
    } else if (socket !== undefined) this.#quiet.set(peer, socket);
  }

  #makeRoom(): void {
    for (const strangers of [this.#quiet, this.#busy]) {
      for (const [peer, socket] of strangers) {
        strangers.delete(peer);
        socket.destroy();
        this.#onCrowdedOut();
        return;
      }
    }
  }
}

/** The same for a connection and for the TLS on it. */
function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
