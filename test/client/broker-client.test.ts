/** One call of `POST /v1/credentials`: what it gives, and that nothing hostile or broken gets through it. */

import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type CredentialsRequest,
  requestCredentials,
  TokenBrokerError,
} from '../../src/client/broker-client.ts';
import { startBrokerFixture } from '../support/broker-fixture.ts';
import {
  answering,
  issuedDocument,
  type OddBroker,
  startOddBroker,
} from '../support/odd-broker.ts';
import { account, roleNamed } from '../support/outside-world.ts';

const token = 'header.payload.signature';
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

async function odd(...args: Parameters<typeof startOddBroker>): Promise<OddBroker> {
  const broker = await startOddBroker(...args);
  stops.push(broker.stop);
  return broker;
}

async function failure(request: CredentialsRequest): Promise<TokenBrokerError> {
  const error: unknown = await requestCredentials(request).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof TokenBrokerError)) throw new Error('it did not fail as it should');
  return error;
}

describe('requestCredentials', () => {
  it('gives the credentials of a broker, with account and role', async () => {
    const broker = await startBrokerFixture();
    stops.push(broker.stop);
    const before = Date.now();
    const issued = await requestCredentials({
      url: `${broker.urls.api}/`,
      role: 'orders-writer',
      durationSeconds: 900,
      token: broker.token('orders'),
    });
    expect(issued).toEqual({
      accessKeyId: expect.stringMatching(/^ASIA/),
      secretAccessKey: expect.any(String),
      sessionToken: expect.any(String),
      expiration: expect.any(Date),
      accountId: account,
      roleArn: roleNamed('orders-writer'),
    });
    expect(issued.expiration.getTime() - before).toBeGreaterThan(890_000);
    expect(issued.expiration.getTime() - Date.now()).toBeLessThanOrEqual(900_000);
  });

  it('says what the broker says, and under which request the broker knows it', async () => {
    const broker = await startBrokerFixture();
    stops.push(broker.stop);
    const url = broker.urls.api;
    const denied = await failure({ url, token: broker.token('stranger') });
    expect(denied).toMatchObject({ code: 'access_denied', status: 403, retryable: false });
    expect(denied.denied).toBe(true);
    expect(denied.message).toContain(`(request ${denied.requestId})`);
    expect(broker.auditRecords().at(-1)).toMatchObject({ requestId: denied.requestId });
    const several = await failure({ url, token: broker.token('reports') });
    expect(several).toMatchObject({ code: 'role_ambiguous', denied: false });
    expect(several.message).toMatch(
      /reports-publisher, reports-reader|reports-reader, reports-pub/,
    );
  });

  it.each([
    ['plain http beyond this machine', 'http://broker.example.com'],
    ['another scheme', 'ftp://127.0.0.1'],
    ['user information', 'https://user:secret@broker.example.com'],
    ['a query', 'https://broker.example.com/?a=b'],
    ['no URL at all', 'broker.example.com'],
  ])('sends nothing to a URL with %s', async (_what, url) => {
    const error = await failure({ url, token });
    expect(error).toMatchObject({ code: 'broker_url_invalid', retryable: false });
    expect(error.message).not.toContain('secret');
  });

  it.each(['', 'two\nlines', 'with blank', 'x'.repeat(16_385), 'ünicode'])(
    'sends nothing, and repeats nothing, of a token that is none (%#)',
    async (wrong) => {
      const { url, requests } = await odd(answering(200, issuedDocument()));
      const error = await failure({ url, token: wrong });
      expect(error.code).toBe('token_unusable');
      expect(error.message).toBe('The token is not one JWT and nothing else.');
      expect(requests).toHaveLength(0);
    },
  );

  it('does not follow a redirect with the token', async () => {
    const elsewhere = await odd(answering(200, issuedDocument()));
    const { url } = await odd((_req, res) => {
      res.writeHead(307, { location: `${elsewhere.url}/v1/credentials` }).end();
    });
    expect(await failure({ url, token })).toMatchObject({ code: 'broker_unreachable' });
    expect(elsewhere.requests).toHaveLength(0);
  });

  it.each([
    ['before the head', (): void => {}],
    [
      'in the middle of the body',
      (_req: unknown, res: { writeHead(status: number): { write(text: string): unknown } }) => {
        res.writeHead(200).write('{');
      },
    ],
  ])('ends at its deadline when the answer stops %s', async (_when, answer) => {
    const { url } = await odd(answer as Parameters<typeof startOddBroker>[0]);
    const error = await failure({ url, token, timeoutMs: 200 });
    expect(error).toMatchObject({ code: 'broker_timeout', retryable: true, status: undefined });
    expect(error.message).toBe(`${url} gives no answer within 0.2 s.`);
  });

  it('asks the host of the URL, whatever its path looks like', async () => {
    const { url, requests } = await odd(answering(200, issuedDocument()));
    const another = await odd(answering(200, issuedDocument()));
    await requestCredentials({ url: `${url}//${new URL(another.url).host}/`, token });
    expect(another.requests).toHaveLength(0);
    expect(requests).toHaveLength(1);
  });

  it('rejects with the reason of its signal', async () => {
    const stop = new AbortController();
    const { url } = await odd(() => stop.abort(new Error('enough')));
    await expect(requestCredentials({ url, token, signal: stop.signal })).rejects.toThrow('enough');
  });

  it('says that nobody answers', async () => {
    const { url, stop } = await startOddBroker(answering(200, issuedDocument()));
    await stop();
    const error = await failure({ url, token });
    expect(error).toMatchObject({ code: 'broker_unreachable', retryable: true });
    expect(error.message).toBe(`${url} does not answer (ECONNREFUSED).`);
  });

  const good = issuedDocument();
  const with_ = (fields: object) => ({ ...good, credentials: { ...good.credentials, ...fields } });
  it.each([
    ['no object', []],
    ['no credentials', { ...good, credentials: undefined }],
    ['a key with a line feed', with_({ secretAccessKey: `${'x'.repeat(40)}\n` })],
    ['an empty session token', with_({ sessionToken: '' })],
    ['a number for a key', with_({ accessKeyId: 1234567890123456 })],
    ['an instant with an offset', with_({ expiration: '2030-01-01T00:00:00+00:00' })],
    ['a day that does not exist', with_({ expiration: '2030-02-30T00:00:00Z' })],
    ['a role that is none', { ...good, role: 'arn:aws:iam::123456789012:user/orders' }],
    ['more than 64 KiB', { ...good, padding: 'x'.repeat(64 * 1024) }],
  ])('refuses an answer with %s, without repeating it', async (_what, document) => {
    const { url } = await odd(answering(200, document));
    const error = await failure({ url, token });
    expect(error).toMatchObject({ code: 'broker_answer_invalid', retryable: true, status: 200 });
    expect(error.message).toMatch(/^The broker's answer has no (object|acceptable [A-Za-z.]+)\.$/);
  });

  it('takes a refusal for one of the broker only if it has the form of one', async () => {
    const { url } = await odd(answering(403, { message: 'Forbidden by a firewall' }));
    const error = await failure({ url, token });
    expect(error).toMatchObject({ code: 'broker_answer_invalid', status: 403, retryable: false });
    expect(error.denied).toBe(false);
  });

  it('shows nothing of a hostile problem document that could act on a terminal or tell the token', async () => {
    const detail = `\u001b[2Jsee\n${token} ${'x'.repeat(5000)}`;
    const problem = { code: 'overloaded', title: 't', detail, request_id: 'r-1' };
    const { url } = await odd(answering(503, problem, { 'retry-after': '7' }));
    const error = await failure({ url, token });
    expect(error).toMatchObject({
      code: 'overloaded',
      retryable: true,
      retryAfterSeconds: 7,
      requestId: 'r-1',
    });
    expect(error.message).toMatch(/^ \[2Jsee \[token\] x{900,1000} \(request r-1\)$/);
  });
});
