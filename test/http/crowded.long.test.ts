/** Connections that are held by whoever can reach a listener, and the room that is left for others. */

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { selfSigned } from '../support/self-signed.ts';

const most = 16;
let broker: BrokerFixture;
const held: Socket[] = [];
afterEach(async () => {
  for (const socket of held.splice(0)) socket.destroy();
  await broker.stop();
});

type Listener = 'api' | 'admin' | 'ops';

const crowdedOut = (listener: Listener) =>
  `tokenbroker_http_connection_errors_total{listener="${listener}",code="crowded_out"}`;
const unread = 'tokenbroker_http_connection_errors_total{listener="ops",code="answer_unread"}';
const pages =
  'tokenbroker_http_request_duration_seconds_count{route="/metrics",status_class="2xx"}';

async function start(listener: Listener, secure = false): Promise<void> {
  broker = await startBrokerFixture({
    configure: (config) => {
      const tls = secure ? filesOf(config.audit.directory ?? '') : undefined;
      const limited = { ...config.listeners?.[listener], maxConnections: most, tls };
      return { ...config, listeners: { ...config.listeners, [listener]: limited } };
    },
  });
}

function filesOf(directory: string): { certFile: string; keyFile: string } {
  const { cert, key } = selfSigned('broker');
  const files = { certFile: `${directory}.crt`, keyFile: `${directory}.key` };
  writeFileSync(files.certFile, cert);
  writeFileSync(files.keyFile, key);
  return files;
}

async function hold(listener: Listener, bytes: string, answered = bytes !== ''): Promise<Socket> {
  const { hostname, port } = new URL(broker.urls[listener] as string);
  const socket = connect({ host: hostname, port: Number(port) });
  held.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  if (bytes !== '') socket.write(bytes);
  if (answered) await Promise.race([once(socket, 'data'), once(socket, 'close')]);
  return socket;
}

const get = (path: string, token = 'none') =>
  `GET ${path} HTTP/1.1\r\nHost: broker\r\nAuthorization: Bearer ${token}\r\n\r\n`;
const slow = 'POST /v1/credentials HTTP/1.1\r\nHost: broker\r\nContent-Length: 9\r\n';

describe('strangers who hold every connection', () => {
  const ways: Readonly<Record<string, readonly [string, boolean]>> = {
    'say nothing': ['', false],
    'are answered now and then': [get('/nothing'), true],
    'never end a request': [slow, false],
  };

  it.each(
    (['api', 'admin', 'ops'] as const).flatMap((listener) =>
      Object.entries(ways).map(([name, way]) => [listener, name, way] as const),
    ),
  )('T113: keep nobody away from the %s listener: they %s', async (listener, _name, way) => {
    await start(listener);
    for (let number = 0; number < 3 * most; number += 1) await hold(listener, ...way);
    const [path, expected] = {
      api: ['/v1/credentials', 200] as const,
      // The orders service is no administrator, and is told so.
      admin: ['/v1/role-mappings', 403] as const,
      ops: ['/livez', 200] as const,
    }[listener];
    const { status } = await broker.call({ listener, path, token: broker.token('orders') });
    expect(status).toBe(expected);
    if (listener !== 'ops') {
      expect((await broker.metrics()).get(crowdedOut(listener))).toBeGreaterThan(0);
    }
  });

  it('T113: do not push out a connection on which a caller has proven who it is', async () => {
    await start('api');
    const request = get('/v1/credentials', broker.token('orders'));
    const caller = await hold('api', request);
    for (let number = 0; number < 3 * most; number += 1) await hold('api', get('/nothing'));
    caller.write(request);
    const [answer] = (await once(caller, 'data')) as [Buffer];
    expect(answer.toString('latin1')).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('T113: keep nobody away by handshakes that they never end', async () => {
    await start('api', true);
    for (let number = 0; number < 3 * most; number += 1) await hold('api', '');
    const { hostname: host, port } = new URL(broker.urls.api);
    const caller = connectTls({ host, port: Number(port), rejectUnauthorized: false });
    held.push(caller);
    caller.write(get('/v1/credentials', broker.token('orders')));
    const [answer] = (await once(caller, 'data')) as [Buffer];
    expect(answer.toString('latin1')).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe('an answer that is not read', () => {
  it('T114: holds its connection for as long as it makes progress, and not for ever', async () => {
    broker = await startBrokerFixture({
      timeouts: { headersMs: 5_000, requestMs: 10_000, checkMs: 1_000, stalledMs: 300 },
    });
    const reader = await hold('ops', '');
    reader.pause();
    // Ended with requests unread, as a reset: `once` would take that for a failure.
    const ended = new Promise((resolve) => reader.on('error', () => {}).once('close', resolve));
    let written = 0;
    for (let looks = 0; ; looks += 1) {
      const seen = await broker.metrics();
      if (seen.get(unread) === 1) break;
      const answered = (seen.get(pages) ?? 0) - looks;
      if (answered < written) continue;
      reader.write(get('/metrics').repeat(4));
      written += 4;
    }
    reader.resume();
    await ended;
    expect(written).toBeGreaterThan(4);
  });
});
