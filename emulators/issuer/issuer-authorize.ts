/** The authorization endpoint, from its parameters to a page or a redirect, without the network. */

import type { IssuerClient, IssuerUser } from './issuer-claims.ts';
import type { SignIn } from './issuer-codes.ts';
import type { RememberedSignIn } from './issuer-sessions.ts';
import { type AuthorizeAnswer, signInPage } from './issuer-sign-in-page.ts';

export interface AuthorizeOptions {
  readonly parameters: URLSearchParams;
  readonly clients: ReadonlyMap<string, IssuerClient>;
  readonly users: ReadonlyMap<string, IssuerUser>;
  /** Where people may be sent back to, by client: exactly these. */
  readonly callbacks: ReadonlyMap<string, ReadonlySet<string>>;
  readonly issuer: string;
  readonly issueCode: (signIn: SignIn) => string;
  /** By an earlier sign-in of the same browser. */
  readonly remembered: RememberedSignIn | undefined;
  /** Epoch milliseconds. */
  readonly now: number;
}

/**
 * As https://docs.aws.amazon.com/cognito/latest/developerguide/authorization-endpoint.html has it for response type
 * `code`, but stricter: PKCE is demanded. Answers say which issuer they are from (RFC 9207), which Cognito does not.
 * `user` is the choice that was made on the page; whoever is remembered does not get to see it, unless `prompt` is `login`.
 */
export function authorize(options: AuthorizeOptions): AuthorizeAnswer {
  const { parameters, clients, users, callbacks, issuer, issueCode, now } = options;
  const one = (name: string) =>
    parameters.getAll(name).length === 1 ? (parameters.get(name) ?? undefined) : undefined;
  const client = clients.get(one('client_id') ?? '');
  const redirectUri = one('redirect_uri');
  // Never to an address that is not the client's: a code would go there, and with an error whoever clicked.
  if (client === undefined || redirectUri === undefined) return refused('invalid_request');
  if (!callbacks.get(client.clientId)?.has(redirectUri)) return refused('redirect_mismatch');

  const state = one('state');
  const redirect = (
    answer: Readonly<Record<string, string>>,
    signedIn?: IssuerUser,
  ): AuthorizeAnswer => {
    const location = new URL(redirectUri);
    const all = { ...answer, ...(state === undefined ? {} : { state }), iss: issuer };
    for (const [name, value] of Object.entries(all)) location.searchParams.set(name, value);
    return { kind: 'redirected', location: location.href, signedIn };
  };
  if (one('response_type') !== 'code') return redirect({ error: 'unsupported_response_type' });
  const codeChallenge = challengeIn(one);
  if (codeChallenge === undefined) return redirect({ error: 'invalid_request' });
  const scopes = scopesAsked(one('scope'), client);
  if (scopes === undefined) return redirect({ error: 'invalid_scope' });

  const codeFor = ({ user, signedInAt }: RememberedSignIn) =>
    issueCode({ client, user, signedInAt, redirectUri, scopes, codeChallenge });
  const chosen = one('user');
  if (chosen !== undefined) {
    const user = users.get(chosen);
    if (user === undefined) return refused('invalid_request');
    return redirect({ code: codeFor({ user, signedInAt: now }) }, user);
  }
  const remembered = rememberedFor(one('prompt'), options);
  if (remembered !== undefined) return redirect({ code: codeFor(remembered) });
  const page = signInPage(parameters, users.values(), client);
  return { kind: 'asked', page, returnsTo: redirectUri };
}

function challengeIn(one: (name: string) => string | undefined): string | undefined {
  const challenge = one('code_challenge') ?? '';
  const isPkce = one('code_challenge_method') === 'S256' && /^[\w-]{43}$/.test(challenge);
  return isPkce ? challenge : undefined;
}

function rememberedFor(
  prompt: string | undefined,
  { remembered }: AuthorizeOptions,
): RememberedSignIn | undefined {
  return prompt === 'login' ? undefined : remembered;
}

/**
 * As https://docs.aws.amazon.com/cognito/latest/developerguide/logout-endpoint.html has it with `logout_uri`, which must be one
 * of the client's.
 */
export function logoutTarget({
  parameters,
  callbacks,
}: Pick<AuthorizeOptions, 'parameters' | 'callbacks'>): string | undefined {
  const target = parameters.get('logout_uri') ?? '';
  return callbacks.get(parameters.get('client_id') ?? '')?.has(target) ? target : undefined;
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
