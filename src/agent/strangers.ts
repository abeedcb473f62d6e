import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../kit/timing/clock.ts';

export interface Strangers {
  /** This connection has shown the authorization. */
  knows(socket: Socket): void;
}

/**
 * Keeps room for those who show the authorization: of the connections that have not, only a few may stay. The
 * others are cut, oldest first, once each has had the time to say what it wants. Every user of the machine can connect.
 */
export function limitStrangers(server: Server, clock: Clock): Strangers {
  /** With the monotonic instant of their coming, oldest first. */
  const strangers = new Map<Socket, number>();
  let cutIsDue = false;
  const cut = () => {
    cutIsDue = false;
    const latest = clock.monotonic() - patienceMs;
    for (const [socket, since] of strangers) {
      if (strangers.size <= maxStrangers) return;
      if (since > latest) break;
      strangers.delete(socket);
      socket.destroy();
    }
    planCut();
  };
  const planCut = () => {
    if (cutIsDue || strangers.size <= maxStrangers) return;
    cutIsDue = true;
    clock.after(patienceMs, cut);
  };
  server.on('connection', (socket: Socket) => {
    strangers.set(socket, clock.monotonic());
    socket.once('close', () => strangers.delete(socket));
    planCut();
  });
  return { knows: (socket) => void strangers.delete(socket) };
}

const maxStrangers = 32;
/** What an SDK sends is there with the connection, or a moment later. */
const patienceMs = 100;
