/**
 * A client that never waits for an answer, in a process of its own: `node faults/pipeliner.js URL CONNECTIONS`.
 * Ends with its standard input, or by itself after two minutes, and prints how many connections it had. Loopback only.
 */

import { connect } from 'node:net';

const { hostname, port } = new URL(process.argv[2]);
if (!/^127\./.test(hostname)) throw new Error('loopback only');
const requests = Buffer.from('GET /x HTTP/1.1\r\nHost: broker\r\n\r\n'.repeat(2_000));
let connections = 0;

function open() {
  connections += 1;
  const socket = connect({ host: hostname, port: Number(port) });
  const send = () => {
    while (socket.writable && socket.write(requests));
  };
  socket
    .on('connect', send)
    .on('drain', send)
    .on('error', () => undefined);
  socket.on('close', open).resume();
}

for (let count = 0; count < Number(process.argv[3]); count += 1) open();

function end() {
  process.stdout.write(String(connections), () => process.exit());
}
setTimeout(end, 120_000);
process.stdin.on('end', end).resume();
