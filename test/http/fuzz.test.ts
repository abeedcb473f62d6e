/** Whatever arrives, the service answers in its own words or not at all, and goes on. */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { isLongForm, runs } from '../support/fuzz-budget.ts';
import { sendRaw } from '../support/raw-http.ts';

let broker: BrokerFixture;
let token: string;
beforeAll(async () => {
  broker = await startBrokerFixture();
  token = broker.token('orders');
});
afterAll(() => broker.stop());

/** Sends it, says that this was all, and reads to the end of the connection. */
async function expectComposure(listener: 'api' | 'admin' | 'ops', bytes: string | Uint8Array) {
  const url = broker.urls[listener] as string;
  const { answers, rest } = await sendRaw(url, bytes, { halfClose: true });
  expect(rest).toBe('');
  for (const { status, text, headers } of answers) {
    expect(status).toBeLessThan(500);
    expect(headers['content-length']).toBe(String(Buffer.byteLength(text)));
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    expect(text).not.toMatch(/ {2}at |\.[jt]s:|node_modules|Error:/);
    if (status >= 400) expect(headers['content-type']).toMatch(errorType(bytes));
  }
}

/** AWS SDKs want errors of their routes as plain JSON or XML; what does not get that far is a problem document. */
function errorType(bytes: string | Uint8Array): RegExp {
  const text = Buffer.from(bytes).toString('latin1');
  if (text.startsWith('GET /v1/credentials')) return /^application\/(?:problem\+)?json$/;
  if (/^[A-Z]+ \/(?:sts\/?)?[ ?]/.test(text)) return /^(?:text\/xml|application\/problem\+json)$/;
  return /^application\/problem\+json$/;
}

const bounded = { ...runs(120), ...(isLongForm ? {} : { interruptAfterTimeLimit: 1_500 }) };
const listeners = fc.constantFrom('api' as const, 'admin' as const, 'ops' as const);
const method = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH');
const knownPath = fc.constantFrom(
  '/v1/credentials',
  '/v1/credentials/x',
  '/sts',
  '/v1/caller',
  '/v1/role-mappings',
  '/v1/role-mappings/x',
  '/v1/explain',
  '/v1/changes',
  '/metrics',
);
const latin1 = fc
  .uint8Array({ maxLength: 60 })
  .map((bytes) => Buffer.from(bytes).toString('latin1'));
const fieldName = fc.oneof(
  fc.constantFrom(
    'Host',
    'Authorization',
    'Content-Length',
    'Content-Type',
    'Content-Encoding',
    'Transfer-Encoding',
    'Connection',
    'Expect',
    'X-Forwarded-For',
    'If-Match',
    'Change-Reason',
  ),
  latin1,
);
const fieldValue = fc.oneof(
  fc.constantFrom('application/json', 'chunked', 'close', '0', '2', '192.0.2.1', '100-continue'),
  fc.string({ maxLength: 40 }),
  latin1,
);

describe('the service keeps its composure', () => {
  it('at any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(listeners, fc.uint8Array({ maxLength: 400 }), expectComposure),
      bounded,
    );
  });

  it('at any path and query', async () => {
    const target = fc.oneof(
      latin1,
      fc.webPath(),
      fc.tuple(knownPath, fc.webQueryParameters()).map(([path, query]) => `${path}?${query}`),
      fc.tuple(knownPath, latin1).map(([path, end]) => path + end),
    );
    await fc.assert(
      fc.asyncProperty(listeners, method, target, (listener, verb, path) =>
        expectComposure(
          listener,
          `${verb} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`,
        ),
      ),
      bounded,
    );
  });

  it('at any header fields', async () => {
    const fields = fc.array(fc.tuple(fieldName, fieldValue), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(method, knownPath, fields, latin1, (verb, path, lines, body) => {
        const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
        return expectComposure('api', `${verb} ${path} HTTP/1.1\r\nHost: x\r\n${head}\r\n${body}`);
      }),
      bounded,
    );
  });

  it('at any body, JSON or not', async () => {
    const text = fc.oneof(
      fc.json({ maxDepth: 5 }),
      fc.string({ maxLength: 200 }),
      fc
        .record({ role: fc.jsonValue(), durationSeconds: fc.jsonValue() })
        .map((it) => JSON.stringify(it)),
      fc.dictionary(fc.string(), fc.jsonValue()).map((it) => JSON.stringify(it)),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          text.map((it) => Buffer.from(it)),
          fc.uint8Array(),
        ),
        (body) => {
          const head = `POST /v1/credentials HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
          return expectComposure('api', Buffer.concat([Buffer.from(head), body]));
        },
      ),
      bounded,
    );
  });

  it('at any token', async () => {
    const [header = '', payload = '', signature = ''] = broker.token('orders').split('.');
    const part = fc.oneof(
      fc.base64String(),
      fc.jsonValue().map((it) => Buffer.from(JSON.stringify(it)).toString('base64url')),
      fc.constantFrom(header, payload, signature, ''),
    );
    const jwt = fc.oneof(
      fc.tuple(part, part, part).map((parts) => parts.join('.')),
      fc.string(),
      latin1,
    );
    await fc.assert(
      fc.asyncProperty(jwt, (bearer) =>
        expectComposure(
          'api',
          `GET /v1/caller HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${bearer}\r\n\r\n`,
        ),
      ),
      bounded,
    );
  });

  it('and serves as before afterwards, with nothing in the log that someone should look at', async () => {
    expect((await broker.issue('orders')).status).toBe(200);
    expect(broker.logs.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  });
});
