/** Requests that do not wait for the answer to the one before (T75). */

import { writeFileSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { runs } from '../support/fuzz-budget.ts';
import { sendRaw } from '../support/raw-http.ts';
import { selfSigned } from '../support/self-signed.ts';
import { createTestClock } from '../support/test-clock.ts';

const flood = 'GET /x HTTP/1.1\r\nHost: broker\r\n\r\n'.repeat(3_000);

/** Counts those that were cut; they end a second later. */
const cut = (listener: string) =>
  `tokenbroker_http_connection_errors_total{listener="${listener}",code="pipelining"}`;

/** Requests that got as far as a route. */
const begun = (metrics: ReadonlyMap<string, number>) =>
  metrics.get(
    'tokenbroker_http_request_duration_seconds_count{route="unmatched",status_class="4xx"}',
  ) ?? 0;

describe('requests that do not wait for answers (T75)', () => {
  const clock = createTestClock(Date.now());
  let broker: BrokerFixture;
  beforeEach(async () => {
    broker = await startBrokerFixture({ clock });
  });
  afterEach(() => broker.stop());

  /** The connection that was cut is deaf first: who comes again at once is slowed down by that. */
  async function sentUntilCut(listener: 'api' | 'admin' | 'ops', bytes: string) {
    const sent = sendRaw(broker.urls[listener] as string, bytes);
    while ((await broker.metrics()).get(cut(listener)) !== 1);
    await clock.advance(1_000);
    return await sent;
  }

  it.each(['api', 'admin', 'ops'] as const)(
    'by the thousand end the connection to the %s listener before a second one is looked at',
    async (listener) => {
      const { answers, closed } = await sentUntilCut(listener, flood);
      expect(closed).toBe(true);
      expect(answers.length).toBeLessThanOrEqual(1);
      expect(begun(await broker.metrics())).toBeLessThanOrEqual(1);
    },
  );

  it('end the connection at the ninth while the first has no answer, and up to the eighth are answered', async () => {
    const request = `POST /v1/credentials HTTP/1.1\r\nHost: broker\r\nAuthorization: Bearer ${broker.token('orders')}\r\n\r\n`;
    const eight = await sendRaw(broker.urls.api, request.repeat(8), { answers: 8 });
    expect(eight.answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    const nine = await sentUntilCut('api', request.repeat(9));
    expect(nine.closed).toBe(true);
    expect(nine.answers.length).toBeLessThanOrEqual(1);
  });

  it('keep a listener from ending no longer than others', async () => {
    const sent = sendRaw(broker.urls.api, flood);
    while ((await broker.metrics()).get(cut('api')) !== 1);
    await broker.stopBroker();
    expect((await sent).closed).toBe(true);
  });

  it('are not begun behind an answer that ends the connection', async () => {
    const request = (path: string) =>
      `POST ${path} HTTP/1.1\r\nHost: broker\r\nAuthorization: Bearer ${broker.token('orders')}\r\n\r\n`;
    const bytes = request('/v1//credentials') + request('/v1/credentials').repeat(2);
    const { answers, closed } = await sendRaw(broker.urls.api, bytes);
    expect(answers.map(({ status }) => status)).toEqual([400]);
    expect(closed).toBe(true);
    expect(broker.auditRecords().filter(({ outcome }) => outcome === 'issued')).toEqual([]);
  });
});

describe('a few requests at once (T75)', () => {
  let broker: BrokerFixture;
  beforeAll(async () => {
    broker = await startBrokerFixture();
  });
  afterAll(() => broker.stop());

  const padding = fc.constantFrom(0, 1, 3_000, 16_300);
  const request = fc.record({
    path: fc.constantFrom('/v1/credentials', '/v1/caller', '/nothing/here'),
    blanks: padding,
    chunked: fc.boolean(),
  });
  const sizes = fc.array(fc.integer({ min: 1, max: 9_000 }), { maxLength: 12 });

  function bytesOf(
    { path, blanks, chunked }: { path: string; blanks: number; chunked: boolean },
    token: string,
  ): string {
    const head = `Host: broker\r\nAuthorization: Bearer ${token}\r\n`;
    if (path === '/v1/caller') return `GET ${path} HTTP/1.1\r\n${head}\r\n`;
    // What ends the head of a request may stand in a body.
    const body = `{${' '.repeat(blanks)}\r\n\r\n\r\n}`;
    const json = `${head}Content-Type: application/json\r\n`;
    const framed = chunked
      ? `${json}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
      : `${json}Content-Length: ${body.length}\r\n\r\n${body}`;
    return `POST ${path} HTTP/1.1\r\n${framed}`;
  }

  it('have their answers in order, wherever the bytes are cut apart', async () => {
    const token = broker.token('orders');
    await fc.assert(
      fc.asyncProperty(
        fc.array(request, { minLength: 1, maxLength: 8 }),
        sizes,
        async (all, at) => {
          const bytes = all.map((one) => bytesOf(one, token)).join('');
          const { answers } = await sendRaw(broker.urls.api, bytes, {
            answers: all.length,
            pieces: at,
          });
          const kinds = answers.map(
            ({ status, text }) => `${status} ${Object.keys(JSON.parse(text))[0]}`,
          );
          expect(kinds).toEqual(
            all.map(({ path }) => {
              if (path === '/nothing/here') return '404 type';
              return path === '/v1/caller' ? '200 caller' : '200 credentials';
            }),
          );
        },
      ),
      runs(40),
    );
  });
});

describe('requests over TLS that do not wait for answers (T75)', () => {
  let broker: BrokerFixture;
  const pair = selfSigned('broker');
  beforeAll(async () => {
    broker = await startBrokerFixture({
      configure: (config) => {
        const file = config.audit.directory ?? '';
        writeFileSync(`${file}.crt`, pair.cert);
        writeFileSync(`${file}.key`, pair.key);
        const tls = { certFile: `${file}.crt`, keyFile: `${file}.key` };
        return { ...config, listeners: { ...config.listeners, api: { port: 0, tls } } };
      },
    });
  });
  afterAll(() => broker.stop());

  function saidTo(bytes: string): Promise<string> {
    return new Promise((resolve) => {
      const port = Number(new URL(broker.urls.api).port);
      const trust = { ca: pair.cert, checkServerIdentity: () => undefined };
      const socket = connectTls({ host: '127.0.0.1', port, ...trust });
      let text = '';
      socket.on('data', (chunk) => {
        text += String(chunk);
      });
      socket.on('error', () => undefined).on('close', () => resolve(text));
      socket.write(bytes);
    });
  }

  it('end the connection as well, and a few are answered', async () => {
    const few = 'GET /x HTTP/1.1\r\nHost: broker\r\n\r\n'.repeat(7);
    const last = 'GET /x HTTP/1.1\r\nHost: broker\r\nConnection: close\r\n\r\n';
    expect((await saidTo(few + last)).match(/HTTP\/1\.1 404/g)).toHaveLength(8);
    const before = begun(await broker.metrics());
    await saidTo(flood);
    const metrics = await broker.metrics();
    expect(begun(metrics) - before).toBeLessThanOrEqual(1);
    expect(metrics.get(cut('api'))).toBe(1);
  });
});
