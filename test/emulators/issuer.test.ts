import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { JSONWebKeySet } from 'jose';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';

import { startIdentityPool } from '../../emulators/issuer/identity-pool.ts';
import type { Issuer, IssuerOptions } from '../../emulators/issuer/issuer.ts';
import { startIssuer } from '../../emulators/issuer/issuer.ts';
import type { IssuerClient, IssuerUser } from '../../emulators/issuer/issuer-claims.ts';
import type { KeyHistory, TokenKey } from '../../emulators/issuer/issuer-keys.ts';
import { issuerKey, issuerKeySet } from '../support/rsa-keys.ts';
import type { TestClock } from '../support/test-clock.ts';
import { createTestClock } from '../support/test-clock.ts';

const poolId = 'us-east-1_Local0001';
const uuid = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

const orders: IssuerClient = {
  clientId: '4abc0ordersclientid',
  clientSecret: 'orders-secret-0123456789abcdef',
  name: 'orders',
  scopes: ['orders/read', 'orders/write'],
  aud: 'client_id',
};
const plain: IssuerClient = {
  ...orders,
  clientId: '4abc0plainclientid',
  name: 'plain',
  aud: 'none',
};
const web: IssuerClient = {
  clientId: '4abc0webclientid',
  clientSecret: 'web-secret-0123456789abcdef',
  name: 'web',
  scopes: [],
  aud: 'none',
};
const ada: IssuerUser = {
  username: 'ada',
  sub: '0b5e1f1a-7f0e-4c1c-9d3e-3d0f3f8f2a11',
  email: 'ada@example.com',
  groups: ['engineers', 'on-call'],
};

let keys: KeyHistory;
let identityPoolKey: TokenKey;
let clock: TestClock;
let nowSeconds: number;
const running: { stop(): Promise<void> }[] = [];

beforeAll(() => {
  keys = { current: issuerKeySet(), retired: [] };
  identityPoolKey = issuerKey('us-east-11');
});

beforeEach(() => {
  clock = createTestClock();
  nowSeconds = Math.floor(clock.now() / 1000);
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()));
});

async function start(options: Partial<IssuerOptions> = {}): Promise<Issuer> {
  const issuer = await startIssuer({
    clock,
    poolId,
    clients: [orders, plain, web],
    users: [ada],
    keys,
    ...options,
  });
  running.push(issuer);
  return issuer;
}

async function fetchJson(url: string): Promise<unknown> {
  return (await fetch(url)).json();
}

async function verify(token: string, jwksUri: string) {
  const keySet = createLocalJWKSet((await fetchJson(jwksUri)) as JSONWebKeySet);
  return jwtVerify(token, keySet, { currentDate: new Date(clock.now()) });
}

interface TokenCall {
  readonly form?: string;
  readonly basic?: string;
  readonly contentType?: string;
}

async function askForToken(issuer: Issuer, { form, basic, contentType }: TokenCall) {
  const res = await fetch(issuer.tokenEndpoint, {
    method: 'POST',
    headers: {
      'content-type': contentType ?? 'application/x-www-form-urlencoded',
      ...(basic === undefined
        ? {}
        : { authorization: `Basic ${Buffer.from(basic).toString('base64')}` }),
    },
    body: form ?? 'grant_type=client_credentials',
  });
  return { status: res.status, headers: res.headers, body: (await res.json()) as unknown };
}

const ordersBasic = `${orders.clientId}:${orders.clientSecret}`;

describe('client credentials', () => {
  it('gives a token with exactly the claims of a Cognito machine token', async () => {
    const issuer = await start();
    const basic = `${plain.clientId}:${plain.clientSecret}`;
    const { status, headers, body } = await askForToken(issuer, { basic });

    expect(status).toBe(200);
    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 3600,
    });
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-amz-cognito-request-id')).toEqual(uuid);
    const token = (body as { access_token: string }).access_token;
    const { payload, protectedHeader } = await verify(token, issuer.jwksUri);
    expect(protectedHeader).toEqual({ kid: keys.current.access.kid, alg: 'RS256' });
    expect(payload).toEqual({
      sub: plain.clientId,
      token_use: 'access',
      scope: 'orders/read orders/write',
      auth_time: nowSeconds,
      iss: `${issuer.origin}/${poolId}`,
      exp: nowSeconds + 3600,
      iat: nowSeconds,
      version: 2,
      jti: uuid,
      client_id: plain.clientId,
    });
  });

  it('puts aud, equal to the client id, only where the client is configured for it', async () => {
    const issuer = await start();
    const audience = async (clientId: string) =>
      (await verify(issuer.issueAccessToken({ clientId }), issuer.jwksUri)).payload.aud;
    expect(await audience(orders.clientId)).toBe(orders.clientId);
    expect(await audience(plain.clientId)).toBeUndefined();
  });

  it('takes the secret from the body as well', async () => {
    const issuer = await start();
    const form = `grant_type=client_credentials&client_id=${orders.clientId}&client_secret=${orders.clientSecret}`;
    expect((await askForToken(issuer, { form })).status).toBe(200);
  });

  it.each([
    ['orders%2Fread', 'orders/read'],
    ['orders%2Fwrite%20orders%2Fread', 'orders/read orders/write'],
    ['orders%2Fread%20other%2Fadmin', 'orders/read'],
    ['', 'orders/read orders/write'],
    ['other%2Fadmin', ''],
  ])('grants of scope "%s" what the client has, and ignores the rest', async (scope, granted) => {
    const issuer = await start();
    const { body } = await askForToken(issuer, {
      basic: ordersBasic,
      form: `grant_type=client_credentials&scope=${scope}`,
    });
    const token = (body as { access_token: string }).access_token;
    expect((await verify(token, issuer.jwksUri)).payload['scope']).toBe(granted);
  });

  const credentials = `client_id=${orders.clientId}&client_secret=${orders.clientSecret}`;
  it.each<[string, TokenCall, string]>([
    ['no grant type', { basic: ordersBasic, form: 'scope=orders%2Fread' }, 'invalid_request'],
    [
      'another grant type',
      { basic: ordersBasic, form: 'grant_type=refresh_token&refresh_token=1' },
      'unsupported_grant_type',
    ],
    ['no client authentication', {}, 'invalid_request'],
    [
      'a client id without a secret',
      { form: `grant_type=client_credentials&client_id=${orders.clientId}` },
      'invalid_client',
    ],
    ['an unknown client', { basic: `nobody:${orders.clientSecret}` }, 'invalid_client'],
    ['an unknown client without a secret', { basic: 'nobody:' }, 'invalid_client'],
    ['a wrong secret', { basic: `${orders.clientId}:guess` }, 'invalid_client'],
    [
      "another client's secret",
      { basic: `${orders.clientId}:${web.clientSecret}` },
      'invalid_client',
    ],
    [
      'a client without custom scopes',
      { basic: `${web.clientId}:${web.clientSecret}` },
      'unauthorized_client',
    ],
    [
      'two ways to authenticate at once',
      { basic: ordersBasic, form: `grant_type=client_credentials&${credentials}` },
      'invalid_request',
    ],
    [
      'a header and a body that name different clients',
      { basic: ordersBasic, form: `grant_type=client_credentials&client_id=${web.clientId}` },
      'invalid_request',
    ],
    [
      'a repeated parameter',
      { form: `grant_type=client_credentials&${credentials}&client_id=${web.clientId}` },
      'invalid_request',
    ],
    [
      'a body that is no form',
      { basic: ordersBasic, contentType: 'application/json', form: '{}' },
      'invalid_request',
    ],
    ['an authorization without a colon', { basic: 'nobody' }, 'invalid_request'],
  ])('refuses %s', async (_what, call, error) => {
    const issuer = await start();
    const { status, headers, body } = await askForToken(issuer, call);
    expect({ status, body }).toEqual({ status: 400, body: { error } });
    expect(headers.get('cache-control')).toBe('no-store');
  });

  it('answers 413 to a form over 16 KiB', async () => {
    const issuer = await start();
    const form = `grant_type=client_credentials&scope=${'x'.repeat(16 * 1024)}`;
    expect((await askForToken(issuer, { basic: ordersBasic, form })).status).toBe(413);
  });

  it('answers to POST only', async () => {
    const issuer = await start();
    const res = await fetch(`${issuer.tokenEndpoint}?grant_type=client_credentials`);
    expect(res.status).toBe(405);
    expect(res.headers.get('allow')).toBe('POST');
  });
});

describe('user tokens', () => {
  it('have exactly the claims of a Cognito access token', async () => {
    const issuer = await start();
    const token = issuer.issueAccessToken({ clientId: web.clientId, user: 'ada' });
    const { payload, protectedHeader } = await verify(token, issuer.jwksUri);
    expect(protectedHeader).toEqual({ kid: keys.current.access.kid, alg: 'RS256' });
    expect(payload).toEqual({
      sub: ada.sub,
      'cognito:groups': ada.groups,
      iss: issuer.url,
      version: 2,
      client_id: web.clientId,
      origin_jti: uuid,
      event_id: uuid,
      token_use: 'access',
      scope: 'aws.cognito.signin.user.admin',
      auth_time: nowSeconds,
      exp: nowSeconds + 3600,
      iat: nowSeconds,
      jti: uuid,
      username: 'ada',
    });
  });

  it('have exactly the claims of a Cognito ID token, signed with a key of its own', async () => {
    const identities = [
      {
        userId: '107',
        providerName: 'Google',
        providerType: 'Google',
        issuer: null,
        primary: 'true',
      },
    ];
    const issuer = await start({ users: [{ ...ada, identities }] });
    const token = issuer.issueIdToken({ clientId: web.clientId, user: 'ada' });
    const { payload, protectedHeader } = await verify(token, issuer.jwksUri);
    expect(protectedHeader).toEqual({ kid: keys.current.id.kid, alg: 'RS256' });
    expect(payload).toEqual({
      sub: ada.sub,
      aud: web.clientId,
      'cognito:groups': ada.groups,
      email: 'ada@example.com',
      email_verified: true,
      identities,
      'cognito:username': 'ada',
      iss: issuer.url,
      origin_jti: uuid,
      event_id: uuid,
      token_use: 'id',
      auth_time: nowSeconds,
      exp: nowSeconds + 3600,
      iat: nowSeconds,
      jti: uuid,
    });
  });

  it('have no group claim for a user without groups', async () => {
    const issuer = await start({ users: [{ ...ada, groups: [] }] });
    const who = { clientId: web.clientId, user: 'ada' };
    for (const token of [issuer.issueAccessToken(who), issuer.issueIdToken(who)]) {
      expect((await verify(token, issuer.jwksUri)).payload).not.toHaveProperty('cognito:groups');
    }
  });
});

describe('claims that a pre-token-generation trigger adds', () => {
  it('come from client, user and call, the later winning', async () => {
    const issuer = await start({
      clients: [{ ...web, claims: { 'custom:team': 'web', 'custom:tier': '1', from: 'client' } }],
      users: [{ ...ada, claims: { 'custom:team': 'core', from: 'user' } }],
    });
    const who = { clientId: web.clientId, user: 'ada', claims: { from: 'call' } };
    for (const token of [issuer.issueAccessToken(who), issuer.issueIdToken(who)]) {
      const { payload } = await verify(token, issuer.jwksUri);
      expect(payload).toMatchObject({ 'custom:team': 'core', 'custom:tier': '1', from: 'call' });
    }
  });

  it('cannot replace or add what Cognito keeps for itself', async () => {
    const issuer = await start();
    const forged = {
      sub: 'root',
      iss: 'https://evil.example',
      exp: 9_999_999_999,
      client_id: 'other',
      token_use: 'id',
      scope: 'admin',
      username: 'root',
      aud: 'sts.amazonaws.com',
      azp: 'other',
      nbf: 1,
      amr: ['mfa'],
      'cognito:groups': ['admins'],
    };
    const machine = issuer.issueAccessToken({ clientId: plain.clientId, claims: forged });
    const { payload } = await verify(machine, issuer.jwksUri);
    expect(new Set(Object.keys(payload))).toEqual(
      new Set([
        'auth_time',
        'client_id',
        'exp',
        'iat',
        'iss',
        'jti',
        'scope',
        'sub',
        'token_use',
        'version',
      ]),
    );
    expect(payload).toMatchObject({ sub: plain.clientId, client_id: plain.clientId });
  });

  it('may set aud to the own client id', async () => {
    const issuer = await start();
    const token = issuer.issueAccessToken({
      clientId: plain.clientId,
      claims: { aud: plain.clientId },
    });
    expect((await verify(token, issuer.jwksUri)).payload.aud).toBe(plain.clientId);
  });
});

describe('key set', () => {
  it('holds one RSA-2048 key for access tokens and one for ID tokens, and nothing private', async () => {
    const issuer = await start();
    const published = (await fetchJson(issuer.jwksUri)) as JSONWebKeySet;
    expect(published.keys.map((key) => key.kid)).toEqual([
      keys.current.id.kid,
      keys.current.access.kid,
    ]);
    for (const key of published.keys) {
      expect(Object.keys(key)).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
      expect(Buffer.from(key.n ?? '', 'base64url')).toHaveLength(256);
      expect(key.kid).toMatch(/^[A-Za-z0-9+/]{43}=$/);
    }
  });

  it('keeps old keys beside the new ones after a rotation, until they are withdrawn', async () => {
    const issuer = await start();
    const before = issuer.issueAccessToken({ clientId: orders.clientId });
    await issuer.rotateKeys(issuerKeySet());
    const after = issuer.issueAccessToken({ clientId: orders.clientId });

    expect(decodeProtectedHeader(after).kid).not.toBe(decodeProtectedHeader(before).kid);
    await verify(before, issuer.jwksUri);
    await verify(after, issuer.jwksUri);
    issuer.withdrawOldKeys();
    await verify(after, issuer.jwksUri);
    await expect(verify(before, issuer.jwksUri)).rejects.toThrow('no applicable key found');
  });

  it('loses no key to two rotations at once', async () => {
    const issuer = await start();
    await Promise.all([issuer.rotateKeys(issuerKeySet()), issuer.rotateKeys(issuerKeySet())]);
    expect(((await fetchJson(issuer.jwksUri)) as JSONWebKeySet).keys).toHaveLength(6);
  });

  it('is described by discovery, with the issuer of the tokens', async () => {
    const iss = `https://cognito-idp.us-east-1.amazonaws.com/${poolId}`;
    const issuer = await start({ issuer: iss });
    expect(issuer.url).toBe(iss);
    const url = `${issuer.origin}/${poolId}/.well-known/openid-configuration`;
    expect(await fetchJson(url)).toMatchObject({
      issuer: iss,
      jwks_uri: issuer.jwksUri,
      authorization_endpoint: `${issuer.origin}/oauth2/authorize`,
      authorization_response_iss_parameter_supported: true,
      code_challenge_methods_supported: ['S256'],
      token_endpoint: issuer.tokenEndpoint,
      id_token_signing_alg_values_supported: ['RS256'],
    });
    const token = issuer.issueAccessToken({ clientId: orders.clientId });
    expect((await verify(token, issuer.jwksUri)).payload.iss).toBe(iss);
  });

  describe('in a file', () => {
    let folder: string;
    let keyFile: string;
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'issuer-'));
      keyFile = join(folder, 'keys.json');
    });
    afterEach(() => rm(folder, { recursive: true }));

    it('survives a restart, rotations included, so that older tokens verify', async () => {
      const first = await start({ keyFile });
      const before = first.issueAccessToken({ clientId: orders.clientId });
      await first.rotateKeys(issuerKeySet());
      const after = first.issueAccessToken({ clientId: orders.clientId });
      await first.stop();

      const { jwksUri } = await start({ keyFile });
      await verify(before, jwksUri);
      await verify(after, jwksUri);
    });

    it('is readable by its owner only', async () => {
      await start({ keyFile });
      expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
      expect(await readFile(keyFile, 'utf8')).toContain('PRIVATE KEY');
    });

    it('is refused, not replaced, when damaged', async () => {
      await writeFile(keyFile, '{"current":{}}', { mode: 0o600 });
      await expect(start({ keyFile })).rejects.toThrow('does not hold issuer keys');
      expect(await readFile(keyFile, 'utf8')).toBe('{"current":{}}');
    });
  });
});

describe('faults', () => {
  it('turn the key set into a status, a body, a reset, and back', async () => {
    const issuer = await start();
    issuer.setFault({ kind: 'status', status: 503 });
    expect((await fetch(issuer.jwksUri)).status).toBe(503);
    issuer.setFault({ kind: 'body', body: '<html>' });
    expect(await (await fetch(issuer.jwksUri)).text()).toBe('<html>');
    issuer.setFault({ kind: 'reset' });
    await expect(fetch(issuer.jwksUri)).rejects.toThrow('fetch failed');
    expect((await askForToken(issuer, { basic: ordersBasic })).status).toBe(200);
    issuer.setFault();
    expect((await fetch(issuer.jwksUri)).status).toBe(200);
  });

  it('let a request hang until the server stops', async () => {
    const issuer = await start();
    issuer.setFault({ kind: 'hang' });
    const hanging = expect(fetch(issuer.jwksUri)).rejects.toThrow();
    expect((await askForToken(issuer, { basic: ordersBasic })).status).toBe(200);
    await issuer.stop();
    await hanging;
  });
});

describe('exposure', () => {
  it('is to this machine alone', async () => {
    expect((await start()).origin).toMatch(/^http:\/\/127\.0\.0\.1:/);
  });

  it('refuses requests made by web pages', async () => {
    const issuer = await start();
    const res = await fetch(issuer.tokenEndpoint, {
      method: 'POST',
      headers: { origin: 'https://evil.example' },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    expect(res.status).toBe(403);
  });

  it('throws for tokens of unknown clients and users', async () => {
    const issuer = await start();
    expect(() => issuer.issueAccessToken({ clientId: 'nobody' })).toThrow('no client nobody');
    expect(() => issuer.issueIdToken({ clientId: web.clientId, user: 'eve' })).toThrow(
      'no user eve',
    );
  });
});

describe('identity pool', () => {
  const identityPool = 'us-east-1:3f2b1c9e-0000-4000-8000-5d0c6e6b7a11';
  const identityId = 'us-east-1:9a8b7c6d-0000-4000-8000-1a2b3c4d5e6f';

  async function startPool(issuer?: string) {
    const pool = await startIdentityPool({
      clock,
      poolId: identityPool,
      key: identityPoolKey,
      ...(issuer === undefined ? {} : { issuer }),
    });
    running.push(pool);
    return pool;
  }

  it('issues RS512 OpenID tokens for ten minutes, with identity, pool and provider', async () => {
    const pool = await startPool('https://cognito-identity.amazonaws.com');
    const token = pool.issueOpenIdToken({
      identityId,
      provider: { name: 'graph.facebook.com', subject: '7346241598935555:10152563512345' },
    });
    expect(pool.jwksUri).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\.well-known\/jwks_uri$/);
    const { payload, protectedHeader } = await verify(token, pool.jwksUri);
    expect(protectedHeader).toEqual({ kid: 'us-east-11', typ: 'JWS', alg: 'RS512' });
    expect(payload).toEqual({
      sub: identityId,
      aud: identityPool,
      amr: [
        'authenticated',
        'graph.facebook.com',
        'graph.facebook.com:7346241598935555:10152563512345',
      ],
      iss: 'https://cognito-identity.amazonaws.com',
      exp: nowSeconds + 600,
      iat: nowSeconds,
    });
  });

  it('marks identities without a sign-in as unauthenticated', async () => {
    const pool = await startPool();
    const { payload } = await verify(pool.issueOpenIdToken({ identityId }), pool.jwksUri);
    expect(payload['amr']).toEqual(['unauthenticated']);
    expect(payload.iss).toBe(pool.url);
    expect(() =>
      pool.issueOpenIdToken({
        identityId,
        authenticated: false,
        provider: { name: 'graph.facebook.com', subject: '1:2' },
      }),
    ).toThrow('has no provider');
  });
});
