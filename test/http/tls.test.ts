/** The api listener over TLS. */

import { writeFileSync } from 'node:fs';
import { type AddressInfo, connect as connectPlain, createServer } from 'node:net';
import {
  type ConnectionOptions,
  connect,
  createServer as createSecureServer,
  type TLSSocket,
} from 'node:tls';
import { afterEach, describe, expect, it } from '@jest/globals';
import { probeHandshakes } from '../../src/http/handshake-probe.ts';
import type { ListenerTimeouts } from '../../src/http/server.ts';
import { handshakeFailures } from '../../src/http/tls-observer.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { rsaKeyPair } from '../support/rsa-keys.ts';
import { type SelfSigned, selfSigned } from '../support/self-signed.ts';
import { createTestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';

const clock = createTestClock();
let broker: BrokerFixture;
let directory: string;
afterEach(() => broker?.stop());

/** For those who say nothing. */
const impatient = { headersMs: 150, requestMs: 250, checkMs: 20, stalledMs: 5_000 };

async function start(first: SelfSigned, timeouts?: ListenerTimeouts): Promise<void> {
  broker = await startBrokerFixture({
    clock,
    ...(timeouts === undefined ? {} : { timeouts }),
    configure: (config) => {
      directory = config.audit.directory ?? '';
      install(first);
      const tls = { certFile: `${directory}.crt`, keyFile: `${directory}.key` };
      return { ...config, listeners: { ...config.listeners, api: { port: 0, tls } } };
    },
  });
}

function install({ cert, key }: Partial<SelfSigned>): void {
  if (cert !== undefined) writeFileSync(`${directory}.crt`, cert);
  if (key !== undefined) writeFileSync(`${directory}.key`, key);
}

const port = () => Number(new URL(broker.urls.api).port);

/** Trusts that certificate alone; its name is not the listener's address. */
function handshake({ cert }: SelfSigned, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const trust = { ca: cert, checkServerIdentity: () => undefined };
    const socket = connect({ host: '127.0.0.1', port: port(), ...trust, ...options });
    socket.once('secureConnect', () => resolve(socket));
    socket.once('error', reject);
  });
}

async function answerOver(socket: TLSSocket): Promise<string> {
  const token = broker.token('orders');
  socket.write(
    `POST /v1/credentials HTTP/1.1\r\nHost: broker\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
  );
  return await textOf(socket);
}

async function textOf(socket: TLSSocket): Promise<string> {
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

async function series(name: string, labels: string): Promise<number | undefined> {
  return (await broker.metrics()).get(`tokenbroker_tls_${name}{${labels}}`);
}

async function failures(): Promise<Readonly<Record<string, number | undefined>>> {
  const found = await broker.metrics();
  const of = (failure: string) =>
    found.get(`tokenbroker_tls_handshake_failures_total{listener="api",failure="${failure}"}`);
  return Object.fromEntries(handshakeFailures.map((failure) => [failure, of(failure)]));
}

/** A client that connects and leaves, as probes of load balancers do. */
function goAway(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connectPlain({ host: '127.0.0.1', port: port() }, () => socket.end());
    socket.resume();
    socket.on('error', reject);
    socket.on('close', () => resolve());
  });
}

/** What comes back before the listener ends the connection. */
function saidTo(bytes: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectPlain({ host: '127.0.0.1', port: port() });
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
    socket.write(bytes);
  });
}

describe('a listener with a certificate (T16, T35)', () => {
  it('hands out credentials over TLS 1.2 and 1.3, and speaks nothing older', async () => {
    const first = selfSigned('first');
    await start(first);
    expect(broker.urls.api).toMatch(/^https:/);
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await handshake(first, { minVersion: version, maxVersion: version });
      expect(socket.getProtocol()).toBe(version);
      expect(await answerOver(socket)).toMatch(/^HTTP\/1\.1 200 /);
    }
    const old = {
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    } as const;
    await expect(handshake(first, old)).rejects.toMatchObject({
      code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
    });
  });

  it('offers nothing in TLS 1.2 that a key found later would open (T81)', async () => {
    const first = selfSigned('first', { keys: rsaKeyPair() });
    await start(first);
    const version = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;
    for (const ciphers of ['AES128-GCM-SHA256', 'ECDHE-RSA-AES128-SHA', 'DHE-RSA-AES128-SHA']) {
      await expect(handshake(first, { ...version, ciphers })).rejects.toMatchObject({
        // Named otherwise by the OpenSSL of Node 24.
        code: expect.stringMatching(/^ERR_SSL_(?:SSLV3|SSL\/TLS)_ALERT_HANDSHAKE_FAILURE$/),
      });
    }
    const good = { ...version, ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' };
    (await handshake(first, good)).destroy();
    expect(await failures()).toMatchObject({ refused: 3 });
  });

  it('asks browsers for TLS on answers over TLS, and on no other (T81)', async () => {
    const first = selfSigned('first');
    await start(first);
    const hsts = /\r\nStrict-Transport-Security: max-age=63072000; includeSubDomains\r\n/;
    expect(await answerOver(await handshake(first))).toMatch(hsts);
    const malformed = await handshake(first);
    malformed.write('GARBAGE\r\n\r\n');
    expect(await textOf(malformed)).toMatch(hsts);
    const plain = await broker.call({ listener: 'ops', path: '/livez' });
    expect(plain.headers['strict-transport-security']).toBeUndefined();
  });

  it('takes a renewed certificate within fifteen seconds, and keeps the old one while the files do not match', async () => {
    const [first, second] = [selfSigned('first'), selfSigned('second')];
    await start(first);
    expect(await series('certificate_expiry_timestamp_seconds', 'listener="api"')).toBe(
      Date.UTC(2049, 11, 31, 23, 59, 59) / 1000,
    );
    install({ cert: second.cert });
    await clock.advance(15_000);
    (await handshake(first)).destroy();

    install({ key: second.key });
    await clock.advance(5_000);
    expect(await series('reloads_total', 'listener="api"')).toBe(1);
    expect(await answerOver(await handshake(second))).toMatch(/^HTTP\/1\.1 200 /);
    await expect(handshake(first)).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  });

  const [kept, renewed, rsa] = [
    selfSigned('kept'),
    selfSigned('renewed'),
    selfSigned('rsa', { keys: rsaKeyPair() }),
  ];
  it.each<[name: string, fault: string, files: SelfSigned]>([
    ['an empty certificate', 'unreadable', { ...renewed, cert: '' }],
    ['an empty key', 'unreadable', { ...renewed, key: '\n' }],
    ['only the certificate of another kind of key', 'mismatched', { ...kept, cert: rsa.cert }],
    ['only the key of another kind', 'mismatched', { ...kept, key: rsa.key }],
    [
      'a certificate that is cut off',
      'malformed',
      { ...renewed, cert: renewed.cert.slice(0, 300) },
    ],
    [
      'a chain that is cut off',
      'malformed',
      { ...renewed, cert: renewed.cert + kept.cert.slice(0, 300) },
    ],
    [
      'a chain with something else in it',
      'malformed',
      { ...renewed, cert: renewed.cert + renewed.key },
    ],
    ['a key that is cut off', 'malformed', { ...renewed, key: renewed.key.slice(0, 100) }],
    ['a certificate that has ended', 'expired', selfSigned('old', { notAfter: '260101000000Z' })],
    ['one before its time', 'not_yet_valid', selfSigned('new', { notBefore: '270101000000Z' })],
  ])(
    'is renewed with %s: the old one stays, it is counted and said once, and the repair is taken within five seconds (T81)',
    async (_name, fault, files) => {
      await start(kept);
      install(files);
      await clock.advance(15_000 + 5_000);
      (await handshake(kept)).destroy();
      expect(await series('refused_files_total', `listener="api",fault="${fault}"`)).toBe(2);
      const said = broker.logs.filter(({ msg }) => msg?.startsWith('files for TLS refused'));
      expect(said).toMatchObject([{ level: 'error', fault }]);
      expect(JSON.stringify(said)).not.toContain('PRIVATE KEY');

      install(renewed);
      await clock.advance(5_000);
      expect(await answerOver(await handshake(renewed))).toMatch(/^HTTP\/1\.1 200 /);
    },
  );

  it('counts each handshake that is not completed, by why (T82)', async () => {
    await start(selfSigned('first'), impatient);
    const halfOpen = Array.from({ length: 50 }, () => saidTo(Buffer.from('1603010200', 'hex')));
    await Promise.all(halfOpen);
    await saidTo('GET / HTTP/1.1\r\nHost: broker\r\n\r\n');
    await goAway();
    await until(async () => (await failures())['aborted'] === 1);
    expect(await failures()).toMatchObject({ timeout: 50, plain_http: 1, aborted: 1, refused: 0 });
  });

  it('is ready as far as it completes handshakes (T82)', async () => {
    await start(selfSigned('first'));
    const { status, text } = await broker.call({ listener: 'ops', path: '/readyz' });
    expect([status, text]).toEqual([200, expect.stringContaining('[+]tls-api ok')]);
    expect(text).not.toContain('tls-ops');
  });

  it('ends connections that speak plain HTTP, begin no handshake or do not finish it', async () => {
    await start(selfSigned('first'), impatient);
    expect(await saidTo('GET /v1/caller HTTP/1.1\r\nHost: broker\r\n\r\n')).not.toContain('HTTP');
    expect(await saidTo('')).toBe('');
    // The head of a record that is announced to be longer (RFC 8446 section 5.1).
    expect(await saidTo(Buffer.from('1603010200', 'hex'))).toBe('');
  });
});

it('two handshakes in a row that fail make a listener not ready, until one works again (T82)', async () => {
  const { cert, key } = selfSigned('first');
  const line: { cut: boolean } = { cut: true };
  const behind = createSecureServer({ cert, key }, (socket) => socket.end());
  behind.on('tlsClientError', () => undefined);
  let connections = 0;
  const listener = createServer((socket) => {
    connections += 1;
    if (line.cut) socket.destroy();
    else behind.emit('connection', socket);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const probe = probeHandshakes(listener.address() as AddressInfo, clock);
  /** Of the next handshake; the one after it is not due yet. */
  const next = async () => {
    const before = connections;
    while (connections === before) await clock.advance(10_000);
  };
  await next();
  expect(probe.ok()).toBe(true);
  while (probe.ok()) await next();
  line.cut = false;
  while (!probe.ok()) await next();
  probe.stop();
  await new Promise((resolve) => listener.close(resolve));
});
