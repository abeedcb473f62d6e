import { gzipSync } from 'node:zlib';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { IssuerUser } from '../../emulators/issuer/issuer-claims.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { portion } from '../support/fuzz-budget.ts';
import type { Answer, Call } from '../support/http-call.ts';
import { allow, clients, defaultMappings, pool, roleNamed } from '../support/outside-world.ts';
import { sendRaw } from '../support/raw-http.ts';

const path = '/v1/credentials';
const canary = 'CANARY-that-no-answer-repeats';
const users: readonly IssuerUser[] = Array.from({ length: 100 }, (_, index) => ({
  username: `user-${index}`,
  sub: `7d8e2a5c-1111-4222-8333-${String(index).padStart(12, '0')}`,
  groups: ['builders'],
}));

let broker: BrokerFixture;
beforeAll(async () => {
  broker = await startBrokerFixture({
    users,
    stsLatencyMs: 20,
    mappings: [
      ...defaultMappings,
      {
        ...allow('builder', 'orders'),
        principal: { pool, group: 'builders' },
        session: {
          policy: {
            Version: '2012-10-17',
            Statement: [
              {
                Effect: 'Allow',
                Action: 's3:GetObject',
                // biome-ignore lint/suspicious/noTemplateCurlyInString: a claim reference of a session policy
                Resource: 'arn:aws:s3:::builds/${claim:sub}/*',
              },
            ],
          },
        },
      },
      allow('next-year', 'stranger', { conditions: { notBefore: '2999-01-01T00:00:00Z' } }),
    ],
  });
});
afterAll(() => broker.stop());

function post(call: Omit<Call, 'path' | 'method'> & { readonly path?: string }): Promise<Answer> {
  return broker.call({ method: 'POST', path, ...call });
}

/** Asks, and proves that what is refused reaches nobody, is on record, and repeats nothing of the request. */
async function refusal(call: Parameters<typeof post>[0]) {
  const callsBefore = broker.sts.requests.length;
  const answer = await post(call);
  expect(broker.sts.requests).toHaveLength(callsBefore);
  expect(answer.text).not.toContain(canary);
  expect(answer.text).not.toMatch(/ {2}at |\.[jt]s:|node_modules/);
  const { outcome, code, credentials } = broker.auditRecordOf(answer);
  expect({ outcome, code, credentials }).toEqual({
    outcome: 'denied',
    code: answer.body.code,
    credentials: undefined,
  });
  return { answer, said: `${answer.status} ${answer.body.code}` };
}

describe('POST /v1/credentials answers 200', () => {
  it('with credentials that work and belong to the session it names', async () => {
    const { status, body } = await broker.issue('orders');

    expect(status).toBe(200);
    const { credentials, ...session } = body;
    expect(session).toEqual({
      assumedRole: {
        arn: `arn:aws:sts::123456789012:assumed-role/orders-writer/${clients.orders.clientId}`,
        id: expect.stringMatching(new RegExp(`^AROA\\w+:${clients.orders.clientId}$`)),
      },
      mapping: 'orders-writer',
      role: roleNamed('orders-writer'),
    });
    const aws = new STSClient({
      region: 'us-east-1',
      endpoint: broker.sts.url,
      credentials: { ...credentials, expiration: new Date(credentials.expiration) },
    });
    const { Arn } = await aws.send(new GetCallerIdentityCommand({}));
    aws.destroy();
    expect(Arn).toBe(session.assumedRole.arn);
  });

  it('from the cache the second time, with a record of its own', async () => {
    const first = await broker.issue('reports', { role: 'reports-reader' });
    const calls = broker.sts.requests.length;
    const second = await broker.issue('reports', { role: 'reports-reader' });

    expect(second.body).toEqual(first.body);
    expect(broker.sts.requests).toHaveLength(calls);
    expect(broker.auditRecordOf(first)).toMatchObject({ credentials: { cached: false } });
    expect(broker.auditRecordOf(second)).toMatchObject({
      outcome: 'issued',
      credentials: { cached: true, accessKeyId: first.body.credentials.accessKeyId },
    });
  });

  it.each([
    ['the id of a role mapping', 'reports-publisher'],
    ['the ARN of a role', roleNamed('reports-publisher')],
  ])('to a caller that names %s', async (_what, role) => {
    const { status, body } = await broker.issue('reports', { role });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      mapping: 'reports-publisher',
      role: roleNamed('reports-publisher'),
    });
  });

  it.each([900, 5040, 7200])('with a session of the %i seconds asked for', async (seconds) => {
    const askedAt = Date.now();
    const role = 'reports-publisher';
    const { body } = await broker.issue('reports', { role, durationSeconds: seconds });
    const lasts = (Date.parse(body.credentials.expiration) - askedAt) / 1000;
    expect(lasts).toBeGreaterThan(seconds - 2);
    expect(lasts).toBeLessThan(seconds + 10);
    expect(broker.sts.requests.at(-1)?.durationSeconds).toBe(seconds);
  });

  it('T67: with a session of whole minutes, and what was asked for and granted on record', async () => {
    const role = 'reports-publisher';
    const answer = await broker.issue('reports', { role, durationSeconds: 1999 });
    expect(broker.sts.requests.at(-1)?.durationSeconds).toBe(1980);
    expect(broker.auditRecordOf(answer)).toMatchObject({
      request: { durationSeconds: 1999 },
      session: { durationSeconds: 1980 },
    });
    const again = await broker.issue('reports', { role, durationSeconds: 1981 });
    expect(again.body).toEqual(answer.body);
  });

  it.each([
    ['no body', {}],
    ['a body of null, as Go clients of openapi-generator send none', { body: 'null' }],
    ['an empty object', { body: {} }],
    ['an announced empty body', { headers: { 'content-length': '0' } }],
    [
      'UTF-8 declared',
      { body: {}, headers: { 'content-type': 'application/json; charset=utf-8' } },
    ],
    ...(
      [
        'application/json ; charset=utf-8',
        'application/json;\tcharset=utf8',
        'application/json;charset="utf8"',
        'application/json;',
        'application/json ; ; ',
        'application/json; version=1; charset=UTF-8',
        'application/json; note="a;b=\\"c"',
      ] as const
    ).map((type) => [type, { body: {}, headers: { 'content-type': type } }] as const),
    ['identity coding', { body: {}, headers: { 'content-encoding': 'Identity' } }],
    ['UTF-8 quoted', { body: {}, headers: { 'content-type': 'Application/JSON;charset="UTF-8"' } }],
  ])('to a request with %s', async (_what, call) => {
    expect((await post({ ...call, token: broker.token('orders') })).status).toBe(200);
  });

  it.each(['bearer', 'BEARER'])('whatever the case of the scheme: %s', async (scheme) => {
    const authorization = `${scheme} ${broker.token('orders')}`;
    expect((await post({ headers: { authorization } })).status).toBe(200);
  });

  it('never as a revalidation, an entity tag or a compressed body (T33)', async () => {
    const answer = await post({
      token: broker.token('orders'),
      headers: {
        'if-none-match': '*',
        'if-modified-since': new Date().toUTCString(),
        'accept-encoding': 'gzip, br',
        range: 'bytes=0-10',
      },
    });
    expect(answer.status).toBe(200);
    expect(answer.body.credentials.accessKeyId).toMatch(/^ASIA/);
    for (const name of ['etag', 'last-modified', 'content-encoding', 'vary', 'set-cookie']) {
      expect(answer.headers).not.toHaveProperty(name);
    }
  });

  it('under a request id of its own, never one that the caller chose', async () => {
    const chosen = '00000000-0000-4000-8000-000000000000';
    const ids = await Promise.all(
      ['orders', 'orders', 'stranger'].map(async (name) => {
        const answer = await post({
          token: broker.token(name as 'orders'),
          headers: { 'x-request-id': chosen, 'request-id': chosen, traceparent: chosen },
        });
        return answer.requestId;
      }),
    );
    expect(new Set([...ids, chosen]).size).toBe(4);
  });

  it('to a hundred callers at once with the credentials of each, and of nobody else (T28)', async () => {
    const answers = await Promise.all(
      users.map(({ username }) =>
        post({ token: broker.token('orders', { user: username }), body: { role: 'builder' } }),
      ),
    );

    const sessions = answers.map(({ body }) => body.assumedRole.arn.split('/').at(-1));
    expect(sessions).toEqual(users.map(({ sub }) => sub));
    const keys = answers.map(({ body }) => body.credentials.accessKeyId);
    expect(new Set(keys).size).toBe(users.length);
    const asked = broker.sts.requests.filter(({ roleArn }) => roleArn === roleNamed('builder'));
    for (const { roleSessionName, policy } of asked) {
      expect(policy).toContain(`arn:aws:s3:::builds/${roleSessionName}/*`);
    }
  });
});

describe('equal requests that find nothing cached, however many', () => {
  const herd = portion(1000);

  it('cause one call of STS, and all get its credentials', async () => {
    const request = `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${broker.token('reports')}\r\nContent-Type: application/json\r\nContent-Length: 51\r\n\r\n{"role":"reports-publisher","durationSeconds":1260}`;
    const before = broker.sts.requests.length;
    const results = await Promise.all(
      Array.from({ length: herd }, () => sendRaw(broker.urls.api, request, { answers: 1 })),
    );

    const answers = results.flatMap((result) => result.answers);
    expect(answers).toHaveLength(herd);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers[0]?.status).toBe(200);
    expect(broker.sts.requests).toHaveLength(before + 1);
    expect(new Set(answers.map(({ headers }) => headers['x-request-id'])).size).toBe(herd);
  });
});

describe('POST /v1/credentials asks which role is meant', () => {
  it('and lists those that are allowed, by mapping (T20)', async () => {
    const { answer, said } = await refusal({ token: broker.token('reports') });
    expect(said).toBe('400 role_ambiguous');
    expect(answer.body.choices).toEqual([
      { mapping: 'reports-publisher', role: roleNamed('reports-publisher') },
      { mapping: 'reports-reader', role: roleNamed('reports-reader') },
    ]);
  });
});

describe('POST /v1/credentials refuses a token with 401', () => {
  const challenge = 'Bearer realm="token-broker"';

  it.each([
    ['there is no Authorization header', undefined],
    ['it is empty', ''],
  ])('when %s, and its challenge names no error', async (_when, authorization) => {
    const { answer, said } = await refusal({
      headers: authorization === undefined ? {} : { authorization },
    });
    expect(said).toBe('401 token_missing');
    expect(answer.headers['www-authenticate']).toBe(challenge);
  });

  it.each([
    ['of another scheme', `Basic ${canary}`],
    ['of a scheme alone', 'Bearer'],
    ['with something behind it', `Bearer ${canary} ${canary}`],
    ['in a list', `Bearer ${canary},Bearer ${canary}`],
    ['in quotes', `Bearer "${canary}"`],
    ['as an auth-param', `Bearer token=${canary} `],
    ['that is no JWT', `Bearer ${canary}`],
    ['that is too large', `Bearer ${canary}${'a'.repeat(9000)}`],
  ])('%s, and its challenge says invalid_token', async (_what, authorization) => {
    const { answer, said } = await refusal({ headers: { authorization } });
    expect(said).toMatch(/^401 token_(malformed|too_large)$/);
    expect(answer.headers['www-authenticate']).toBe(
      `${challenge}, error="invalid_token", error_description="${answer.body.title}"`,
    );
  });

  it.each([
    ['in the query', { path: `${path}?access_token=${canary}` }, '400 query_invalid'],
    [
      'in a cookie',
      { headers: { cookie: `token=${canary}; access_token=${canary}` } },
      '401 token_missing',
    ],
    [
      'in a form',
      {
        body: `access_token=${canary}`,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      },
      '401 token_missing',
    ],
    ['in a JSON body', { body: { token: canary } }, '401 token_missing'],
    [
      'in another header',
      { headers: { 'x-authorization': canary, 'proxy-authorization': `Bearer ${canary}` } },
      '401 token_missing',
    ],
  ])('that stands %s', async (_where, call, expected) => {
    expect((await refusal(call)).said).toBe(expected);
  });

  it('whose signature is wrong, or whose issuer or key is unknown', async () => {
    const good = broker.token('orders');
    const [header, payload, signature = ''] = good.split('.');
    const claims = JSON.parse(Buffer.from(payload ?? '', 'base64url').toString()) as object;
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const wrongSignature = `${header}.${payload}.${signature.slice(0, 50)}AAAA${signature.slice(54)}`;
    const otherIssuer = `${header}.${encode({ ...claims, iss: 'https://example.com' })}.${signature}`;
    const otherKey = `${encode({ alg: 'RS256', kid: 'nobody' })}.${payload}.${signature}`;

    const codes = [];
    for (const token of [wrongSignature, otherIssuer, otherKey]) {
      codes.push((await refusal({ token })).said);
    }
    expect(codes).toEqual([
      '401 token_signature_invalid',
      '401 token_issuer_unknown',
      '401 token_key_unknown',
    ]);
  });
});

describe('POST /v1/credentials refuses a caller', () => {
  it('in the same words, whatever the reason and whatever there is (T26)', async () => {
    const asked: Parameters<typeof post>[0][] = [
      // No mapping at all for this role, for this caller, or yet.
      { token: broker.token('orders'), body: { role: 'no-such-mapping' } },
      { token: broker.token('orders'), body: { role: roleNamed('no-such-role') } },
      { token: broker.token('orders'), body: { role: 'reports-reader' } },
      { token: broker.token('orders'), body: { role: roleNamed('reports-reader') } },
      { token: broker.token('stranger') },
      { token: broker.token('orders', { scopes: ['orders/read'] }) },
    ];
    const answers = [];
    for (const call of asked) answers.push((await refusal(call)).answer);

    for (const { status, body } of answers) {
      expect(status).toBe(403);
      expect({ ...body, request_id: '' }).toEqual({ ...answers[0]?.body, request_id: '' });
    }
    const reasons = answers.map((answer) => broker.auditRecordOf(answer)['reason']);
    expect(new Set(reasons)).toEqual(new Set(['no_mapping', 'scope_missing', 'not_yet_valid']));
  });

  it('at once when a deny is written, although its session is cached (T31)', async () => {
    expect((await broker.issue('orders')).status).toBe(200);
    const freeze = allow('freeze-orders', 'orders', { effect: 'deny', role: '*' });
    await broker.putMapping(freeze);

    expect((await refusal({ token: broker.token('orders') })).said).toBe('403 access_denied');

    await broker.putMapping({ ...freeze, enabled: false });
    expect((await broker.issue('orders')).status).toBe(200);
  });

  it('whose token has no audience, and says what to configure', async () => {
    const { answer, said } = await refusal({ token: broker.token('legacy') });
    expect(said).toBe('422 token_audience_missing');
    expect(answer.body.detail).toContain('pre token generation trigger');
  });

  it('that asks for a longer session than its mapping allows', async () => {
    const { answer, said } = await refusal({
      token: broker.token('orders'),
      body: { durationSeconds: 3601 },
    });
    expect(said).toBe('400 duration_not_allowed');
    expect(answer.body.detail).toContain('900 to 3600');
  });
});

describe('POST /v1/credentials refuses a body (T41)', () => {
  const malformed = '400 body_malformed';
  const invalid = '400 body_invalid';

  it.each<[string, unknown, string]>([
    ['with a name twice', '{"role":"orders-writer","role":"reports-reader"}', malformed],
    ['with a name twice, once escaped', '{"role":"orders-writer","r\\u006fle":"x"}', malformed],
    ['with __proto__', '{"__proto__":{"role":"orders-writer"}}', malformed],
    ['that is not JSON', canary, malformed],
    ['that ends early', '{"role":"orders-writer"', malformed],
    ['with something behind it', `{} ${canary}`, malformed],
    ['that starts with a byte order mark', '\ufeff{}', malformed],
    ['in invalid UTF-8', Buffer.from('{"role":"\xff\xfe"}', 'latin1'), malformed],
    ['in UTF-16', Buffer.from('{"role":"orders-writer"}', 'utf16le'), malformed],
    ['nested too deeply', `${'['.repeat(17)}${']'.repeat(17)}`, malformed],
    ['nested a thousand times', `${'[{"a":'.repeat(1000)}`, malformed],
    [
      'with too many names',
      JSON.stringify(Object.fromEntries(Array.from({ length: 1100 }, (_, i) => [i, 1]))),
      malformed,
    ],
    ['with an unknown member', { [canary]: 1 }, invalid],
    ['with a member of another API', { roleArn: 'orders-writer' }, invalid],
    ['with a role that is no text', { role: 1 }, invalid],
    ['with a role of several', { role: ['orders-writer'] }, invalid],
    ['with an empty role', { role: '' }, invalid],
    ['with a role that no name can be', { role: `orders writer ${canary}` }, invalid],
    ['with a token for a role', { role: 'eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl' }, invalid],
    ['with a role beyond any ARN', { role: 'a'.repeat(2049) }, invalid],
    ['with a null', { role: null }, invalid],
    ['with a duration as text', { durationSeconds: '900' }, invalid],
    ['with a fractional duration', { durationSeconds: 900.5 }, invalid],
    ['with a duration beyond numbers', '{"durationSeconds":1e400}', malformed],
    ['with a duration below the least of STS', { durationSeconds: 899 }, invalid],
    ['with a duration above the most of STS', { durationSeconds: 43_201 }, invalid],
    ['that is a list', [], invalid],
    ['that is a text', '"orders-writer"', invalid],
  ])('%s', async (_what, body, expected) => {
    expect((await refusal({ token: broker.token('orders'), body })).said).toBe(expected);
  });

  it('with every fault at once, and points at each', async () => {
    const { answer } = await refusal({
      token: broker.token('orders'),
      body: { role: 5, durationSeconds: 1, extra: true },
    });
    const pointers = answer.body.errors.map(({ pointer }: { pointer: string }) => pointer);
    expect(pointers.sort()).toEqual(['', '/durationSeconds', '/role']);
  });

  it.each<[string, Record<string, string>]>([
    ['text/plain', { 'content-type': 'text/plain' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['multipart', { 'content-type': 'multipart/form-data; boundary=x' }],
    ['another charset', { 'content-type': 'application/json; charset=utf-16' }],
    ['further parameters', { 'content-type': 'application/json; charset=utf-8; charset=utf-7' }],
    ['a blank before the slash', { 'content-type': 'application /json' }],
    ['a longer type', { 'content-type': 'application/jsonx' }],
    ['two types', { 'content-type': 'application/json, text/plain' }],
    ['a parameter without a value', { 'content-type': 'application/json; charset' }],
    ['a blank in a parameter', { 'content-type': 'application/json; charset = utf-8' }],
    ['two codings', { 'content-encoding': 'identity, gzip' }],
    ['a JSON dialect', { 'content-type': 'application/merge-patch+json' }],
    ['no type', { 'content-type': '' }],
  ])('sent as %s', async (_what, headers) => {
    const said = await refusal({ token: broker.token('orders'), body: '{}', headers });
    expect(said.said).toBe('415 media_type_unsupported');
  });

  it('that is compressed, without inflating it', async () => {
    const bomb = gzipSync(Buffer.alloc(8 * 1024 * 1024));
    const { said } = await refusal({
      token: broker.token('orders'),
      body: bomb,
      headers: { 'content-encoding': 'gzip' },
    });
    expect(said).toBe('415 media_type_unsupported');
  });

  it('that is larger than 16 KiB', async () => {
    const body = JSON.stringify({ role: 'a'.repeat(16_384) });
    const { said } = await refusal({ token: broker.token('orders'), body });
    expect(said).toBe('413 body_too_large');
  });

  it('of any kind when the query is not empty', async () => {
    for (const query of ['?role=orders-writer', `?${canary}`]) {
      const { said } = await refusal({ token: broker.token('orders'), path: path + query });
      expect(said).toBe('400 query_invalid');
    }
  });
});

describe('POST /v1/credentials refuses browsers', () => {
  it.each(['https://example.com', 'null', 'http://127.0.0.1'])('of origin %s', async (origin) => {
    const { answer, said } = await refusal({ token: broker.token('orders'), headers: { origin } });
    expect(said).toBe('403 origin_refused');
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-'))).toEqual([]);
  });
});

describe('/v1/credentials answers 405', () => {
  it.each(['PUT', 'PATCH', 'DELETE', 'OPTIONS'])('to %s, with Allow', async (method) => {
    const answer = await broker.call({ method, path, token: broker.token('orders') });
    expect(answer.status).toBe(405);
    expect(answer.body.code).toBe('method_not_allowed');
    expect(answer.headers['allow']).toContain('POST');
  });
});
