/**
 * The OpenID tokens of a Cognito identity pool (GetOpenIdToken) and the key set they verify against, on
 * loopback HTTP. For development and tests; it has never met the real service.
 */

import { createServer } from 'node:http';

import type { Clock } from '../../src/kit/timing/clock.ts';
import {
  answerJson,
  closeServer,
  comesFromBrowser,
  listenOnLoopback,
  staysOpen,
} from '../loopback-http.ts';
import type { TokenKey } from './issuer-keys.ts';
import { cognitoJwk, createSigningKey } from './issuer-keys.ts';
import { signJwt } from './jwt-signer.ts';

export interface IdentityPoolOptions {
  readonly clock: Clock;
  /** `us-east-1:<uuid>`: `aud` of the tokens. */
  readonly poolId: string;
  /** `iss` of the tokens. Default: the origin of this server; at AWS, https://cognito-identity.amazonaws.com. */
  readonly issuer?: string;
  /** Default: a new one. */
  readonly key?: TokenKey;
  /** Default 0: any free port. */
  readonly port?: number;
}

export interface OpenIdTokenOptions {
  /** `us-east-1:<uuid>`: `sub` of the token. */
  readonly identityId: string;
  /**
   * Where the user signed in, for example `graph.facebook.com`, and as whom: `<app id>:<user id>` there.
   * They become the second and third entry of `amr`.
   */
  readonly provider?: { readonly name: string; readonly subject: string };
  /** Default: true with a provider, false without. */
  readonly authenticated?: boolean;
}

export interface IdentityPool {
  /** `iss` of the tokens. */
  readonly url: string;
  readonly jwksUri: string;
  /** Throws for an unauthenticated identity with a provider, which cannot be. */
  issueOpenIdToken(options: OpenIdTokenOptions): string;
  stop(): Promise<void>;
}

const tokenSeconds = 600;
const jwksPath = '/.well-known/jwks_uri';

export async function startIdentityPool(options: IdentityPoolOptions): Promise<IdentityPool> {
  const { clock, poolId } = options;
  // The key ids observed at AWS are the region and a number, without anything between.
  const key = options.key ?? (await createSigningKey(`${poolId.split(':', 1)[0]}1`));
  const published = { keys: [cognitoJwk(key, 'RS512')] };
  const server = createServer(staysOpen, (req, res) => {
    if (comesFromBrowser(req)) return answerJson(res, 403, { error: 'browsers_are_refused' });
    const found = req.method === 'GET' && (req.url ?? '').split('?', 1)[0] === jwksPath;
    return found ? answerJson(res, 200, published) : answerJson(res, 404, { error: 'not_found' });
  });
  const origin = await listenOnLoopback(server, options.port);
  const url = options.issuer ?? origin;

  return {
    url,
    jwksUri: `${origin}${jwksPath}`,
    issueOpenIdToken(asked) {
      const nowSeconds = Math.floor(clock.now() / 1000);
      return signJwt({
        key,
        header: { kid: key.kid, typ: 'JWS', alg: 'RS512' },
        claims: {
          sub: asked.identityId,
          aud: poolId,
          amr: authenticationMethods(asked),
          iss: url,
          exp: nowSeconds + tokenSeconds,
          iat: nowSeconds,
        },
      });
    },
    stop: () => closeServer(server),
  };
}

function authenticationMethods({
  provider,
  authenticated = provider !== undefined,
}: OpenIdTokenOptions): readonly string[] {
  if (authenticated) {
    return provider
      ? ['authenticated', provider.name, `${provider.name}:${provider.subject}`]
      : ['authenticated'];
  }
  if (provider) throw new Error('an unauthenticated identity has no provider');
  return ['unauthenticated'];
}
