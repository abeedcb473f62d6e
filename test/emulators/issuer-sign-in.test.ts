/** People who sign in by the local issuer's page, and everything that must not become a token. */

import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';
import { type Issuer, startIssuer } from '../../emulators/issuer/issuer.ts';
import type { IssuerClient, IssuerUser } from '../../emulators/issuer/issuer-claims.ts';
import { signingKeys } from '../support/outside-world.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';

const callback = 'http://127.0.0.1:1/console/';
const page: IssuerClient = {
  clientId: '6console0example0client0id',
  clientSecret: '',
  name: 'console',
  scopes: ['broker/admin.read', 'broker/admin.write'],
  aud: 'client_id',
};
const other: IssuerClient = { ...page, clientId: '7other0example0client0id00', name: 'other' };
const confidential: IssuerClient = {
  ...page,
  clientId: '8secret0example0client0id',
  clientSecret: 'a secret of the client',
  name: 'confidential',
};
const ada: IssuerUser = {
  username: 'ada',
  sub: '0b5e1f1a-7f0e-4c1c-9d3e-3d0f3f8f2a11',
  groups: ['broker-admins'],
};
const hostile: IssuerUser = { ...ada, username: '"><script>alert(1)</script>', groups: [] };
const verifier = 'v'.repeat(43);
const challenge = createHash('sha256').update(verifier).digest('base64url');

type Form = Readonly<Record<string, string | undefined>>;

let clock: TestClock;
let issuer: Issuer;

beforeEach(async () => {
  clock = createTestClock();
  issuer = await startIssuer({
    clock,
    poolId: 'us-east-1_Local0001',
    clients: [page, other, confidential],
    users: [ada, hostile],
    keys: signingKeys(),
  });
  issuer.allowCallback(page.clientId, callback);
});

afterEach(() => issuer.stop());

function formOf(form: Form): URLSearchParams {
  return new URLSearchParams(
    Object.entries(form).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function asked(changes: Form = {}): URLSearchParams {
  return formOf({
    response_type: 'code',
    client_id: page.clientId,
    redirect_uri: callback,
    scope: 'broker/admin.read',
    state: 'state-1',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...changes,
  });
}

const open = (query: URLSearchParams, cookie = '') =>
  fetch(`${issuer.origin}/oauth2/authorize?${query}`, { headers: { cookie }, redirect: 'manual' });

const choose = (body: URLSearchParams, from = issuer.origin) =>
  fetch(`${issuer.origin}/oauth2/authorize`, {
    method: 'POST',
    headers: { origin: from },
    body,
    redirect: 'manual',
  });

function returned(answer: Response): URLSearchParams {
  const location = answer.headers.get('location') ?? '';
  expect([answer.status, location.startsWith(`${callback}?`)]).toEqual([303, true]);
  return new URL(location).searchParams;
}

async function codeFor(user = 'ada'): Promise<string> {
  return returned(await choose(asked({ user }))).get('code') ?? '';
}

async function redeem(code: string, changes: Form = {}, headers: Record<string, string> = {}) {
  const body = formOf({
    grant_type: 'authorization_code',
    client_id: page.clientId,
    redirect_uri: callback,
    code,
    code_verifier: verifier,
    ...changes,
  });
  const answer = await fetch(issuer.tokenEndpoint, {
    method: 'POST',
    headers: { origin: new URL(callback).origin, ...headers },
    body,
  });
  return {
    status: answer.status,
    headers: answer.headers,
    body: (await answer.json()) as { error?: string; access_token?: string },
  };
}

describe('sign-in', () => {
  it('asks who somebody is, and gives a token of that person with the scopes that were asked for', async () => {
    const answer = await open(asked());
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain('value="ada"');

    const back = returned(await choose(asked({ user: 'ada' })));
    expect(back.get('state')).toBe('state-1');
    expect(back.get('iss')).toBe(issuer.url);
    const { status, headers, body } = await redeem(back.get('code') ?? '');
    expect(status).toBe(200);
    expect(headers.get('access-control-allow-origin')).toBe(new URL(callback).origin);
    expect(decodeJwt(body.access_token ?? '')).toMatchObject({
      sub: ada.sub,
      username: 'ada',
      'cognito:groups': ['broker-admins'],
      client_id: page.clientId,
      scope: 'broker/admin.read',
      token_use: 'access',
    });
  });

  it('shows names as text', async () => {
    expect(await (await open(asked())).text()).not.toContain('<script');
  });

  it.each([
    ['no client', { client_id: undefined }],
    ['an unknown client', { client_id: 'nobody' }],
    ['no address to go back to', { redirect_uri: undefined }],
    ['a longer address', { redirect_uri: `${callback}evil` }],
    ['an address of another site', { redirect_uri: 'https://evil.example/console/' }],
    ['the address of another client', { client_id: other.clientId }],
  ])('with %s sends nobody anywhere', async (_what, changes) => {
    for (const answer of [
      await open(asked(changes)),
      await choose(asked({ ...changes, user: 'ada' })),
    ]) {
      expect([answer.status, answer.headers.get('location')]).toEqual([400, null]);
    }
  });

  it.each([
    ['unsupported_response_type', { response_type: 'token' }],
    ['invalid_request', { code_challenge: undefined }],
    ['invalid_request', { code_challenge: 'short' }],
    ['invalid_request', { code_challenge_method: 'plain' }],
    ['invalid_scope', { scope: 'broker/admin.read orders/write' }],
  ])('says %s for %j', async (error, changes) => {
    const back = returned(await choose(asked({ ...changes, user: 'ada' })));
    expect([back.get('error'), back.get('state'), back.get('code')]).toEqual([
      error,
      'state-1',
      null,
    ]);
  });

  it('takes no choice from a link, nor from the page of another site', async () => {
    expect((await open(asked({ user: 'ada' }))).status).toBe(200);
    expect((await choose(asked({ user: 'ada' }), 'https://evil.example')).status).toBe(403);
    expect((await choose(asked({ user: 'ada' }), 'null')).status).toBe(403);
  });
});

describe('a code', () => {
  it('is good once', async () => {
    const code = await codeFor();
    expect((await redeem(code)).status).toBe(200);
    expect((await redeem(code)).body).toEqual({ error: 'invalid_grant' });
  });

  it('is good for a minute', async () => {
    const [code, late] = [await codeFor(), await codeFor()];
    await clock.advance(59_999);
    expect((await redeem(code)).status).toBe(200);
    await clock.advance(1);
    expect((await redeem(late)).body).toEqual({ error: 'invalid_grant' });
  });

  it.each([
    ['another verifier', { code_verifier: 'w'.repeat(43) }],
    ['no verifier', { code_verifier: undefined }],
    ['the challenge for a verifier', { code_verifier: challenge }],
    ['another client', { client_id: other.clientId }],
    ['no client', { client_id: undefined }],
    ['another address', { redirect_uri: `${callback}x` }],
  ])('is refused with %s, and spent', async (_what, changes) => {
    const code = await codeFor();
    expect((await redeem(code, changes)).body).toEqual({ error: 'invalid_grant' });
    expect((await redeem(code)).body).toEqual({ error: 'invalid_grant' });
  });

  it('of a client with a secret is nothing for a page, which could keep none', async () => {
    issuer.allowCallback(confidential.clientId, callback);
    const back = returned(await choose(asked({ client_id: confidential.clientId, user: 'ada' })));
    const { body } = await redeem(back.get('code') ?? '', { client_id: confidential.clientId });
    expect(body).toEqual({ error: 'invalid_client' });
  });

  it('cannot be redeemed by a page of another origin', async () => {
    const { status, headers } = await redeem(
      await codeFor(),
      {},
      { origin: 'https://evil.example' },
    );
    expect([status, headers.get('access-control-allow-origin')]).toEqual([403, null]);
  });
});

describe('a browser in which somebody has signed in', () => {
  const cookieOf = (answer: Response) =>
    (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  const logout = (query: Form, cookie: string) =>
    fetch(`${issuer.origin}/logout?${formOf(query)}`, { headers: { cookie }, redirect: 'manual' });
  let cookie: string;
  beforeEach(async () => {
    const answer = await choose(asked({ user: 'ada' }));
    expect(answer.headers.get('set-cookie')).toMatch(
      /^issuer-session=[\w-]{43};.* HttpOnly; SameSite=Lax$/,
    );
    cookie = cookieOf(answer);
  });

  it('is asked no more for an hour, and its tokens say when that was', async () => {
    await clock.advance(3_599_000);
    const back = returned(await open(asked(), cookie));
    const { body } = await redeem(back.get('code') ?? '');
    const { auth_time: signedIn, iat } = decodeJwt(body.access_token ?? '');
    expect([decodeJwt(body.access_token ?? '')['sub'], Number(iat) - Number(signedIn)]).toEqual([
      ada.sub,
      3599,
    ]);
    await clock.advance(1_000);
    expect((await open(asked(), cookie)).status).toBe(200);
  });

  it('is asked where a fresh sign-in is wanted', async () => {
    expect((await open(asked({ prompt: 'login' }), cookie)).status).toBe(200);
  });

  it('is sent with a code to no address that is not the client’s', async () => {
    const answer = await open(asked({ redirect_uri: 'https://evil.example/console/' }), cookie);
    expect([answer.status, answer.headers.get('location')]).toEqual([400, null]);
  });

  it('is remembered no more after signing out, which leads back to the client', async () => {
    const query = { client_id: page.clientId, logout_uri: callback };
    const answer = await logout(query, cookie);
    expect([answer.status, answer.headers.get('location')]).toEqual([302, callback]);
    expect(answer.headers.get('set-cookie')).toContain('Max-Age=0');
    expect((await open(asked(), cookie)).status).toBe(200);
  });

  it.each([
    ['no client', { logout_uri: callback }],
    ['another client', { client_id: other.clientId, logout_uri: callback }],
    ['another address', { client_id: page.clientId, logout_uri: 'https://evil.example/' }],
    ['none', { client_id: page.clientId }],
  ])('is sent nowhere by a sign-out with %s, and stays', async (_what, query) => {
    const answer = await logout(query, cookie);
    expect([answer.status, answer.headers.get('location')]).toEqual([400, null]);
    returned(await open(asked(), cookie));
  });
});
