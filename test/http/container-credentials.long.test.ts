/** The container-credentials protocol: what AWS SDKs fetch by themselves, given two environment variables. */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type BrokerErrorCode, errorCodes } from '../../src/core/errors.ts';
import { awsErrorCode } from '../../src/http/forms/aws-error.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { documentedResponse, operations, securityHeaders } from '../support/contract.ts';
import type { Answer, Call } from '../support/http-call.ts';
import { account, allow, clients, defaultMappings, roleNamed } from '../support/outside-world.ts';
import { sendRaw } from '../support/raw-http.ts';

const credentialsPath = '/v1/credentials';
const canary = 'CANARY-that-no-answer-repeats';

let broker: BrokerFixture;
beforeAll(async () => {
  broker = await startBrokerFixture({
    mappings: [
      ...defaultMappings,
      allow('plus', 'reports', { role: roleNamed('with+plus,and=more@here') }),
      allow('never-cached', 'admin'),
    ],
    configure: (config) => ({
      ...config,
      sts: { ...config.sts, requestTimeoutMs: 300, totalTimeoutMs: 400 },
    }),
  });
});
afterAll(() => broker.stop());

type Get = Partial<Omit<Call, 'listener'>>;

function get(call: Get = {}): Promise<Answer> {
  return broker.call({ path: credentialsPath, ...call });
}

/** Asks, and proves that the refusal has the shape that SDKs read, reaches nobody, and is on record. */
async function refusal(call: Get) {
  const callsBefore = broker.sts.requests.length;
  const answer = await get(call);
  expect(broker.sts.requests).toHaveLength(callsBefore);
  expect(answer.text).not.toContain(canary);
  const code = brokerCodeOf(answer);
  expect(broker.auditRecordOf(answer)).toMatchObject({
    route: 'GET /v1/credentials',
    outcome: 'denied',
    code,
  });
  return { answer, said: `${answer.status} ${code} ${answer.body.Code}` };
}

/** Holds an error against every promise about its shape, and returns the broker's own code. */
function brokerCodeOf({ status, headers, body, requestId }: Answer): BrokerErrorCode {
  expect(headers['content-type']).toBe('application/json');
  const code = body.type.replace('urn:token-broker:error:', '') as BrokerErrorCode;
  const { title } = errorCodes[code];
  const { Code, Message, detail = `${title}.`, errors: _, choices: __, ...rest } = body;
  expect(Code).toMatch(/^[A-Z][A-Za-z]+$/);
  expect(Message).toBe(`${detail} (request ${requestId})`);
  expect(rest).toEqual({
    type: body.type,
    title,
    status,
    code: Code,
    message: Message,
    request_id: requestId,
  });
  return code;
}

describe('GET /v1/credentials answers 200', () => {
  it('with exactly the members and headers that AWS SDKs want, and credentials that work', async () => {
    const { status, headers, text, requestId } = await get({ token: broker.token('orders') });

    expect(status).toBe(200);
    const { date, connection, 'keep-alive': _, ...sent } = headers;
    expect(sent).toEqual({
      ...securityHeaders,
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(text)),
      'x-request-id': requestId,
    });
    const document = JSON.parse(text) as Record<string, string>;
    expect(document).toEqual({
      AccessKeyId: expect.stringMatching(/^ASIA[A-Z0-9]{16}$/),
      SecretAccessKey: expect.stringMatching(/^.{40}$/),
      Token: expect.stringMatching(/^.{100,}$/),
      // The SDK for JavaScript takes no offset but Z.
      Expiration: expect.stringMatching(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/),
      AccountId: account,
      RoleArn: roleNamed('orders-writer'),
    });
    const { AccessKeyId = '', SecretAccessKey = '', Token = '' } = document;
    const aws = new STSClient({
      region: 'us-east-1',
      endpoint: broker.sts.url,
      credentials: {
        accessKeyId: AccessKeyId,
        secretAccessKey: SecretAccessKey,
        sessionToken: Token,
      },
    });
    const { Arn } = await aws.send(new GetCallerIdentityCommand({}));
    aws.destroy();
    expect(Arn).toBe(
      `arn:aws:sts::${account}:assumed-role/orders-writer/${clients.orders.clientId}`,
    );
  });

  it('with the session that the REST form gives, on a record of its own', async () => {
    const rest = await broker.issue('orders');
    const first = await get({ token: broker.token('orders') });
    const second = await get({ token: broker.token('orders') });

    expect(first.body.AccessKeyId).toBe(rest.body.credentials.accessKeyId);
    expect(second.text).toBe(first.text);
    expect(broker.auditRecordOf(second)).toMatchObject({
      route: 'GET /v1/credentials',
      outcome: 'issued',
      credentials: { cached: true, accessKeyId: first.body.AccessKeyId },
    });
  });

  it.each([
    ['an id in the path', `${credentialsPath}/reports-publisher`, 'reports-publisher'],
    ['an id in the query', `${credentialsPath}?role=reports-publisher`, 'reports-publisher'],
    ['an ARN', `${credentialsPath}?role=${roleNamed('reports-reader')}`, 'reports-reader'],
    [
      'an ARN, percent-encoded',
      `${credentialsPath}?role=${encodeURIComponent(roleNamed('reports-reader'))}`,
      'reports-reader',
    ],
    [
      'an ARN with a plus sign',
      `${credentialsPath}?role=${roleNamed('with+plus,and=more@here')}`,
      'with+plus,and=more@here',
    ],
    [
      'the same, percent-encoded',
      `${credentialsPath}?role=${encodeURIComponent(roleNamed('with+plus,and=more@here'))}`,
      'with+plus,and=more@here',
    ],
  ])('for the role that is named by %s', async (_how, target, name) => {
    const answer = await get({ path: target, token: broker.token('reports') });
    expect(answer.body).toMatchObject({ RoleArn: roleNamed(name) });
    expect(broker.auditRecordOf(answer)).toMatchObject({
      route: 'GET /v1/credentials',
      outcome: 'issued',
    });
  });

  it.each<[string, (token: string) => string]>([
    ['with the scheme', (token) => `Bearer ${token}`],
    ['with the scheme in another case', (token) => `bearer ${token}`],
    ['without a scheme', (token) => token],
  ])('to a token %s', async (_how, authorization) => {
    const headers = { authorization: authorization(broker.token('orders')) };
    expect((await get({ headers })).status).toBe(200);
  });

  it('whatever an SDK would like to be told', async () => {
    const accept = { accept: 'application/xml', 'accept-encoding': 'gzip' };
    const answer = await get({ token: broker.token('orders'), headers: accept });
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/json']);
  });
});

describe('GET /v1/credentials refuses', () => {
  const challenge = 'Bearer realm="token-broker"';

  it('a request without a token, with a challenge', async () => {
    const { answer, said } = await refusal({});
    expect(said).toBe('401 token_missing MissingAuthenticationToken');
    expect(answer.headers['www-authenticate']).toBe(challenge);
  });

  it.each([
    ['of another scheme', `Basic ${canary}`],
    ['under the name of a scheme of AWS', `AWS4-HMAC-SHA256 Credential=${canary}`],
    ['of a scheme alone', 'Bearer'],
    ['with something behind it', `Bearer ${canary} ${canary}`],
    ['without a scheme, with something behind it', `a.b.c ${canary}`],
    ['without a scheme, in a list', `a.b.c,${canary}`],
    ['without a scheme, in quotes', '"a.b.c"'],
    ['without a scheme, of two parts', `${canary}.b`],
    ['without a scheme, of four parts', `${canary}.b.c.d`],
    ['without a scheme, padded', `${canary}.b.c=`],
    ['that is no JWT', canary],
    ['that is no JWT, with the scheme', `Bearer ${canary}`],
    ['that is too large', `a.b.${'c'.repeat(9000)}`],
  ])('a token %s', async (_what, authorization) => {
    const { answer, said } = await refusal({ headers: { authorization } });
    expect(said).toMatch(/^401 token_(?:malformed|too_large) InvalidIdentityToken$/);
    expect(answer.headers['www-authenticate']).toBe(
      `${challenge}, error="invalid_token", error_description="${answer.body.title}"`,
    );
  });

  it('a token alone on every other path', async () => {
    const authorization = broker.token('orders');
    for (const call of [{ method: 'POST', path: credentialsPath }, { path: '/v1/caller' }]) {
      const { status, body } = await broker.call({ ...call, headers: { authorization } });
      expect([status, body.code]).toEqual([401, 'token_malformed']);
    }
  });

  it.each([
    ['alone', (good: string) => `${good.slice(0, -40)}AAAA${good.slice(-36)}`],
    ['with the scheme', (good: string) => `Bearer ${good.slice(0, -40)}AAAA${good.slice(-36)}`],
  ])('a token whose signature is wrong, %s', async (_how, forged) => {
    const headers = { authorization: forged(broker.token('orders')) };
    const { said } = await refusal({ headers });
    expect(said).toBe('401 token_signature_invalid InvalidIdentityToken');
  });

  it('a token without an audience, and says what to configure', async () => {
    const { answer, said } = await refusal({ token: broker.token('legacy') });
    expect(said).toBe('422 token_audience_missing InvalidIdentityToken');
    expect(answer.body.Message).toContain('pre token generation trigger');
  });

  it('callers in the same words, whatever the reason and whatever there is', async () => {
    const orders = broker.token('orders');
    const asked: Get[] = [
      { token: orders, path: `${credentialsPath}/no-such-mapping` },
      { token: orders, path: `${credentialsPath}?role=no-such-mapping` },
      { token: orders, path: `${credentialsPath}?role=${roleNamed('no-such-role')}` },
      { token: orders, path: `${credentialsPath}/reports-reader` },
      { token: orders, path: `${credentialsPath}?role=${roleNamed('reports-reader')}` },
      { token: broker.token('stranger') },
      { token: broker.token('orders', { scopes: ['orders/read'] }) },
    ];
    const said = new Set<string>();
    for (const call of asked) {
      const { answer } = await refusal(call);
      said.add(`${answer.status} ${answer.text.replaceAll(String(answer.requestId), 'ID')}`);
    }
    expect([...said]).toEqual([expect.stringContaining('"Code":"AccessDenied"')]);
  });

  it('to guess which role is meant, and lists those that are allowed', async () => {
    const { answer, said } = await refusal({ token: broker.token('reports') });
    expect(said).toBe('400 role_ambiguous ValidationError');
    expect(answer.body.choices).toEqual([
      { mapping: 'plus', role: roleNamed('with+plus,and=more@here') },
      { mapping: 'reports-publisher', role: roleNamed('reports-publisher') },
      { mapping: 'reports-reader', role: roleNamed('reports-reader') },
    ]);
  });

  it.each([
    ['another parameter', `?access_token=${canary}`],
    ['a parameter beside the role', `?role=orders-writer&durationSeconds=900&x=${canary}`],
    ['two roles', '?role=orders-writer&role=orders-writer'],
    ['no value', '?role'],
    ['an empty role', '?role='],
    ['a role that no name can be', `?role=${canary}!`],
    ['a token for a role', '?role=eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl'],
    ['a role in broken percent-encoding', '?role=%ff'],
    ['a role in the path and another', '/orders-writer?role=orders-writer'],
  ])('a query with %s', async (_what, target) => {
    const call = { token: broker.token('orders'), path: credentialsPath + target };
    expect((await refusal(call)).said).toBe('400 query_invalid ValidationError');
  });

  it.each(['Orders-Writer', '-orders', 'a'.repeat(64), 'eyJhbGciOiJSUzI1NiJ9.e30.c2ln', 'a:b'])(
    'a path that ends in %s, which no mapping can be called',
    async (id) => {
      const call = { token: broker.token('orders'), path: `${credentialsPath}/${id}` };
      const { answer, said } = await refusal(call);
      expect(said).toBe('404 route_not_found ValidationError');
      expect(JSON.stringify(broker.auditRecordOf(answer))).not.toContain(id);
    },
  );

  it.each<[string, Get, string]>([
    ['browsers', { headers: { origin: 'https://example.com' } }, '403 origin_refused AccessDenied'],
    ['a body', { body: {} }, '400 request_malformed ValidationError'],
    [
      'a path that is too long',
      { path: `${credentialsPath}?role=${'a'.repeat(8200)}` },
      '414 uri_too_long ValidationError',
    ],
  ])('%s', async (_what, call, expected) => {
    expect((await refusal({ token: broker.token('orders'), ...call })).said).toBe(expected);
  });

  it('a percent-encoded role in the path', async () => {
    const bytes = `GET ${credentialsPath}/orders%2Dwriter HTTP/1.1\r\nHost: x\r\n\r\n`;
    const { answers, closed } = await sendRaw(broker.urls.api, bytes);
    expect(closed).toBe(true);
    expect(answers[0]).toMatchObject({
      status: 400,
      headers: { 'content-type': 'application/json' },
    });
  });
});

describe('other methods', () => {
  it.each([
    [credentialsPath, 'GET, POST'],
    [`${credentialsPath}/orders-writer`, 'GET'],
  ])('of %s are answered 405 and issue nothing, HEAD among them', async (target, allowed) => {
    const token = broker.token('orders');
    const [calls, records] = [broker.sts.requests.length, broker.auditRecords().length];
    const others = ['HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
    if (allowed === 'GET') others.push('POST');
    for (const method of others) {
      const { status, headers } = await broker.call({ method, path: target, token });
      expect([method, status, headers['allow']]).toEqual([method, 405, allowed]);
    }
    expect(broker.sts.requests).toHaveLength(calls);
    expect(broker.auditRecords()).toHaveLength(records);
  });
});

describe('metrics', () => {
  it('count all forms of it under one name, and each refusal', async () => {
    const before = await broker.metrics();
    const token = broker.token('orders');
    await get({ token });
    await get({ token, path: `${credentialsPath}/orders-writer` });
    await get({ token, path: `${credentialsPath}?role=orders-writer` });
    const denied = { token: broker.token('stranger'), headers: { 'user-agent': 'one client' } };
    for (const _ of [1, 2, 3]) await get(denied);
    const after = await broker.metrics();
    const growth = (name: string) => (after.get(name) ?? 0) - (before.get(name) ?? 0);
    const route = 'route="GET /v1/credentials"';
    const requests = 'tokenbroker_credential_requests_total';
    const http = 'tokenbroker_http_request_duration_seconds_count';
    expect({
      issued: growth(`${requests}{${route},outcome="issued"}`),
      denied: growth(`${requests}{${route},outcome="denied"}`),
      noMapping: growth('tokenbroker_refusals_total{code="access_denied",reason="no_mapping"}'),
      answered: growth(`${http}{${route},status_class="2xx"}`),
      refused: growth(`${http}{${route},status_class="4xx"}`),
    }).toEqual({ issued: 3, denied: 3, noMapping: 3, answered: 3, refused: 3 });
  });
});

describe('an outage', () => {
  it('of STS is a 503 within the second that SDKs wait, in the shape that they read', async () => {
    broker.sts.setFault({ kind: 'hang' });
    const sentAt = performance.now();
    const answer = await get({ token: broker.token('admin') });
    expect(performance.now() - sentAt).toBeLessThan(1_000);
    broker.sts.setFault(undefined);
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '2']);
    expect([brokerCodeOf(answer), answer.body.Code]).toEqual([
      'sts_unavailable',
      'ServiceUnavailable',
    ]);
    expect(broker.auditRecordOf(answer)).toMatchObject({ outcome: 'failed' });
  });

  it('of the audit log lets no credentials out, cached ones included', async () => {
    const other = await startBrokerFixture();
    const token = other.token('orders');
    const ask = () => other.call({ path: credentialsPath, token });
    expect((await ask()).status).toBe(200);
    rmSync(other.auditDirectory, { recursive: true });
    // Where the file is gets looked at once a second.
    let answer = await ask();
    while (answer.status === 200) answer = await ask();
    expect([answer.status, brokerCodeOf(answer), answer.headers['retry-after']]).toEqual([
      503,
      'audit_unavailable',
      '5',
    ]);
    expect(answer.text).not.toContain('ASIA');
    await other.stop();
  });
});

describe('openapi.yaml', () => {
  it('shows errors of it as the service says them', () => {
    const container = operations.filter(({ operation }) =>
      operation.operationId.startsWith('getContainerCredentials'),
    );
    expect(container).toHaveLength(2);
    for (const { operation } of container) {
      for (const status of Object.keys(operation.responses).map(Number)) {
        if (status < 400) continue;
        const media = documentedResponse(operation, status)?.content?.['application/json'];
        const body = media?.example as Record<string, unknown>;
        const headers = { 'content-type': 'application/json' };
        const requestId = String(body['request_id']);
        const code = brokerCodeOf({ status, headers, body, requestId, text: '' });
        expect([code, body['Code']]).toEqual([code, awsErrorCode({ code, status })]);
        expect(errorCodes[code].status).toBe(status);
      }
    }
  });
});

describe('the AWS SDK for JavaScript, unmodified, with environment variables only', () => {
  const root = path.resolve(import.meta.dirname, '../..');
  const program = `
    import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
    try {
      const { Arn } = await new STSClient({}).send(new GetCallerIdentityCommand({}));
      console.log(JSON.stringify({ arn: Arn }));
    } catch (error) {
      console.log(JSON.stringify({ name: error.name, message: error.message }));
    }`;
  const directory = mkdtempSync(path.join(tmpdir(), 'token-broker-sdk-'));
  const tokenFile = path.join(directory, 'token');
  afterAll(() => rmSync(directory, { recursive: true }));

  /** What the program said, and how many requests the broker had from it. */
  async function run(content: string, query = '') {
    writeFileSync(tokenFile, content);
    const env = {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${broker.urls.api}${credentialsPath}${query}`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: tokenFile,
      AWS_ENDPOINT_URL_STS: broker.sts.url,
      AWS_REGION: 'us-east-1',
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      // Nothing of whoever runs the tests.
      HOME: directory,
    };
    const before = await requests();
    const text = await new Promise<string>((resolve, reject) => {
      const args = ['--input-type=module', '--eval', program];
      execFile(process.execPath, args, { cwd: root, env }, (error, out) =>
        error === null ? resolve(out) : reject(error),
      );
    });
    return { said: JSON.parse(text) as unknown, requests: (await requests()) - before };
  }

  async function requests(): Promise<number> {
    const series = await broker.metrics();
    const name = 'tokenbroker_http_request_duration_seconds_count{route="GET /v1/credentials"';
    const counts = [...series].filter(([key]) => key.startsWith(name)).map(([, value]) => value);
    return counts.reduce((sum, value) => sum + value, 0);
  }

  it.each([
    ['the JWT alone', '', (token: string) => token],
    ['the scheme and the JWT', '', (token: string) => `Bearer ${token}`],
    ['a role in the query', '?role=orders-writer', (token: string) => token],
    ['a role in the path', '/orders-writer', (token: string) => token],
  ])('signs with the credentials that it fetched: %s', async (_how, query, content) => {
    expect(await run(content(broker.token('orders')), query)).toEqual({
      said: { arn: expect.stringContaining('assumed-role/orders-writer/') },
      requests: 1,
    });
  });

  it('asks five times when it is denied, the last time without its token, and does not say why', async () => {
    const before = broker.auditRecords().length;
    const denied = await run(broker.token('stranger'));
    expect(denied).toEqual({
      said: {
        name: 'CredentialsProviderError',
        message: 'Could not load credentials from any providers',
      },
      requests: 5,
    });
    // All other callers here name their client software.
    const records = broker.auditRecords().slice(before);
    expect(records.filter(({ userAgent }) => userAgent === undefined)).toMatchObject([
      ...Array(4).fill({ outcome: 'denied', code: 'access_denied', reason: 'no_mapping' }),
      { outcome: 'denied', code: 'token_missing' },
    ]);
  }, 20_000);
});
