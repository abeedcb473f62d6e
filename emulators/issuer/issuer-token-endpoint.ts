/** Cognito's token endpoint, from form to answer, without the network: client credentials and authorization codes. */

import { createHash, timingSafeEqual } from 'node:crypto';

import type { IssuerClient, IssuerUser } from './issuer-claims.ts';
import type { Redemption, SignIn } from './issuer-codes.ts';

export type TokenErrorCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'unauthorized_client'
  | 'unsupported_grant_type';

export type TokenGrant =
  | {
      readonly kind: 'granted';
      readonly client: IssuerClient;
      /** Absent for the client-credentials grant. */
      readonly user?: IssuerUser;
      /** Of that user, epoch milliseconds. */
      readonly signedInAt?: number;
      readonly scopes: readonly string[];
    }
  | { readonly kind: 'refused'; readonly error: TokenErrorCode };

export interface TokenForm {
  readonly contentType: string | undefined;
  readonly authorization: string | undefined;
  readonly body: string;
}

/**
 * Decides a token request as
 * https://docs.aws.amazon.com/cognito/latest/developerguide/token-endpoint.html describes it, with the rules
 * of RFC 6749 §2.3 and §3.2 for what that page leaves open (one way to authenticate, no repeated parameter).
 */
export function grantToken(
  request: TokenForm,
  clients: ReadonlyMap<string, IssuerClient>,
  redeem: (redemption: Redemption) => SignIn | undefined,
): TokenGrant {
  const form = parseForm(request);
  if (!form) return refused('invalid_request');
  const grantType = form.get('grant_type');
  if (grantType === undefined) return refused('invalid_request');
  if (grantType === 'authorization_code') return grantCode(request.authorization, form, redeem);
  if (grantType !== 'client_credentials') return refused('unsupported_grant_type');

  const presented = presentedSecret(request.authorization, form);
  if (!presented) return refused('invalid_request');
  const client = clients.get(presented.clientId);
  // Compared also for an unknown client, so that the two take the same time.
  const matches = secretsEqual(presented.secret, client?.clientSecret ?? '');
  if (!client || !matches) return refused('invalid_client');
  // Cognito has this grant only for clients with custom scopes.
  if (client.scopes.length === 0) return refused('unauthorized_client');
  return { kind: 'granted', client, scopes: grantedScopes(form.get('scope'), client) };
}

/** For public clients: they have no secret to show, and prove by PKCE that they began the sign-in. */
function grantCode(
  authorization: string | undefined,
  form: ReadonlyMap<string, string>,
  redeem: (redemption: Redemption) => SignIn | undefined,
): TokenGrant {
  if (authorization !== undefined || form.has('client_secret')) return refused('invalid_client');
  const signIn = redeem({
    code: form.get('code'),
    clientId: form.get('client_id'),
    redirectUri: form.get('redirect_uri'),
    codeVerifier: form.get('code_verifier'),
  });
  if (signIn === undefined) return refused('invalid_grant');
  if (signIn.client.clientSecret !== '') return refused('invalid_client');
  const { client, user, scopes, signedInAt } = signIn;
  return { kind: 'granted', client, user, scopes, signedInAt };
}

function secretsEqual(presented: string, expected: string): boolean {
  return expected !== '' && timingSafeEqual(sha256(presented), sha256(expected));
}

function refused(error: TokenErrorCode): TokenGrant {
  return { kind: 'refused', error };
}

function parseForm({ contentType, body }: TokenForm): ReadonlyMap<string, string> | undefined {
  const mediaType = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  if (mediaType !== 'application/x-www-form-urlencoded') return undefined;
  const form = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(body)) {
    if (form.has(name)) return undefined;
    form.set(name, value);
  }
  return form;
}

function presentedSecret(
  authorization: string | undefined,
  form: ReadonlyMap<string, string>,
): { readonly clientId: string; readonly secret: string } | undefined {
  const clientId = form.get('client_id');
  const secret = form.get('client_secret');
  if (authorization === undefined) {
    return clientId === undefined ? undefined : { clientId, secret: secret ?? '' };
  }
  const basic = parseBasic(authorization);
  if (!basic || secret !== undefined) return undefined;
  return clientId === undefined || clientId === basic.clientId ? basic : undefined;
}

function parseBasic(
  authorization: string,
): { readonly clientId: string; readonly secret: string } | undefined {
  const encoded = /^basic ([A-Za-z0-9+/]+={0,2})$/i.exec(authorization)?.[1];
  const text = Buffer.from(encoded ?? '', 'base64').toString();
  const colon = text.indexOf(':');
  if (colon < 1) return undefined;
  return { clientId: text.slice(0, colon), secret: text.slice(colon + 1) };
}

/** No `scope` asks for all the client has; names it does not have are ignored without a word. */
function grantedScopes(scope: string | undefined, client: IssuerClient): readonly string[] {
  if (scope === undefined || scope === '') return client.scopes;
  const asked = new Set(scope.split(' '));
  return client.scopes.filter((name) => asked.has(name));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
