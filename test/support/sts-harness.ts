import { createSign, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import {
  AssumeRoleWithWebIdentityCommand,
  type AssumeRoleWithWebIdentityCommandInput,
  type AssumeRoleWithWebIdentityCommandOutput,
  STSClient,
  STSServiceException,
} from '@aws-sdk/client-sts';
import { closeServer, listenOnLoopback, staysOpen } from '../../emulators/loopback-http.ts';
import {
  type StsServer,
  type StsServerOptions,
  startStsServer,
} from '../../emulators/sts/sts-server.ts';
import { rsaKeyPair } from './rsa-keys.ts';
import { createTestClock, type TestClock } from './test-clock.ts';

export const accountId = '123456789012';
export const clientId = '4abc0exampleclientid';
export const roleArn = `arn:aws:iam::${accountId}:role/broker/orders-writer`;

export type Claims = Readonly<Record<string, unknown>>;

/** A local STS, an issuer it trusts (a key and a JWKS server), and a role that trusts any caller of that issuer. */
export interface StsHarness {
  readonly clock: TestClock;
  readonly issuer: TinyIssuer;
  readonly sts: StsServer;
  readonly client: STSClient;
  readonly providerArn: string;
  /** `issuer` without its scheme: the prefix of condition keys. */
  readonly providerName: string;
  /** Claims that pass; `undefined` removes one. */
  claims(overrides?: Claims): Claims;
  token(overrides?: Claims, options?: SignOptions): string;
  trustPolicy(statement?: Claims): object;
  exchange(
    overrides?: Partial<AssumeRoleWithWebIdentityCommandInput>,
  ): Promise<AssumeRoleWithWebIdentityCommandOutput>;
  stop(): Promise<void>;
}

export async function startStsHarness(
  options: Partial<StsServerOptions> = {},
): Promise<StsHarness> {
  // Near the real time: the SDK signs with the clock of the machine.
  const clock = createTestClock(Math.floor(Date.now() / 1000) * 1000);
  const issuer = await startTinyIssuer();
  const providerName = issuer.url.replace('http://', '');
  const providerArn = `arn:aws:iam::${accountId}:oidc-provider/${providerName}`;
  const trustPolicy = (statement: Claims = {}) => ({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { Federated: providerArn },
        Action: 'sts:AssumeRoleWithWebIdentity',
        ...statement,
      },
    ],
  });
  const sts = await startStsServer({
    clock,
    providers: [{ accountId, issuer: issuer.url, jwksUri: issuer.jwksUri, clientIds: [clientId] }],
    roles: [{ arn: roleArn, trustPolicy: trustPolicy() }],
    ...options,
  }).catch(async (error: unknown) => {
    await issuer.stop();
    throw error;
  });
  const client = new STSClient({ endpoint: sts.url, region: 'us-east-1', maxAttempts: 1 });
  const claims = (overrides: Claims = {}) => {
    const nowSeconds = Math.floor(clock.now() / 1000);
    const base = {
      iss: issuer.url,
      sub: '0f4c5a6e-subject',
      aud: clientId,
      iat: nowSeconds,
      exp: nowSeconds + 3600,
    };
    return { ...base, ...overrides };
  };
  const token = (overrides: Claims = {}, signOptions: SignOptions = {}) =>
    issuer.sign(claims(overrides), signOptions);
  return {
    clock,
    issuer,
    sts,
    client,
    providerArn,
    providerName,
    claims,
    token,
    trustPolicy,
    exchange: (overrides = {}) =>
      client.send(
        new AssumeRoleWithWebIdentityCommand({
          RoleArn: roleArn,
          RoleSessionName: 'orders-service',
          WebIdentityToken: overrides.WebIdentityToken ?? token(),
          ...overrides,
        }),
      ),
    async stop() {
      client.destroy();
      await sts.stop();
      await issuer.stop();
    },
  };
}

export interface StsFailure {
  readonly name: string;
  readonly code: string | undefined;
  readonly status: number | undefined;
  readonly message: string;
}

/** How the SDK shows the error that `call` ends in. */
export async function failureOf(call: Promise<unknown>): Promise<StsFailure> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof STSServiceException)) throw error;
    const { name, message, $metadata } = error;
    const code = (error as { readonly Code?: string }).Code;
    return { name, code, status: $metadata.httpStatusCode, message };
  }
  throw new Error('the call succeeded');
}

export interface SignOptions {
  readonly alg?: 'RS256' | 'RS384' | 'RS512' | 'ES256' | 'ES384' | 'ES512';
  readonly kid?: string;
  readonly key?: KeyObject;
  readonly header?: Claims;
}

export interface TinyIssuer {
  readonly url: string;
  readonly jwksUri: string;
  /** How often the JWKS has been fetched. */
  readonly fetches: number;
  sign(claims: Claims, options?: SignOptions): string;
  /** With RS256, whatever these say. */
  signTexts(header: string, payload: string): string;
  /** Publishes one more key and returns its private half. */
  publish(kid: string, kind?: 'rsa' | KeyCurve): KeyObject;
  /** Publishes this JWK besides. */
  publishJwk(jwk: object): void;
  /** Answers with this status and body instead of the JWKS, or with the JWKS again. */
  answerWith(answer: { readonly status: number; readonly body: string } | undefined): void;
  stop(): Promise<void>;
}

export type KeyCurve = 'P-256' | 'P-384' | 'P-521';

async function startTinyIssuer(): Promise<TinyIssuer> {
  const jwks: object[] = [];
  let fetches = 0;
  let answer: { readonly status: number; readonly body: string } | undefined;
  const server = createServer(staysOpen, (_req, res) => {
    fetches += 1;
    const { status, body } = answer ?? { status: 200, body: JSON.stringify({ keys: jwks }) };
    res.writeHead(status, { 'content-type': 'application/json' }).end(body);
  });
  const url = `${await listenOnLoopback(server)}/us-east-1_AbCdEf123`;
  const publish = (kid: string, kind: 'rsa' | KeyCurve = 'rsa') => {
    const { privateKey, publicKey } =
      kind === 'rsa' ? rsaKeyPair() : generateKeyPairSync('ec', { namedCurve: kind });
    jwks.push({ ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' });
    return privateKey;
  };
  const publishJwk = (jwk: object) => void jwks.push(jwk);
  const mainKey = publish('main');
  return {
    url,
    jwksUri: `${url}/.well-known/jwks.json`,
    get fetches() {
      return fetches;
    },
    publish,
    publishJwk,
    answerWith(next) {
      answer = next;
    },
    sign: (claims, options = {}) => signJws(claims, { key: mainKey, ...options }),
    signTexts: (header, payload) => signTexts([header, payload], { alg: 'RS256', key: mainKey }),
    async stop() {
      await closeServer(server);
    },
  };
}

function signJws(
  claims: Claims,
  { alg = 'RS256', kid = 'main', key, header }: SignOptions & { readonly key: KeyObject },
): string {
  return signTexts([JSON.stringify(header ?? { alg, kid }), JSON.stringify(claims)], { alg, key });
}

function signTexts(
  parts: readonly [header: string, payload: string],
  { alg, key }: { readonly alg: string; readonly key: KeyObject },
): string {
  const input = parts.map((part) => Buffer.from(part).toString('base64url')).join('.');
  const signature = createSign(`sha${alg.slice(2)}`)
    .update(input)
    .sign({ key, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}
