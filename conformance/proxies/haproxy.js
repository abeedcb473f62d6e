/** HAProxy: its HTTP checks are HTTP/1.0 without a Host, and its checks by default are connections that say nothing. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { versionOf } from '../commands.js';
import { checkCredentials, withProxy } from './proxy-process.js';

const checksMs = 20_000;

export const haproxy = {
  name: 'haproxy',
  tools: [{ name: 'haproxy', command: 'haproxy', args: ['-v'] }],
  async run({ stack, say }) {
    say('asking through HAProxy');
    await withProxy({
      command: 'haproxy',
      args: (file) => ['-db', '-f', file],
      configuration: (directory) => configuration(directory, stack.urls),
      sockets: ['api', 'stats'],
      use: async (directory) => {
        await checkCredentials(join(directory, 'api'), await stack.token('orders'));
        for (const backend of ['livez', 'readyz', 'credentials']) {
          const seen = await settled(join(directory, 'stats'), backend);
          assert.match(seen, /^UP L[47]OK/, `the check of ${backend} says ${seen}`);
        }
      },
    });
    return `${versionOf('haproxy', ['-v'])}: checks and credentials`;
  },
};

/** What the first check has found: until then a server counts as up. */
async function settled(socket, backend) {
  const deadline = performance.now() + checksMs;
  while (performance.now() < deadline) {
    const rows = await statistics(socket);
    const row = rows.find(({ pxname, svname }) => pxname === backend && svname === 'broker');
    if (row.check_status.startsWith('L')) return `${row.status} ${row.check_status}`;
    await sleep(50);
  }
  return 'nothing';
}

/** `show stat`: a table with the names of its columns in front. */
async function statistics(socket) {
  const connection = createConnection(socket);
  const parts = [];
  connection.on('data', (part) => parts.push(part));
  connection.end('show stat\n');
  await once(connection, 'close');
  const [head, ...lines] = Buffer.concat(parts).toString().trim().split('\n');
  const names = head.replace(/^# /, '').split(',');
  return lines.map((line) =>
    Object.fromEntries(line.split(',').map((value, at) => [names[at], value])),
  );
}

function configuration(directory, { ops, broker }) {
  const check = (name) => `backend ${name}
  option httpchk GET /${name}
  server broker ${new URL(ops).host} check inter 100ms`;
  return `global
  stats socket ${join(directory, 'stats')}
defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout server 10s
frontend api
  bind unix@${join(directory, 'api')}
  option forwardfor
  default_backend credentials
backend credentials
  server broker ${new URL(broker).host} check inter 100ms
${check('livez')}
${check('readyz')}
`;
}
