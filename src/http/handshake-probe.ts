/** Whether a listener completes TLS handshakes: it makes one with itself, now and then. */

import type { AddressInfo } from 'node:net';
import { connect } from 'node:tls';
import type { Clock } from '../kit/timing/clock.ts';

export interface HandshakeProbe {
  /** False once two handshakes in a row have failed: one alone may be a busy moment. */
  ok(): boolean;
  stop(): void;
}

const intervalMs = 10_000;
const deadlineMs = 5_000;
const failuresInARow = 2;

export function probeHandshakes(address: AddressInfo, clock: Clock): HandshakeProbe {
  let failures = 0;
  let stopped = false;
  let abandon = () => {};
  let timer = clock.after(0, look);
  function look(): void {
    const probe = handshake(address, clock, (worked) => {
      if (stopped) return;
      failures = worked ? 0 : failures + 1;
      timer = clock.after(intervalMs, look);
    });
    abandon = () => probe.destroy();
  }
  return {
    ok: () => failures < failuresInARow,
    stop() {
      stopped = true;
      timer.cancel();
      abandon();
    },
  };
}

function handshake({ address, port }: AddressInfo, clock: Clock, onEnd: (worked: boolean) => void) {
  // That the handshake completes is all that is asked; nothing is sent, and nobody is believed.
  const socket = connect({ host: reachable(address), port, rejectUnauthorized: false });
  let worked = false;
  const deadline = clock.deadline(deadlineMs);
  deadline.signal.addEventListener('abort', () => socket.destroy(), { once: true });
  socket.once('secureConnect', () => {
    worked = true;
    socket.end();
  });
  // What is wrong does not matter here: handshakes that fail are counted at the other end.
  socket.on('error', () => undefined);
  // Without it the end of the other side would never be seen.
  socket.resume();
  socket.once('close', () => {
    deadline.release();
    onEnd(worked);
  });
  return socket;
}

/** A listener on all addresses answers on this host's own. */
function reachable(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1';
  return address === '::' ? '::1' : address;
}
