/** The api listener over TLS. */

import { writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { type SelfSigned, selfSigned } from '../support/self-signed.ts';
import { createTestClock } from '../support/test-clock.ts';

const clock = createTestClock();
let broker: BrokerFixture;
let directory: string;
afterEach(() => broker.stop());

async function start(first: SelfSigned): Promise<void> {
  broker = await startBrokerFixture({
    clock,
    timeouts: { headersMs: 150, requestMs: 250, checkMs: 20 },
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
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
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

  it('takes a renewed certificate within a minute, and keeps the old one while the files do not match', async () => {
    const [first, second] = [selfSigned('first'), selfSigned('second')];
    await start(first);
    install({ cert: second.cert });
    await clock.advance(60_000);
    (await handshake(first)).destroy();

    install({ key: second.key });
    await clock.advance(60_000);
    expect(await answerOver(await handshake(second))).toMatch(/^HTTP\/1\.1 200 /);
    await expect(handshake(first)).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  });

  it('ends connections that speak plain HTTP, begin no handshake or do not finish it', async () => {
    await start(selfSigned('first'));
    expect(await saidTo('GET /v1/caller HTTP/1.1\r\nHost: broker\r\n\r\n')).not.toContain('HTTP');
    expect(await saidTo('')).toBe('');
    // The head of a record that is announced to be longer (RFC 8446 section 5.1).
    expect(await saidTo(Buffer.from('1603010200', 'hex'))).toBe('');
  });
});
