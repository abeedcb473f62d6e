import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import express from 'express';
import type { AccessTokenOptions } from '../../emulators/issuer/issuer.ts';
import { closeServer, listenOnLoopback } from '../../emulators/loopback-http.ts';
import { callerOf, requireCaller } from '../../src/client/require-caller.ts';
import { requireRole } from '../../src/client/require-role.ts';
import { serviceRolesFromFile } from '../../src/client/service-roles-file.ts';
import { CognitoTokenValidator } from '../../src/client/token-validator.ts';
import { clients, type OutsideWorld, pool, startOutsideWorld } from '../support/outside-world.ts';
import { createTestClock } from '../support/test-clock.ts';

const clock = createTestClock();
let outside: OutsideWorld;
let validator: CognitoTokenValidator;
let url: string;
const servers: Server[] = [];

beforeAll(async () => {
  const sub = '7d8e2a5c-1111-4222-8333-944445555666';
  const users = [{ username: 'ada', sub, groups: ['editors'] }];
  outside = await startOutsideWorld({ clock, users, roles: [], stsLatencyMs: 0 });
  validator = new CognitoTokenValidator(
    {
      pools: [
        {
          userPoolId: pool,
          issuer: outside.issuer.url,
          clients: [clients.orders.clientId, clients.reports.clientId],
        },
      ],
      matchableClaims: ['custom:team'],
    },
    clock,
  );
  url = await serve(application());
});

afterAll(async () => {
  for (const server of servers) {
    await closeServer(server);
  }
  await validator.close();
  await outside.stop();
});

/** As a service would write it. */
function application() {
  const app = express();
  app.use(requireCaller({ validator }));
  app.get('/me', (req, res) => {
    const { clientId, subject, groups } = callerOf(req);
    res.json({ clientId, subject, groups });
  });
  const roles = {
    editor: [
      { pool, groups: ['editors'] },
      { pool, clients: [clients.orders.clientId], scopes: ['orders/write'] },
    ],
    'team-member': { pool, claims: { 'custom:team': ['orders'] } },
  };
  app.post('/orders', requireRole('editor', { roles }), (_req, res) => res.json({ done: true }));
  app.get('/team', requireRole('team-member', { roles }), (_req, res) => res.json({ done: true }));
  return app;
}

async function serve(app: express.Express): Promise<string> {
  app.use(((_error, _req, res, _next) => {
    res.status(500).json({ failed: true });
  }) as express.ErrorRequestHandler);
  const server = createServer(app);
  servers.push(server);
  return await listenOnLoopback(server);
}

async function call(path: string, authorization?: string, base = url) {
  const response = await fetch(base + path, {
    method: path === '/orders' ? 'POST' : 'GET',
    ...(authorization === undefined ? {} : { headers: { authorization } }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: a test says itself what it expects in there
  const body = (await response.json()) as any;
  return { status: response.status, headers: response.headers, body };
}

function token(name: keyof typeof clients, options: Partial<AccessTokenOptions> = {}): string {
  return outside.issuer.issueAccessToken({ clientId: clients[name].clientId, ...options });
}

const bearer = (text: string) => `Bearer ${text}`;

describe('requireCaller', () => {
  it('tells the handler who calls', async () => {
    const { status, body } = await call('/me', bearer(token('orders', { user: 'ada' })));
    expect(status).toBe(200);
    expect(body).toEqual({
      clientId: clients.orders.clientId,
      subject: '7d8e2a5c-1111-4222-8333-944445555666',
      groups: ['editors'],
    });
  });

  it('answers a request without a token as the broker does', async () => {
    const { status, headers, body } = await call('/me');
    expect(status).toBe(401);
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(headers.get('www-authenticate')).toBe('Bearer');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toMatchObject({
      type: 'urn:token-broker:error:token_missing',
      status: 401,
      code: 'token_missing',
      request_id: headers.get('x-request-id'),
    });
  });

  const adversarial: [what: string, make: () => string, code: string][] = [
    ['no JWT', () => bearer('abc'), 'token_malformed'],
    ['another scheme', () => `Basic ${token('orders')}`, 'token_malformed'],
    ['an app client that is not listed', () => bearer(token('stranger')), 'token_client_refused'],
    [
      'an ID token',
      () => bearer(outside.issuer.issueIdToken({ clientId: clients.orders.clientId, user: 'ada' })),
      'token_use_refused',
    ],
    ['other claims under the same signature', () => bearer(tampered()), 'token_signature_invalid'],
    ['alg none', () => bearer(forged({ alg: 'none', kid: 'x' })), 'token_malformed'],
    ['a symmetric signature', () => bearer(hmac()), 'token_malformed'],
    [
      'a key that came along',
      () => bearer(forged({ alg: 'RS256', kid: 'x', jwk: {} })),
      'token_malformed',
    ],
    ['an unknown key', () => bearer(forged({ alg: 'RS256', kid: 'unknown' })), 'token_key_unknown'],
    ['an issuer that is not listed', () => bearer(foreign()), 'token_issuer_unknown'],
  ];

  it.each(adversarial)('refuses %s', async (_what, make, code) => {
    const { status, headers, body } = await call('/me', make());
    expect({ status, code: body.code }).toEqual({ status: 401, code });
    expect(headers.get('www-authenticate')).toMatch(/^Bearer error="invalid_token"/);
  });

  it('refuses a token that has expired, though it was good before', async () => {
    const own = bearer(token('orders'));
    expect((await call('/me', own)).status).toBe(200);
    await clock.advance(2 * 60 * 60_000);
    const { status, body } = await call('/me', own);
    expect({ status, code: body.code }).toEqual({ status: 401, code: 'token_expired' });
  });

  it('answers 503 while the keys of the issuer are not to be had', async () => {
    const unreachable = new CognitoTokenValidator(
      {
        pools: [
          {
            userPoolId: pool,
            issuer: outside.issuer.url,
            jwksUri: 'http://127.0.0.1:1/jwks.json',
            clients: [clients.orders.clientId],
          },
        ],
      },
      clock,
    );
    const app = express();
    app.use(requireCaller({ validator: unreachable }), (_req, res) => void res.json({}));
    const base = await serve(app);
    const { status, headers, body } = await call('/me', bearer(token('orders')), base);
    expect({ status, code: body.code }).toEqual({ status: 503, code: 'keys_unavailable' });
    expect(headers.get('retry-after')).toBe('5');
    await unreachable.close();
  });

  it('keeps the request id that the service has set', async () => {
    const app = express();
    app.use((_req, res, next) => {
      res.setHeader('X-Request-Id', 'request-of-the-service');
      next();
    });
    app.use(requireCaller({ validator }));
    const { body } = await call('/me', undefined, await serve(app));
    expect(body.request_id).toBe('request-of-the-service');
  });

  it('hands a validator that breaks to the error handler, not to the route', async () => {
    const app = express();
    const broken = {
      validate: () => Promise.reject(new Error('bug')),
      matchableClaims: new Set<string>(),
    };
    app.use(requireCaller({ validator: broken }), (_req, res) => void res.json({}));
    expect((await call('/me', bearer(token('orders')), await serve(app))).status).toBe(500);
  });
});

describe('claims that prove nothing', () => {
  const names = ['email', 'phone_number', 'custom:level', 'custom:odd'];
  const { clientId } = clients.orders;

  /** What a service sees of a caller with these claims, and its answer where rules deny by an address. */
  async function seen(claims: Readonly<Record<string, unknown>>) {
    const directory = mkdtempSync(join(tmpdir(), 'token-broker-test-'));
    const file = join(directory, 'roles.yaml');
    writeFileSync(
      file,
      `{ id: all, principal: { pool: ${pool}, client: ${clientId} }, effect: allow, role: reader, owner: a }
---
{ id: eve, principal: { pool: ${pool}, any: true }, effect: deny, role: reader, owner: a,
  conditions: { claims: { email: [eve@example.com] } } }
`,
    );
    const pools = [{ userPoolId: pool, issuer: outside.issuer.url, clients: [clientId] }] as const;
    const reading = new CognitoTokenValidator({ pools, matchableClaims: names }, clock);
    const app = express();
    app.use(requireCaller({ validator: reading }));
    app.get('/me', (req, res) => {
      const { claims: known, incomparableClaims } = callerOf(req);
      const there = names.filter((name) => known.has(name) || known.get(name));
      res.json({ there, incomparable: [...incomparableClaims] });
    });
    const reader = requireRole('reader', { roles: serviceRolesFromFile(file) }, clock);
    app.get('/team', reader, (_req, res) => res.json({}));
    const base = await serve(app);
    const own = bearer(token('orders', { user: 'ada', claims }));
    const { body } = await call('/me', own, base);
    const { status } = await call('/team', own, base);
    await reading.close();
    rmSync(directory, { recursive: true });
    return { ...body, status };
  }

  it('T107: are not among the claims of the caller, and yet match a deny', async () => {
    const unverified = {
      ...{ email: 'ada@example.com', email_verified: false, phone_number: '+15550100' },
      'custom:level': 1.5,
      'custom:odd': { a: 1 },
    };
    expect(await seen(unverified)).toEqual({ there: [], incomparable: names, status: 403 });
  });

  it('T107: are there once they prove something', async () => {
    const verified = {
      ...{ email: 'ada@example.com', email_verified: true },
      ...{ phone_number: '+15550100', phone_number_verified: true },
      'custom:level': 2,
    };
    const there = ['email', 'phone_number', 'custom:level'];
    expect(await seen(verified)).toEqual({ there, incomparable: [], status: 200 });
  });
});

describe('requireRole', () => {
  it('lets callers with the role pass, by group or by client and scope', async () => {
    expect((await call('/orders', bearer(token('orders', { user: 'ada' })))).status).toBe(200);
    expect((await call('/orders', bearer(token('orders')))).status).toBe(200);
  });

  it.each([
    ['a client that has no rule', () => token('reports')],
    ['a token without the scope', () => token('orders', { scopes: ['orders/read'] })],
  ])('answers 403 to %s', async (_what, make) => {
    const { status, headers, body } = await call('/orders', bearer(make()));
    expect({ status, code: body.code }).toEqual({ status: 403, code: 'access_denied' });
    expect(headers.get('content-type')).toBe('application/problem+json');
  });

  it('reads claims that the validator was told to read', async () => {
    const member = (team: string) => bearer(token('orders', { claims: { 'custom:team': team } }));
    expect((await call('/team', member('orders'))).status).toBe(200);
    expect((await call('/team', member('payments'))).status).toBe(403);
  });

  it('fails every request if its rules look at a claim that the validator does not read', async () => {
    const app = express();
    const roles = { gold: { pool, claims: { tier: ['gold'] } } };
    app.use(
      requireCaller({ validator }),
      requireRole('gold', { roles }),
      (_req, res) => void res.json({}),
    );
    const answer = await call(
      '/me',
      bearer(token('orders', { claims: { tier: 'gold' } })),
      await serve(app),
    );
    expect(answer.status).toBe(500);
  });

  it('fails every request if no requireCaller comes before it', async () => {
    const app = express();
    const roles = { editor: { pool, groups: ['editors'] } };
    app.use(requireRole('editor', { roles }), (_req, res) => void res.json({}));
    expect((await call('/me', bearer(token('orders')), await serve(app))).status).toBe(500);
  });

  it('leaves what a handler behind it throws to the framework, and calls nothing twice', async () => {
    const app = express();
    const roles = { client: { pool, clients: [clients.orders.clientId] } };
    const calls: unknown[] = [];
    app.use(requireCaller({ validator }), (req, res) => {
      requireRole('client', { roles }, clock)(req, res, (error) => {
        calls.push(error);
        throw new Error('of the handler');
      });
    });
    expect((await call('/me', bearer(token('orders')), await serve(app))).status).toBe(500);
    expect(calls).toEqual([undefined]);
  });

  it('refuses a role that no rule gives, when the service starts', () => {
    const roles = { editor: { pool, groups: ['editors'] } };
    expect(() => requireRole('editors', { roles })).toThrow(TypeError);
  });
});

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function claims(): Record<string, unknown> {
  return JSON.parse(Buffer.from(token('orders').split('.')[1] ?? '', 'base64url').toString());
}

function tampered(): string {
  const [header, , signature] = token('orders').split('.');
  return `${header}.${part({ ...claims(), 'cognito:groups': ['editors'] })}.${signature}`;
}

function forged(header: object): string {
  return `${part(header)}.${part(claims())}.${Buffer.alloc(256, 1).toString('base64url')}`;
}

function hmac(): string {
  const [header = ''] = token('orders').split('.');
  const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString());
  const input = `${part({ alg: 'HS256', kid })}.${part(claims())}`;
  return `${input}.${createHmac('sha256', 'public key').update(input).digest('base64url')}`;
}

function foreign(): string {
  const header = { alg: 'RS256', kid: 'x' };
  const iss = 'https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Evil00001';
  return `${part(header)}.${part({ ...claims(), iss })}.${Buffer.alloc(256, 1).toString('base64url')}`;
}
