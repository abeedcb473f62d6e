/** The authorization endpoint, from its parameters to a page or a redirect, without the network. */

import type { IssuerClient, IssuerUser } from './issuer-claims.ts';
import type { SignIn } from './issuer-codes.ts';
import { type AuthorizeAnswer, signInPage } from './issuer-sign-in-page.ts';

export interface AuthorizeOptions {
  readonly parameters: URLSearchParams;
  readonly clients: ReadonlyMap<string, IssuerClient>;
  readonly users: ReadonlyMap<string, IssuerUser>;
  /** Where people may be sent back to, by client: exactly these. */
  readonly callbacks: ReadonlyMap<string, ReadonlySet<string>>;
  readonly issuer: string;
  readonly issueCode: (signIn: SignIn) => string;
}

/**
 * As https://docs.aws.amazon.com/cognito/latest/developerguide/authorization-endpoint.html has it for response type
 * `code`, but stricter: PKCE is demanded. Answers say which issuer they are from (RFC 9207), which Cognito does not.
 * `user` is the choice that was made on the page.
 */
export function authorize(options: AuthorizeOptions): AuthorizeAnswer {
  const { parameters, clients, users, callbacks, issuer, issueCode } = options;
  const one = (name: string) =>
    parameters.getAll(name).length === 1 ? (parameters.get(name) ?? undefined) : undefined;
  const client = clients.get(one('client_id') ?? '');
  const redirectUri = one('redirect_uri');
  // Never to an address that is not the client's: a code would go there, and with an error whoever clicked.
  if (client === undefined || redirectUri === undefined) return refused('invalid_request');
  if (!callbacks.get(client.clientId)?.has(redirectUri)) return refused('redirect_mismatch');

  const state = one('state');
  const redirect = (answer: Readonly<Record<string, string>>): AuthorizeAnswer => {
    const location = new URL(redirectUri);
    const all = { ...answer, ...(state === undefined ? {} : { state }), iss: issuer };
    for (const [name, value] of Object.entries(all)) location.searchParams.set(name, value);
    return { kind: 'redirected', location: location.href };
  };
  if (one('response_type') !== 'code') return redirect({ error: 'unsupported_response_type' });
  const codeChallenge = one('code_challenge') ?? '';
  const pkce = one('code_challenge_method') === 'S256' && /^[\w-]{43}$/.test(codeChallenge);
  if (!pkce) return redirect({ error: 'invalid_request' });
  const scopes = scopesAsked(one('scope'), client);
  if (scopes === undefined) return redirect({ error: 'invalid_scope' });

  const chosen = one('user');
  if (chosen === undefined) {
    return {
      kind: 'asked',
      page: signInPage(parameters, users.values(), client),
      returnsTo: redirectUri,
    };
  }
  const user = users.get(chosen);
  if (user === undefined) return refused('invalid_request');
  return redirect({ code: issueCode({ client, user, redirectUri, scopes, codeChallenge }) });
}

function refused(error: string): AuthorizeAnswer {
  return { kind: 'refused', error };
}

/** Undefined if it names a scope that the client does not have. */
function scopesAsked(
  scope: string | undefined,
  client: IssuerClient,
): readonly string[] | undefined {
  if (scope === undefined || scope === '') return client.scopes;
  const asked = [...new Set(scope.split(' '))];
  return asked.every((name) => client.scopes.includes(name)) ? asked : undefined;
}
