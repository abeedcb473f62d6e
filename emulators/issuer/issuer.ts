/**
 * A Cognito user pool's issuer on loopback HTTP: key set, discovery, the client-credentials grant, sign-in by
 * authorization code, and tokens with the claims Cognito documents. For development and tests; it has never met the real service.
 */

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';

import type { Clock } from '../../src/kit/timing/clock.ts';
import {
  answerJson,
  closeServer,
  comesFromBrowser,
  listenOnLoopback,
  readBody,
  staysOpen,
} from '../loopback-http.ts';
import { authorize, logoutTarget } from './issuer-authorize.ts';
import type { ExtraClaims, IssuerClient, IssuerUser } from './issuer-claims.ts';
import { accessTokenClaims, idTokenClaims } from './issuer-claims.ts';
import { IssuerCodes } from './issuer-codes.ts';
import type { IssuerFault } from './issuer-faults.ts';
import { answerWithFault } from './issuer-faults.ts';
import { KeyRing } from './issuer-key-ring.ts';
import type { KeyHistory, KeySet, TokenKey } from './issuer-keys.ts';
import { IssuerSessions } from './issuer-sessions.ts';
import { sendAuthorizeAnswer } from './issuer-sign-in-page.ts';
import { grantToken } from './issuer-token-endpoint.ts';
import { signJwt } from './jwt-signer.ts';

export interface IssuerOptions {
  readonly clock: Clock;
  /** Default 0: any free port. */
  readonly port?: number;
  /** For example us-east-1_Local0001. */
  readonly poolId: string;
  /** `iss` of the tokens. Default `http://127.0.0.1:<port>/<poolId>`. */
  readonly issuer?: string;
  readonly clients: readonly IssuerClient[];
  readonly users?: readonly IssuerUser[];
  /** Keys to start with, unless `keyFile` holds some. Default: new ones. */
  readonly keys?: KeyHistory;
  /** Where the keys are kept (mode 0600), so that tokens outlive a restart. */
  readonly keyFile?: string;
}

/** As DescribeUserPool prints it. */
export interface UserPoolSetup {
  readonly plan: 'LITE' | 'ESSENTIALS' | 'PLUS';
  /** Event version of the pre-token-generation trigger; undefined without one. */
  readonly trigger: 'V1_0' | 'V2_0' | 'V3_0' | undefined;
}

export interface AccessTokenOptions {
  readonly clientId: string;
  /** Username. Absent: a machine token, as of the client-credentials grant. */
  readonly user?: string;
  /** Exactly these. Default: all of the client's for a machine, what InitiateAuth gives for a user. */
  readonly scopes?: readonly string[];
  readonly expiresInSeconds?: number;
  readonly claims?: ExtraClaims;
  /** Of a user, epoch milliseconds: earlier than now for a refreshed token. Default: now. */
  readonly signedInAt?: number;
  /** Of a user. Default: none, as in most pools. */
  readonly amr?: readonly string[];
}

export interface IdTokenOptions {
  readonly clientId: string;
  readonly user: string;
  readonly expiresInSeconds?: number;
  readonly claims?: ExtraClaims;
}

export interface Issuer {
  /** `iss` of the tokens. */
  readonly url: string;
  readonly origin: string;
  readonly jwksUri: string;
  readonly tokenEndpoint: string;
  /** Signs new tokens with these keys, or with new ones; the old ones stay published. */
  rotateKeys(next?: KeySet): Promise<void>;
  /** Where browsers may be sent with a code for this client, and after signing out; and whose pages may redeem one. */
  allowCallback(clientId: string, url: string): void;
  /** Publishes the current keys alone. */
  withdrawOldKeys(): void;
  /** What DescribeUserPool says from now on; an error code instead of a pool is what it answers with. */
  describeAs(setup: UserPoolSetup | { readonly error: string }): void;
  /** From now on; without an argument, no longer. */
  setFault(fault?: IssuerFault): void;
  /** Throws for an unknown client or user. */
  issueAccessToken(options: AccessTokenOptions): string;
  /** Throws for an unknown client or user. */
  issueIdToken(options: IdTokenOptions): string;
  stop(): Promise<void>;
}

const maxBodyBytes = 16 * 1024;
/** Of access and ID tokens, as Cognito has it by default. */
const lifetimeSeconds = 3600;
/** The only scope of tokens that Cognito issues through InitiateAuth. */
const signInScopes = ['aws.cognito.signin.user.admin'];
const noStore = { 'cache-control': 'no-store', pragma: 'no-cache' };

type Handler = (req: IncomingMessage, res: ServerResponse) => void | Promise<void>;

interface Route {
  readonly methods: readonly string[];
  readonly handle: Handler;
  /** Whether pages of this origin may send such requests. Default: none may. */
  readonly admits?: (origin: string) => boolean;
}

export async function startIssuer(options: IssuerOptions): Promise<Issuer> {
  const { clock, poolId } = options;
  const clients = new Map(options.clients.map((client) => [client.clientId, client]));
  const users = new Map((options.users ?? []).map((user) => [user.username, user]));
  const keys = await KeyRing.open(options);
  const codes = new IssuerCodes(clock);
  const sessions = new IssuerSessions(clock);
  const callbacks = new Map<string, Set<string>>();
  let fault: IssuerFault | undefined;
  const adds = options.clients.some(({ aud }) => aud === 'client_id');
  let setup: Parameters<Issuer['describeAs']>[0] = {
    plan: 'ESSENTIALS',
    trigger: adds ? 'V3_0' : undefined,
  };

  const wellKnown = `/${poolId}/.well-known`;
  const routes = new Map<string, Route>([
    [`${wellKnown}/jwks.json`, { methods: ['GET'], handle: answerJwks }],
    [`${wellKnown}/openid-configuration`, { methods: ['GET'], handle: answerDiscovery }],
    [
      '/oauth2/authorize',
      { methods: ['GET', 'POST'], handle: answerAuthorize, admits: (from) => from === origin },
    ],
    ['/logout', { methods: ['GET'], handle: answerLogout }],
    ['/', { methods: ['POST'], handle: answerApi }],
    ['/oauth2/token', { methods: ['POST'], handle: answerToken, admits: isCallbackOrigin }],
  ]);

  const server = createServer(staysOpen, (req, res) => {
    void answer(req, res).catch(() => res.destroy());
  });
  const origin = await listenOnLoopback(server, options.port);
  const url = options.issuer ?? `${origin}/${poolId}`;
  const jwksUri = `${origin}${wellKnown}/jwks.json`;
  const tokenEndpoint = `${origin}/oauth2/token`;

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const route = routes.get(pathOf(req));
    if (comesFromBrowser(req) && !route?.admits?.(req.headers.origin ?? '')) {
      return answerJson(res, 403, { error: 'browsers_are_refused' });
    }
    if (!route) return answerJson(res, 404, { error: 'not_found' });
    if (fault && route.handle === answerJwks) return answerWithFault(res, fault);
    if (route.methods.includes(req.method ?? '')) return route.handle(req, res);
    answerJson(res, 405, { error: 'method_not_allowed' }, { allow: route.methods.join(', ') });
  }

  function isCallbackOrigin(from: string): boolean {
    return [...callbacks.values()].some((urls) =>
      [...urls].some((url) => new URL(url).origin === from),
    );
  }

  function answerJwks(_req: IncomingMessage, res: ServerResponse): void {
    answerJson(res, 200, { keys: keys.published });
  }

  function answerDiscovery(_req: IncomingMessage, res: ServerResponse): void {
    answerJson(res, 200, {
      authorization_endpoint: `${origin}/oauth2/authorize`,
      authorization_response_iss_parameter_supported: true,
      code_challenge_methods_supported: ['S256'],
      id_token_signing_alg_values_supported: ['RS256'],
      issuer: url,
      jwks_uri: jwksUri,
      response_types_supported: ['code', 'token', 'id_token'],
      scopes_supported: ['openid', 'email', 'phone', 'profile'],
      subject_types_supported: ['public'],
      token_endpoint: tokenEndpoint,
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
      claims_supported: ['aud', 'iat', 'iss', 'sub'],
    });
  }

  async function answerAuthorize(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = req.method === 'POST' ? await bodyText(req, res) : queryOf(req);
    if (body === undefined) return;
    const parameters = new URLSearchParams(body);
    // A link that somebody else made must not sign anybody in: choosing is a POST from the page.
    if (req.method === 'GET') parameters.delete('user');
    const answer = authorize({
      parameters,
      clients,
      users,
      callbacks,
      issuer: url,
      issueCode: (signIn) => codes.issue(signIn),
      remembered: sessions.remembered(req.headers.cookie),
      now: clock.now(),
    });
    sendAuthorizeAnswer(res, answer, (user) => sessions.begin(user));
  }

  function answerLogout(req: IncomingMessage, res: ServerResponse): void {
    const target = logoutTarget({ parameters: new URLSearchParams(queryOf(req)), callbacks });
    if (target === undefined) {
      answerJson(res, 400, { error: 'redirect_mismatch' }, noStore);
      return;
    }
    const cookie = sessions.end(req.headers.cookie);
    res.writeHead(302, { ...noStore, location: target, 'set-cookie': cookie, 'content-length': 0 });
    res.end();
  }

  /** The API of user pools is at the same host: the one question about them that is answered here. */
  async function answerApi(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await bodyText(req, res);
    if (body === undefined) return;
    const headers = { 'content-type': 'application/x-amz-json-1.1' };
    const known = req.headers['x-amz-target'] === describeUserPool && body.includes(`"${poolId}"`);
    const error = 'error' in setup ? setup.error : known ? undefined : 'ResourceNotFoundException';
    if (error !== undefined) return answerJson(res, 400, { __type: error }, headers);
    answerJson(res, 200, { UserPool: describedPool(poolId, setup as UserPoolSetup) }, headers);
  }

  async function answerToken(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await bodyText(req, res);
    if (body === undefined) return;
    const { 'content-type': contentType, authorization, origin: from } = req.headers;
    const headers = {
      ...noStore,
      'x-amz-cognito-request-id': randomUUID(),
      ...(from === undefined ? {} : { 'access-control-allow-origin': from, vary: 'Origin' }),
    };
    const grant = grantToken({ contentType, authorization, body }, clients, (redemption) =>
      codes.redeem(redemption),
    );
    if (grant.kind === 'refused') return answerJson(res, 400, { error: grant.error }, headers);
    const { client, scopes, user, signedInAt = clock.now() } = grant;
    const whose = user === undefined ? {} : { user: user.username, signedInAt };
    const token = {
      access_token: issueAccessToken({ clientId: client.clientId, scopes, ...whose }),
      expires_in: lifetimeSeconds,
      token_type: 'Bearer',
    };
    answerJson(res, 200, token, headers);
  }

  function issueAccessToken(asked: AccessTokenOptions): string {
    const client = known(clients, asked.clientId, 'client');
    const user = asked.user === undefined ? undefined : known(users, asked.user, 'user');
    const claims = accessTokenClaims({
      issuer: url,
      nowMs: clock.now(),
      expiresInSeconds: asked.expiresInSeconds ?? lifetimeSeconds,
      client,
      user,
      scopes: asked.scopes ?? (user ? signInScopes : client.scopes),
      claims: asked.claims,
      signedInAt: asked.signedInAt,
      amr: asked.amr,
    });
    return signed(keys.current.access, claims);
  }

  function issueIdToken(asked: IdTokenOptions): string {
    const client = known(clients, asked.clientId, 'client');
    const claims = idTokenClaims({
      issuer: url,
      nowMs: clock.now(),
      expiresInSeconds: asked.expiresInSeconds ?? lifetimeSeconds,
      client,
      user: known(users, asked.user, 'user'),
      claims: asked.claims,
    });
    return signed(keys.current.id, claims);
  }

  return {
    url,
    origin,
    jwksUri,
    tokenEndpoint,
    rotateKeys: (next) => keys.rotate(next),
    allowCallback(clientId, callback) {
      const { origin: from, pathname } = new URL(callback);
      const urls = callbacks.get(clientId) ?? new Set();
      callbacks.set(clientId, urls.add(`${from}${pathname}`));
    },
    withdrawOldKeys: () => keys.withdrawOld(),
    describeAs(next) {
      setup = next;
    },
    setFault(next) {
      fault = next;
    },
    issueAccessToken,
    issueIdToken,
    stop: () => closeServer(server),
  };
}

const describeUserPool = 'AWSCognitoIdentityProviderService.DescribeUserPool';

function describedPool(poolId: string, { plan, trigger }: UserPoolSetup): object {
  const [region] = poolId.split('_', 1);
  const LambdaArn = `arn:aws:lambda:${region}:123456789012:function:audience`;
  const config = trigger && { PreTokenGenerationConfig: { LambdaArn, LambdaVersion: trigger } };
  return { Id: poolId, Name: 'local', UserPoolTier: plan, LambdaConfig: config ?? {} };
}

function pathOf(req: IncomingMessage): string {
  return (req.url ?? '').split('?', 1)[0] ?? '';
}

function queryOf(req: IncomingMessage): string {
  return (req.url ?? '').split('?').slice(1).join('?');
}

function signed(key: TokenKey, claims: Readonly<Record<string, unknown>>): string {
  return signJwt({ key, header: { kid: key.kid, alg: 'RS256' }, claims });
}

function known<T>(entries: ReadonlyMap<string, T>, name: string, what: string): T {
  const entry = entries.get(name);
  if (!entry) throw new Error(`the local issuer has no ${what} ${name}`);
  return entry;
}

/** The body, or undefined where there is none to go on with; then the request has had its answer. */
async function bodyText(req: IncomingMessage, res: ServerResponse): Promise<string | undefined> {
  const body = await readBody(req, maxBodyBytes);
  switch (body.kind) {
    case 'complete':
      return body.bytes.toString('utf8');
    case 'too_large':
      answerJson(res, 413, { error: 'invalid_request' }, { ...noStore, connection: 'close' });
      return undefined;
    case 'disconnected':
      return undefined;
  }
}
