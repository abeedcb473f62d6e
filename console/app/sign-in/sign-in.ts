/**
 * Sign-in by authorization code with PKCE (RFC 6749 section 4.1, RFC 7636, RFC 9700). What must outlive the way to the
 * sign-in and back (verifier, state, where somebody was) is in this tab's session storage, and is taken out once.
 */

import { readAddress } from '../router.ts';
import { giveTypedTo, holdTyped, type Typed, takeTyped } from '../typed.ts';
import { codeChallenge, randomText } from './proof-key.ts';
import { session, signOut, whoseToken } from './session.ts';
import { pagePath, type SignInSettings, signInSettings } from './settings.ts';
import { takeSignedOut } from './sign-out.ts';

interface Begun {
  readonly state: string;
  readonly verifier: string;
  /** Where to go on. */
  readonly hash: string;
  /** What somebody had typed there when their sign-in ended. */
  readonly typed?: Typed;
}

const storageKey = 'sign-in';

/** Leaves the page. `fresh`: even where the sign-in remembers somebody. */
export async function beginSignIn({ fresh }: { readonly fresh: boolean }): Promise<void> {
  const { authorizationEndpoint, clientId, scopes } = await signInSettings();
  const typed = takeTyped();
  const begun: Begun = {
    ...{ state: randomText(), verifier: randomText(), hash: location.hash },
    ...(typed === undefined ? {} : { typed }),
  };
  sessionStorage.setItem(storageKey, JSON.stringify(begun));
  const url = new URL(authorizationEndpoint);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri(),
    scope: Object.values(scopes).join(' '),
    state: begun.state,
    code_challenge: await codeChallenge(begun.verifier),
    code_challenge_method: 'S256',
    ...(fresh ? { prompt: 'login' } : {}),
  }).toString();
  location.assign(url);
}

/** Called once, when the page opens: it may be the way back. */
export async function completeSignIn(): Promise<void> {
  const answer = new URLSearchParams(location.search);
  const begun = takeBegun();
  holdTyped(begun?.typed);
  if (!answer.has('code') && !answer.has('error')) {
    if (takeSignedOut()) signOut('Signed out.', true);
    else signOut('');
    return;
  }
  // Before anything else: the code must not stay in the address, nor in the history.
  history.replaceState(null, '', pagePath + (begun?.hash ?? ''));
  readAddress();
  try {
    const settings = await signInSettings();
    const code = codeOf(answer, begun, settings);
    const token = await redeem(code, begun?.verifier ?? '', settings);
    const who = whoseToken(token, settings.scopes);
    giveTypedTo(who.subject);
    session.value = { kind: 'signed_in', token, who };
  } catch (error) {
    signOut(error instanceof SignInError ? error.message : 'The sign-in cannot be reached.');
  }
}

class SignInError extends Error {}

function takeBegun(): Begun | undefined {
  const text = sessionStorage.getItem(storageKey);
  sessionStorage.removeItem(storageKey);
  return text === null ? undefined : (JSON.parse(text) as Begun);
}

function codeOf(
  answer: URLSearchParams,
  begun: Begun | undefined,
  { issuer }: SignInSettings,
): string {
  // An answer that nobody here asked for would sign somebody in as somebody else.
  if (begun === undefined || answer.get('state') !== begun.state) {
    throw new SignInError('That was an answer to a sign-in that was not begun here. Sign in anew.');
  }
  // RFC 9207; Cognito does not say it.
  if (answer.has('iss') && answer.get('iss') !== issuer) {
    throw new SignInError('Another issuer answered than the one that was asked. Sign in anew.');
  }
  const code = answer.get('code');
  if (answer.has('error') || code === null) {
    throw new SignInError(`The sign-in says: ${answer.get('error') ?? 'nothing'}.`);
  }
  return code;
}

async function redeem(
  code: string,
  verifier: string,
  { tokenEndpoint, clientId }: SignInSettings,
): Promise<string> {
  const answer = await fetch(tokenEndpoint, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: clientId,
      redirect_uri: redirectUri(),
      code,
      code_verifier: verifier,
    }),
    credentials: 'omit',
    redirect: 'error',
    cache: 'no-store',
    signal: AbortSignal.timeout(15_000),
  });
  const document = (await answer.json()) as Readonly<Record<string, unknown>>;
  const { access_token: token } = document;
  if (!answer.ok || typeof token !== 'string') {
    throw new SignInError(`The code was refused (${String(document['error'])}). Sign in anew.`);
  }
  return token;
}

function redirectUri(): string {
  return location.origin + pagePath;
}
