import { afterEach, describe, expect, it } from '@jest/globals';
import { type Issuer, startIssuer } from '../../emulators/issuer/issuer.ts';
import { TokenClient, type TokenClientOptions } from '../../src/identity/token-client.ts';
import { TokenRequestError } from '../../src/identity/token-request-error.ts';
import {
  type ScriptedReply,
  type ScriptedServer,
  startScriptedServer,
} from '../support/scripted-server.ts';
import { secretsIn } from '../support/secrets-in.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';

const secret = 'very-secret-0123456789';
const clientId = '1orders0example0client0id0';
const minute = 60_000;

const stops: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function endpoint(reply: ScriptedReply = grant('token-1')): Promise<ScriptedServer> {
  const server = await startScriptedServer(() => reply);
  stops.push(() => server.stop());
  return server;
}

function grant(token: string, fields: object = {}): ScriptedReply {
  return { body: { access_token: token, token_type: 'Bearer', expires_in: 3600, ...fields } };
}

function subject(
  server: Pick<ScriptedServer, 'url'>,
  options: Partial<TokenClientOptions> = {},
): { readonly client: TokenClient; readonly clock: TestClock } {
  const clock = createTestClock();
  const client = new TokenClient({
    tokenEndpoint: `${server.url}/oauth2/token`,
    clientId,
    clientSecret: secret,
    clock,
    ...options,
  });
  stops.push(() => client.stop());
  return { client, clock };
}

async function refusal(asking: Promise<string>): Promise<TokenRequestError> {
  const outcome = await asking.catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(TokenRequestError);
  return outcome as TokenRequestError;
}

describe('the client-credentials grant', () => {
  it('gets a token of the pool with the scopes asked for', async () => {
    const clock = createTestClock();
    const issuer: Issuer = await startIssuer({
      clock,
      poolId: 'us-east-1_Test00001',
      clients: [
        {
          clientId,
          clientSecret: secret,
          name: 'orders',
          scopes: ['orders/read', 'orders/write'],
          aud: 'client_id',
        },
      ],
    });
    stops.push(() => issuer.stop());
    const { client } = subject(
      { url: '' },
      { tokenEndpoint: issuer.tokenEndpoint, scopes: ['orders/read'], clock },
    );
    const token = await client.token();
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    expect(claims).toMatchObject({ client_id: clientId, scope: 'orders/read' });
  });

  it('authenticates with HTTP Basic and asks for nothing else', async () => {
    const server = await endpoint();
    await subject(server, { scopes: ['a/b', 'c/d'] }).client.token();
    const [request] = server.requests;
    expect(request?.method).toBe('POST');
    expect(request?.path).toBe('/oauth2/token');
    expect(request?.headers.authorization).toBe(
      `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`,
    );
    expect(request?.headers['content-type']).toBe('application/x-www-form-urlencoded');
    expect(request?.body).toBe('grant_type=client_credentials&scope=a%2Fb+c%2Fd');
  });

  it('asks a secret function before each request', async () => {
    const server = await endpoint();
    let version = 0;
    const clientSecret = async () => `secret-${++version}`;
    const { client, clock } = subject(server, { clientSecret });
    await client.token();
    await clock.advance(61 * minute);
    await client.token();
    const last = server.requests.at(-1)?.headers.authorization ?? '';
    expect(Buffer.from(last.slice(6), 'base64').toString()).toBe(`${clientId}:secret-${version}`);
    expect(version).toBeGreaterThan(1);
  });

  it.each([
    'http://example.com/oauth2/token',
    'http://127.0.0.1.example.com/oauth2/token',
    'ftp://127.0.0.1/',
    'https://user:password@example.com/oauth2/token',
    'nonsense',
  ])('refuses to send the secret to %s', (tokenEndpoint) => {
    expect(() => subject({ url: '' }, { tokenEndpoint })).toThrow(TypeError);
  });
});

describe('tokens', () => {
  it('are asked for once by 10,000 callers', async () => {
    const server = await endpoint();
    const { client } = subject(server);
    const tokens = await Promise.all(Array.from({ length: 10_000 }, () => client.token()));
    expect(new Set(tokens)).toEqual(new Set(['token-1']));
    expect(server.requests).toHaveLength(1);
  });

  it('are renewed in the last quarter of their life while the old one is still given out', async () => {
    const server = await endpoint();
    const { client, clock } = subject(server);
    await client.token();
    await clock.advance(45 * minute - 1);
    expect(server.requests).toHaveLength(1);
    server.script = () => grant('token-2');
    await clock.advance(7 * minute);
    while ((await client.token()) !== 'token-2') await clock.advance(0);
    expect(server.requests).toHaveLength(2);
  });

  it('are kept when the endpoint is down, until they expire', async () => {
    const server = await endpoint();
    const { client, clock } = subject(server);
    await client.token();
    server.script = () => 'reset';
    await clock.advance(59 * minute);
    expect(await client.token()).toBe('token-1');
    await clock.advance(minute);
    expect((await refusal(client.token())).code).toBe('token_endpoint_unavailable');
  });

  it('that were refused are replaced once they are 30 seconds old', async () => {
    const server = await endpoint();
    const { client, clock } = subject(server);
    await client.token();
    server.script = () => grant('token-2');
    expect(await client.token({ refused: 'token-1' })).toBe('token-1');
    await clock.advance(30_000);
    expect(await client.token({ refused: 'token-1' })).toBe('token-2');
    expect(await client.token({ refused: 'token-1' })).toBe('token-2');
    expect(server.requests).toHaveLength(2);
  });

  it('can be given up waiting for by one caller without taking them from the others', async () => {
    let answer: (reply: ScriptedReply) => void = () => {};
    const server = await startScriptedServer(() => new Promise((resolve) => (answer = resolve)));
    stops.push(() => server.stop());
    const { client } = subject(server);
    const impatient = new AbortController();
    const patient = client.token();
    const given = client.token({ signal: impatient.signal });
    impatient.abort(new Error('enough'));
    await expect(given).rejects.toThrow('enough');
    while (server.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
    answer(grant('token-1'));
    expect(await patient).toBe('token-1');
    await expect(client.token({ signal: impatient.signal })).rejects.toThrow('enough');
  });
});

describe('a failure to get a token', () => {
  const failures: [what: string, reply: ScriptedReply, code: string, retryable: boolean][] = [
    ['wrong secret', { status: 400, body: { error: 'invalid_client' } }, 'client_rejected', false],
    ['no such scope', { status: 400, body: { error: 'invalid_scope' } }, 'grant_rejected', false],
    ['throttled', { status: 429 }, 'token_throttled', true],
    [
      'throttled, said with 400',
      { status: 400, body: { error: 'TooManyRequestsException' } },
      'token_throttled',
      true,
    ],
    ['server error', { status: 500 }, 'token_endpoint_unavailable', true],
    ['no connection', 'reset', 'token_endpoint_unavailable', true],
    ['no answer', 'hang', 'token_endpoint_unavailable', true],
    ['endless answer', 'endless', 'token_endpoint_unavailable', true],
    [
      'redirect',
      { status: 307, headers: { location: 'http://127.0.0.1:1/' } },
      'token_endpoint_unavailable',
      true,
    ],
    ['page of a proxy', { body: '<html>' }, 'token_answer_invalid', true],
    ['other kind of token', grant('t', { token_type: 'mac' }), 'token_answer_invalid', true],
    ['token with a line feed', grant('a\nb'), 'token_answer_invalid', true],
    ['no lifetime', grant('t', { expires_in: undefined }), 'token_answer_invalid', true],
    ['lifetime as text', grant('t', { expires_in: '3600' }), 'token_answer_invalid', true],
    ['negative lifetime', grant('t', { expires_in: -1 }), 'token_answer_invalid', true],
    ['lifetime of a year', grant('t', { expires_in: 31_536_000 }), 'token_answer_invalid', true],
    [
      'member twice',
      { body: '{"access_token":"a","access_token":"b","token_type":"Bearer","expires_in":60}' },
      'token_answer_invalid',
      true,
    ],
  ];

  it.each(failures)('tells what it was: %s', async (_what, reply, code, retryable) => {
    const { client, clock } = subject(await endpoint(reply));
    const refused = refusal(client.token());
    if (reply === 'hang') await clock.expireDeadlines();
    expect(await refused).toMatchObject({ code, retryable });
    expect(clock.deadlines).toBe(0);
  });

  it('of the secret function is told without what the function said', async () => {
    const server = await endpoint();
    const clientSecret = () => Promise.reject(new Error(`cannot decrypt ${secret}`));
    const error = await refusal(subject(server, { clientSecret }).client.token());
    expect(error.code).toBe('client_secret_unavailable');
    expect(secretsIn(error, [secret])).toEqual([]);
    expect(server.requests).toHaveLength(0);
  });

  it('holds neither the secret nor anything of the answer', async () => {
    const body = {
      error: 'invalid_client',
      error_description: `no ${secret}`,
      access_token: 'tok',
    };
    for (const reply of [{ status: 400, body }, { status: 200, body }, 'reset'] as const) {
      const error = await refusal(subject(await endpoint(reply)).client.token());
      const encoded = Buffer.from(`${clientId}:${secret}`).toString('base64');
      expect(secretsIn(error, [secret, encoded, '"tok"'])).toEqual([]);
    }
  });

  it('names the request by which AWS can find it', async () => {
    const headers = { 'x-amz-cognito-request-id': '0f1e2d3c-0000-4000-8000-000000000001' };
    const reply = { status: 400, headers, body: { error: 'invalid_client' } };
    const error = await refusal(subject(await endpoint(reply)).client.token());
    expect(error.message).toContain('(request 0f1e2d3c-0000-4000-8000-000000000001)');
    expect(error.status).toBe(400);
  });

  it('is not remembered: the next caller asks again', async () => {
    const server = await endpoint('reset');
    const { client } = subject(server);
    await refusal(client.token());
    server.script = () => grant('token-2');
    expect(await client.token()).toBe('token-2');
  });
});
