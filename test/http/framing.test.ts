/** What no HTTP client would send: bytes on a socket. */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { clientIp } from '../../src/http/client-ip.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { contractFaults } from '../support/contract.ts';
import { runs } from '../support/fuzz-budget.ts';
import { type RawAnswer, type RawOptions, sendRaw } from '../support/raw-http.ts';
import { until } from '../support/until.ts';

const canary = 'CANARY-that-no-answer-repeats';
const malformed = '400 request_malformed';

let broker: BrokerFixture;
let token: string;
beforeAll(async () => {
  broker = await startBrokerFixture();
  token = broker.token('orders');
});
afterAll(() => broker.stop());

interface RequestParts {
  readonly line?: string;
  /** Header lines behind Host and Authorization. */
  readonly fields?: string;
  readonly host?: string;
  readonly authorization?: string;
  readonly body?: string;
}

function request(parts: RequestParts): string {
  const {
    line = 'POST /v1/credentials HTTP/1.1',
    host = 'Host: broker\r\n',
    authorization = `Authorization: Bearer ${token}\r\n`,
    fields = '',
    body = '',
  } = parts;
  return `${line}\r\n${host}${authorization}${fields}\r\n${body}`;
}

/** Every answer keeps the contract, whatever the question was. */
function said(answers: readonly RawAnswer[], bytes: string): readonly string[] {
  const [method = '', target = ''] = bytes.split(' ');
  return answers.map(({ status, headers, text }) => {
    const exchanged = { status, headers, text, requestHeaders: {}, requestBody: undefined };
    expect(contractFaults({ listener: 'api', method, target, ...exchanged })).toEqual([]);
    expect(text).not.toContain(canary);
    const { code } = JSON.parse(text) as { code?: string };
    return `${status} ${code ?? ''}`.trim();
  });
}

/** What is said before the server ends the connection. */
async function saidUntilClosed(bytes: string): Promise<string> {
  const { answers, rest } = await sendRaw(broker.urls.api, bytes);
  expect(rest).toBe('');
  for (const { headers } of answers) expect(headers['connection']).toBe('close');
  return said(answers, bytes).join(', ');
}

/** What is said first, with the connection left open. */
async function saidAndOpen(bytes: string, options: RawOptions = {}): Promise<string> {
  const result = await sendRaw(broker.urls.api, bytes, { answers: 1, ...options });
  expect(result.closed).toBe(false);
  expect(result.answers[0]?.headers['connection']).not.toBe('close');
  return said(result.answers, bytes).join(', ');
}

/** Equal denials of one client share a record, and those of other clients are not its own. */
function clientOfItsOwn() {
  known += 1;
  const userAgent = `client ${known}`;
  const recorded = () =>
    broker
      .auditRecords()
      .filter((record) => record['userAgent'] === userAgent)
      .map(({ outcome, code }) => `${outcome} ${code ?? ''}`.trim());
  return {
    field: `User-Agent: ${userAgent}\r\n`,
    /** The record of a request that has already been answered by the connection may come a moment later. */
    async recordsOf(work: () => Promise<unknown>): Promise<readonly string[]> {
      await work();
      await until(() => recorded().length > 0);
      return recorded();
    },
  };
}
let known = 0;

describe('a request line (T36)', () => {
  it.each([
    ['an empty segment at the front', '//v1/credentials'],
    ['an empty segment', '/v1//credentials'],
    ['a dot segment', '/v1/./credentials'],
    ['a dot segment at the end', '/v1/credentials/.'],
    ['two dots', '/v1/x/../credentials'],
    ['two dots at the end', '/v1/credentials/..'],
    ['a percent-encoded letter', '/v1/%63redentials'],
    ['percent-encoded dots', '/v1/%2e%2e/v1/credentials'],
    ['a percent-encoded slash', '/v1%2fcredentials'],
    ['a percent sign alone', '/v1/credentials%'],
    ['a percent-encoded NUL', '/v1/credentials%00'],
    ['invalid percent-encoded UTF-8', '/v1/credentials%ff'],
    ['a backslash', '/v1\\credentials'],
    ['a fragment', '/v1/credentials#x'],
    ['a fragment in the query', '/v1/credentials?x#y'],
    ['letters beyond ASCII', '/v1/credentials\xe9'],
    ['absolute form', 'http://broker/v1/credentials'],
    ['absolute form of another host', `http://${canary}/v1/credentials`],
    ['asterisk form', '*'],
    ['authority form', 'broker:443'],
  ])('with %s is refused, and the connection ends', async (_what, target) => {
    const bytes = request({ line: `POST ${target} HTTP/1.1` });
    expect(await saidUntilClosed(bytes)).toBe(malformed);
  });

  it.each([
    ['/v1/credentials/', '404 route_not_found'],
    ['/V1/credentials', '404 route_not_found'],
    ['/v1/Credentials', '404 route_not_found'],
    ['/v1/credentials;x=1', '404 route_not_found'],
    ['/v1/credentials,', '404 route_not_found'],
    ['/v1', '404 route_not_found'],
    [`/${canary}`, '404 route_not_found'],
    [`/${'a'.repeat(8192)}`, '414 uri_too_long'],
    ['/v1/credentials?', '400 query_invalid'],
  ])('POST %.40s is answered %s, and the connection goes on', async (target, expected) => {
    expect(await saidAndOpen(request({ line: `POST ${target} HTTP/1.1` }))).toBe(expected);
  });

  it.each([
    'POST /v1/credentials HTTP/1.0',
    'POST /v1/credentials HTTP/2.0',
    'POST /v1/credentials HTTP/1.1 x',
    'POST /v1/credentials',
    'FETCH /v1/credentials HTTP/1.1',
    'post /v1/credentials HTTP/1.1',
    ' POST /v1/credentials HTTP/1.1',
    'PRI * HTTP/2.0',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'CONNECT broker:443 HTTP/1.1',
    canary,
  ])('that says %j is refused, and the connection ends', async (line) => {
    expect(await saidUntilClosed(request({ line }))).toBe(malformed);
  });

  it('of TRACE is answered 405, and nothing of the request comes back', async () => {
    const bytes = request({
      line: 'TRACE /v1/credentials HTTP/1.1',
      fields: `X-Canary: ${canary}\r\n`,
    });
    expect(await saidAndOpen(bytes)).toBe('405 method_not_allowed');
  });
});

describe('header fields (T36, T37)', () => {
  it.each([
    ['no Host', { host: '' }],
    ['an empty Host', { host: 'Host:\r\n' }],
    ['two Hosts', { fields: 'Host: broker\r\n' }],
    ['two tokens', { fields: 'Authorization: Bearer x\r\n' }],
    ['two tokens, one lower-case', { fields: 'authorization: Bearer x\r\n' }],
    [
      'two media types',
      { fields: 'Content-Type: text/plain\r\nContent-Type: application/json\r\n' },
    ],
    ['a folded field', { fields: 'X-Y: a\r\n b\r\n' }],
    ['a folded token', { authorization: 'Authorization: Bearer\r\n x\r\n' }],
    ['a blank before the colon', { fields: 'X-Y : a\r\n' }],
    ['a bare line feed', { fields: 'X-Y: a\nX-Z: b\r\n' }],
    ['a bare carriage return', { fields: 'X-Y: a\rX-Z: b\r\n' }],
    ['a NUL', { fields: 'X-Y: a\0b\r\n' }],
    ['no colon', { fields: 'X-Y\r\n' }],
    ['no name', { fields: ': a\r\n' }],
    ['a name beyond ASCII', { fields: '\xe9: a\r\n' }],
  ])('with %s are refused, and the connection ends', async (_what, parts) => {
    expect(await saidUntilClosed(request(parts))).toBe(malformed);
  });

  it('of more than 16 KiB are refused, and the connection ends', async () => {
    const bytes = request({ fields: `X-Y: ${'a'.repeat(17_000)}\r\n` });
    expect(await saidUntilClosed(bytes)).toBe('431 headers_too_large');
  });

  it.each([63, 1_100, 3_000])(
    'of which there are %i more are refused, on every Node.js (T282)',
    async (count) => {
      const bytes = request({ fields: 'X:\r\n'.repeat(count) });
      expect(await saidAndOpen(bytes)).toBe('431 headers_too_large');
    },
  );

  it('of which there are 64 are read', async () => {
    expect(await saidAndOpen(request({ fields: 'X:\r\n'.repeat(62) }))).toBe('200');
  });

  it('with an expectation that nobody knows do not leave the client waiting', async () => {
    expect(await saidAndOpen(request({ fields: 'Expect: miracles\r\n' }))).toBe('200');
  });

  it('that ask to continue get the answer to the whole request', async () => {
    const fields =
      'Expect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 2\r\n';
    expect(await saidAndOpen(request({ fields, body: '{}' }))).toBe('200');
  });
});

const hostsThatAreNone = [
  'a b',
  '/',
  'broker/x',
  '@',
  'user@broker',
  '[::1',
  '::1',
  '[::1]x',
  '[broker]',
  '[]',
  'broker:80:80',
  'broker:x',
  'broker:123456',
  'br\xf6ker',
  'broker%',
  'broker%2',
  '<broker>',
  '"broker"',
  'broker?x',
  'broker#x',
  'broker, other',
  ':80',
];
const hosts = [
  'broker',
  'broker.',
  'b_r',
  '127.0.0.1',
  '127.0.0.1:80',
  '[::1]',
  '[2001:db8::7]:443',
  'br%C3%B6ker',
];

describe('the Host (T76)', () => {
  it.each(hostsThatAreNone)(
    '%j is refused on every listener, and the connection ends',
    async (host) => {
      expect(await saidUntilClosed(request({ host: `Host: ${host}\r\n` }))).toBe(malformed);
      for (const [listener, path] of [
        ['ops', '/livez'],
        ['admin', '/v1/changes'],
      ] as const) {
        const bytes = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
        const { answers, closed } = await sendRaw(broker.urls[listener] as string, bytes);
        expect([answers.map(({ status }) => status), closed]).toEqual([[400], true]);
      }
    },
  );

  it.each([...hosts, 'broker:'])('%j is accepted', async (host) => {
    expect(await saidAndOpen(request({ host: `Host: ${host}\r\n` }))).toBe('200');
  });
});

describe('HTTP/1.0', () => {
  it.each(['/livez', '/readyz', '/metrics'])(
    'is answered on the ops listener: GET %s',
    async (path) => {
      for (const host of ['', 'Host: broker\r\n']) {
        const bytes = `GET ${path} HTTP/1.0\r\n${host}\r\n`;
        const { answers, closed } = await sendRaw(broker.urls.ops, bytes);
        expect(answers.map(({ status }) => status)).toEqual([200]);
        expect(closed).toBe(true);
      }
    },
  );

  it('is answered there without chunks (T36)', async () => {
    const bytes = 'GET /livez HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
    const { answers } = await sendRaw(broker.urls.ops, bytes);
    expect(answers.map(({ status }) => status)).toEqual([400]);
  });

  it.each([
    ['api', '/v1/caller'],
    ['admin', '/v1/changes'],
  ] as const)(
    'is refused on the %s listener, with the setting of the proxy',
    async (listener, path) => {
      const bytes = `GET ${path} HTTP/1.0\r\nHost: broker\r\n\r\n`;
      const { answers } = await sendRaw(broker.urls[listener] as string, bytes);
      expect(answers.map(({ status }) => status)).toEqual([400]);
      expect(answers[0]?.text).toContain('proxy_http_version 1.1');
    },
  );
});

describe('an offered upgrade is answered as if it were not there (T77)', () => {
  const offers = [
    'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n',
    'Connection: Upgrade\r\nUpgrade: websocket\r\n',
    'Upgrade: h2c\r\n',
  ];
  const json = 'Content-Type: application/json\r\n';

  it.each(offers)('without a body, and the connection goes on: %j', async (fields) => {
    const bytes = request({ fields }) + request({ line: 'GET /v1/caller HTTP/1.1', fields });
    const { answers, closed } = await sendRaw(broker.urls.api, bytes, { answers: 2 });
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(closed).toBe(false);
  });

  it.each(offers)(
    'with a body, and what follows in the same bytes is not read: %j',
    async (fields) => {
      for (const [framing, body] of [
        ['Content-Length: 2\r\n', '{}'],
        ['Transfer-Encoding: chunked\r\n', '2\r\n{}\r\n0\r\n\r\n'],
      ] as const) {
        const first = request({ fields: fields + json + framing, body });
        expect(await saidUntilClosed(first + request({}) + request({}))).toBe('200');
      }
    },
  );
});

describe('message framing (T36, T37)', () => {
  const json = 'Content-Type: application/json\r\n';
  const chunked = `${json}Transfer-Encoding: chunked\r\n`;

  it.each([
    ['a length and chunks', `${chunked}Content-Length: 4\r\n`, '0\r\n\r\n'],
    [
      'chunks and a length',
      `${json}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n`,
      '0\r\n\r\n',
    ],
    ['two lengths', `${json}Content-Length: 2\r\nContent-Length: 2\r\n`, '{}'],
    ['a list of lengths', `${json}Content-Length: 2, 2\r\n`, '{}'],
    ['a signed length', `${json}Content-Length: +2\r\n`, '{}'],
    ['a negative length', `${json}Content-Length: -2\r\n`, '{}'],
    ['a hexadecimal length', `${json}Content-Length: 0x2\r\n`, '{}'],
    ['a length beyond numbers', `${json}Content-Length: 99999999999999999999999\r\n`, '{}'],
    ['an unknown coding', `${json}Transfer-Encoding: xchunked\r\n`, '0\r\n\r\n'],
    ['identity coding', `${json}Transfer-Encoding: identity\r\n`, ''],
    ['a second coding', `${json}Transfer-Encoding: gzip, chunked\r\n`, '0\r\n\r\n'],
    ['chunked twice', `${json}Transfer-Encoding: chunked, chunked\r\n`, '0\r\n\r\n'],
    ['two codings in two fields', `${chunked}Transfer-Encoding: chunked\r\n`, '0\r\n\r\n'],
    ['chunked in capitals', `${json}Transfer-Encoding: CHUNKED\r\n`, '2\r\n{}\r\n0\r\n\r\n'],
    ['a chunk size that is none', chunked, 'zz\r\n{}\r\n0\r\n\r\n'],
    ['a negative chunk size', chunked, '-2\r\n{}\r\n0\r\n\r\n'],
    ['a chunk longer than its size', chunked, '2\r\n{}}\r\n0\r\n\r\n'],
    ['a chunk line with a bare line feed', chunked, '2\n{}\r\n0\r\n\r\n'],
    ['20 KiB of chunk extensions', chunked, `2;${'a'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`],
  ])('with %s is refused once, and what follows is not read', async (_what, fields, body) => {
    const smuggled = request({});
    expect(await saidUntilClosed(request({ fields, body: body + smuggled }))).toBe(malformed);
  });

  it.each(['GET', 'HEAD'])('of %s with a body is refused', async (method) => {
    for (const fields of ['Content-Length: 2\r\n', 'Transfer-Encoding: chunked\r\n']) {
      const bytes = request({ line: `${method} /v1/caller HTTP/1.1`, fields, body: '{}' });
      const { answers } = await sendRaw(broker.urls.api, bytes, { method });
      expect(answers.map(({ status }) => status)).toEqual([400]);
    }
  });

  it('in chunks is understood, and trailers do not count', async () => {
    const body = '1\r\n{\r\n1;a=b\r\n}\r\n0\r\nAuthorization: Bearer x\r\n\r\n';
    expect(await saidAndOpen(request({ fields: chunked, body }))).toBe('200');
  });

  it('in chunks of nothing is a body that is not JSON', async () => {
    const bytes = request({ fields: chunked, body: '0\r\n\r\n' });
    expect(await saidAndOpen(bytes)).toBe('400 body_malformed');
  });

  it('in chunks that grow beyond 16 KiB is refused at that point', async () => {
    const body = `1000\r\n${' '.repeat(4096)}\r\n`.repeat(5);
    const bytes = request({ fields: chunked, body: `${body}0\r\n\r\n` });
    expect(await saidAndOpen(bytes)).toBe('413 body_too_large');
  });

  it('is kept apart between pipelined requests', async () => {
    const bytes = request({}) + request({ line: 'GET /v1/caller HTTP/1.1' }) + request({});
    const { answers } = await sendRaw(broker.urls.api, bytes, { answers: 3 });
    expect(answers.map(({ status, text }) => [status, Object.keys(JSON.parse(text))[0]])).toEqual([
      [200, 'credentials'],
      [200, 'caller'],
      [200, 'credentials'],
    ]);
  });

  it('that breaks in a body leaves a record that nothing was issued', async () => {
    const client = clientOfItsOwn();
    const bytes = request({ fields: client.field + chunked, body: 'zz\r\n' });
    expect(await client.recordsOf(() => saidUntilClosed(bytes))).toEqual([
      'denied request_malformed',
    ]);
  });
});

describe('a client that takes its time (T37)', () => {
  let patient: BrokerFixture;
  beforeAll(async () => {
    patient = broker;
    broker = await startBrokerFixture({
      timeouts: { headersMs: 150, requestMs: 250, checkMs: 20, stalledMs: 5_000 },
    });
    token = broker.token('orders');
  });
  afterAll(async () => {
    await broker.stop();
    broker = patient;
    token = broker.token('orders');
  });

  it.each([
    ['says nothing', ''],
    ['sends half of the headers', 'POST /v1/credentials HTTP/1.1\r\nHost: br'],
  ])('and %s is told so, and the connection ends', async (_what, bytes) => {
    const { answers } = await sendRaw(broker.urls.api, bytes);
    expect(said(answers, bytes)).toEqual(['408 request_timeout']);
  });

  it('with its body is told so once, and it is on record', async () => {
    const client = clientOfItsOwn();
    const bytes = request({
      fields: `${client.field}Content-Type: application/json\r\nContent-Length: 20\r\n`,
      body: '{"role',
    });
    const records = await client.recordsOf(async () => {
      expect(await saidUntilClosed(bytes)).toBe('408 request_timeout');
    });
    expect(records).toEqual(['denied request_timeout']);
  });

  it('after it was refused gets no second answer, which would be taken for the next one', async () => {
    const fields = 'Content-Type: application/json\r\nContent-Length: 20000\r\n';
    // A busy machine may read the request when its time is over: then there is more of it.
    for (const requestMs of [250, 1_000, 4_000, 10_000]) {
      const timeouts = { headersMs: requestMs, requestMs, checkMs: 20, stalledMs: 20_000 };
      const own = await startBrokerFixture({ timeouts });
      const authorization = `Authorization: Bearer ${own.token('orders')}\r\n`;
      const bytes = request({ authorization, fields, body: '{"role' });
      const { answers, closed } = await sendRaw(own.urls.api, bytes);
      await own.stop();
      const answered = said(answers, bytes);
      if (answered[0] === '408 request_timeout' && requestMs < 10_000) continue;
      expect(answered).toEqual(['413 body_too_large']);
      expect(closed).toBe(true);
      return;
    }
  });
});

describe('a client that goes away (T37)', () => {
  it('in the middle of its body leaves a record that nothing was issued', async () => {
    const client = clientOfItsOwn();
    const bytes = request({
      fields: `${client.field}Content-Type: application/json\r\nContent-Length: 20\r\n`,
      body: '{"role',
    });
    const records = await client.recordsOf(() => sendRaw(broker.urls.api, bytes, { leave: true }));
    expect(records).toEqual(['denied request_malformed']);
  });
});

describe('Host and X-Forwarded-For', () => {
  let guarded: BrokerFixture;
  beforeAll(async () => {
    guarded = await startBrokerFixture({
      configure: (config) => ({
        ...config,
        http: {
          ...config.http,
          allowedHosts: ['Broker.Internal'],
          trustedProxies: ['127.0.0.1/32', '10.0.0.0/8'],
        },
      }),
      mappings: [
        {
          id: 'inside-only',
          principal: { pool: 'us-east-1_Test00001', client: '1orders0example0client0id0' },
          effect: 'allow',
          role: 'arn:aws:iam::123456789012:role/broker/inside-only',
          conditions: { sourceCidrs: ['192.0.2.0/24', '2001:db8::/32'] },
          owner: 'test-team',
        },
      ],
    });
  });
  afterAll(() => guarded.stop());

  it.each([
    ['Broker.Internal', '403 access_denied'],
    ['broker.internal:8080', '403 access_denied'],
    ['broker.internal.', '421 host_unknown'],
    ['127.0.0.1', '421 host_unknown'],
    [`${canary}.example`, '421 host_unknown'],
    ['[::1]', '421 host_unknown'],
  ])('Host %s is answered %s', async (host, expected) => {
    const bytes = request({
      host: `Host: ${host}\r\n`,
      authorization: `Authorization: Bearer ${guarded.token('orders')}\r\n`,
    });
    const { answers } = await sendRaw(guarded.urls.api, bytes, { answers: 1 });
    expect(said(answers, bytes)).toEqual([expected]);
  });

  it('are not asked for on the ops listener, whose probes come by address', async () => {
    const { status } = await guarded.call({ listener: 'ops', path: '/livez' });
    expect(status).toBe(200);
  });

  const askFrom = (url: string, forwardedFor: string, bearer: string) =>
    sendRaw(
      url,
      request({
        host: 'Host: broker.internal\r\n',
        authorization: `Authorization: Bearer ${bearer}\r\n`,
        fields: `X-Forwarded-For: ${forwardedFor}\r\n`,
      }),
      { answers: 1 },
    );

  it.each([
    ['192.0.2.7', 200, 'the address that the proxy vouches for'],
    ['192.0.2.7, 10.1.2.3', 200, 'further trusted proxies in between'],
    ['2001:db8::7', 200, 'IPv6'],
    ['::ffff:192.0.2.7', 200, 'IPv4 written as IPv6'],
    ['192.0.2.7, 203.0.113.9', 403, 'what stands left of the first stranger was made up'],
    ['203.0.113.9', 403, 'another address'],
    ['192.0.2.7:50312', 200, 'a port'],
    ['[2001:db8::7]:443', 200, 'IPv6 in brackets, with a port'],
    ['[2001:db8::7]', 200, 'IPv6 in brackets'],
    ['2001:DB8:0:0::7', 200, 'IPv6 spelled otherwise'],
    ['::FFFF:192.0.2.7', 200, 'IPv4 written as IPv6, in capitals'],
    ['::ffff:c000:207', 200, 'IPv4 written as IPv6, in hexadecimal'],
    ['192.0.2.7, 10.1.2.3:4711', 200, 'a port of a trusted proxy'],
    ['192.0.2.7, , 10.1.2.3,', 200, 'empty items'],
    ['<script>, 192.0.2.7', 200, 'what is left of the first stranger is not judged'],
    ['192.0.2.7, unknown', 403, 'behind what the proxy does not know nothing is known'],
    ['192.0.2.7, _hidden', 403, 'a name that the proxy made up'],
    ['192.0.2.7, localhost', 403, 'a name'],
    ['192.0.2.7, 192.0.2.300', 403, 'what is nearly an address'],
    ['192.0.2.7, [192.0.2.7]', 403, 'IPv4 in brackets'],
    ['192.0.2.7, fe80::1%eth0', 403, 'an address that counts on one host'],
    ['10.9.9.9, 10.1.2.3', 403, 'only trusted proxies: none of them is the caller'],
    ['', 403, 'nothing'],
    [' , ,', 403, 'nothing but commas'],
  ])('X-Forwarded-For: %s leads to %i: %s (T38)', async (forwardedFor, status) => {
    const { answers } = await askFrom(guarded.urls.api, forwardedFor, guarded.token('orders'));
    expect(answers[0]?.status).toBe(status);
    const record = guarded.auditRecords().at(-1);
    expect(record?.['peerIp']).toBe('127.0.0.1');
    const inside = ['192.0.2.7', '2001:db8::7'];
    if (status === 200) expect(inside).toContain(record?.['sourceIp']);
    else expect(['127.0.0.1', '203.0.113.9']).toContain(record?.['sourceIp']);
  });

  it('X-Forwarded-For in two fields is one list (T38)', async () => {
    const lists = '203.0.113.9\r\nX-Forwarded-For: 192.0.2.7';
    const { answers } = await askFrom(guarded.urls.api, lists, guarded.token('orders'));
    expect(answers[0]?.status).toBe(200);
  });

  it.each([
    'localhost',
    '192.0.2.1,,192.0.2.2',
    '<script>',
    ', ,',
    '192.0.2.1\r\nX-Forwarded-For: x',
  ])(
    'X-Forwarded-For: %j is not judged from a peer that is no trusted proxy (T38)',
    async (forwardedFor) => {
      const { answers } = await askFrom(broker.urls.api, forwardedFor, token);
      expect(answers[0]?.status).toBe(200);
      expect(broker.auditRecords().at(-1)).toMatchObject({ sourceIp: '127.0.0.1' });
    },
  );

  it('X-Forwarded-For of callers in a trusted network never says who they are (T78)', async () => {
    const addresses = fc.array(
      fc.oneof(
        fc.ipV4().map((address) => address.replace(/^\d+/, '10')),
        fc.constantFrom('unknown', '_x', '', '127.0.0.1', '10.0.0.1:80'),
      ),
      { maxLength: 6 },
    );
    const sourceOf = clientIp(['127.0.0.1/32', '10.0.0.0/8']);
    await fc.assert(
      fc.asyncProperty(addresses, async (list) => {
        expect(sourceOf('127.0.0.1', list.join(', ')).sourceIp).toBe('127.0.0.1');
      }),
      runs(100),
    );
  });

  it('X-Forwarded-For from a peer that is no trusted proxy changes nothing (T38)', async () => {
    const { answers } = await askFrom(broker.urls.api, '192.0.2.7', token);
    expect(answers[0]?.status).toBe(200);
    expect(broker.auditRecords().at(-1)).toMatchObject({
      sourceIp: '127.0.0.1',
      peerIp: '127.0.0.1',
    });
  });
});
