/** Signing in as a person: authorization code with PKCE (RFC 7636), by a browser and the loopback interface. */

import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import {
  answerObject,
  maxTokenAnswerBytes,
  readTokenGrant,
} from '../../../identity/token-grant.ts';
import { type BoundedAnswer, boundedFetch } from '../../../kit/net/bounded-fetch.ts';
import { hasUserInformation, isSecureUrl } from '../../../kit/net/secure-url.ts';
import { urlBelow } from '../../../kit/net/url-below.ts';
import type { Clock } from '../../../kit/timing/clock.ts';
import { listenForAnswer } from './loopback-answer.ts';

export interface SignInOptions {
  readonly adminUrl: URL;
  /** Of the redirect URI that the app client has. */
  readonly port: number;
  readonly clock: Clock;
  /** Gets the page on which to sign in. */
  readonly show: (url: string) => void;
}

/** Why nobody is signed in, in words that may hold what others wrote. */
export class SignInError extends Error {
  override readonly name = 'SignInError';
}

const timeoutMs = 10_000;
const maxBytes = maxTokenAnswerBytes;
/** For a password, a second factor and a cup of coffee. */
const patienceMs = 5 * 60_000;

/** A token of whoever signs in. @throws SignInError, TokenRequestError */
export async function signIn(options: SignInOptions): Promise<string> {
  const { port, clock, show } = options;
  const settings = await readSettings(options);
  const listener = await listenForAnswer(port, clock).catch((error: NodeJS.ErrnoException) => {
    throw new SignInError(
      `Port ${port} of this machine cannot be listened on (${error.code}): the answer to the sign-in comes there. End what has it, or name another with --port that the app client has in its callback URLs.`,
    );
  });
  try {
    const secret = () => randomBytes(32).toString('base64url');
    const [state, verifier] = [secret(), secret()];
    const { redirectUri } = listener;
    show(authorizationUrl(settings, { state, verifier, redirectUri }));
    const answer = await listener.answer({ state, issuer: settings.issuer }, patienceMs);
    if (answer === undefined) {
      throw new SignInError('Nobody signed in within 5 minutes: begin again.');
    }
    if (answer.kind === 'refused') {
      throw new SignInError(`The sign-in was refused: ${answer.error}`);
    }
    return await redeem(settings, { code: answer.code, verifier, redirectUri }, clock);
  } finally {
    listener.close();
  }
}

/** An address to which a code or a password may go. */
const secureUrl = z.string().refine((text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && isSecureUrl(url) && !hasUserInformation(url);
});

const signInSettings = z.object({
  clientId: z.string(),
  issuer: z.string(),
  authorizationEndpoint: secureUrl,
  tokenEndpoint: secureUrl,
  scopes: z.record(z.string(), z.string()),
});

type Settings = z.output<typeof signInSettings>;

/** Those of the console: whoever may sign in there may sign in here. */
async function readSettings({ adminUrl, clock }: SignInOptions): Promise<Settings> {
  const url = urlBelow(adminUrl, '/console/sign-in.json');
  const { status, body } = await boundedFetch(url, { clock, timeoutMs, maxBytes }).catch(
    (error: Error) => {
      throw new SignInError(`${adminUrl.origin} does not answer (${error.message}).`);
    },
  );
  if (status === 404) {
    throw new SignInError(
      'People sign in as they do for the console, and this broker has none: its administrator sets admin.console. Machines use --client-id.',
    );
  }
  const document = status === 200 && body !== undefined ? answerObject(body) : undefined;
  const settings = signInSettings.safeParse(document);
  if (settings.success) return settings.data;
  throw new SignInError(
    `${adminUrl.origin} answers ${status}, and does not say where people sign in over https.`,
  );
}

interface Attempt {
  readonly state: string;
  readonly verifier: string;
  readonly redirectUri: string;
}

function authorizationUrl(settings: Settings, { state, verifier, redirectUri }: Attempt): string {
  const url = new URL(settings.authorizationEndpoint);
  const parameters = {
    response_type: 'code',
    client_id: settings.clientId,
    redirect_uri: redirectUri,
    scope: Object.values(settings.scopes).join(' '),
    state,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

async function redeem(
  { tokenEndpoint, clientId }: Settings,
  { code, verifier, redirectUri }: Omit<Attempt, 'state'> & { readonly code: string },
  clock: Clock,
): Promise<string> {
  const form = new URLSearchParams({
    grant_type: 'authorization_code',
    client_id: clientId,
    code,
    code_verifier: verifier,
    redirect_uri: redirectUri,
  });
  let answer: BoundedAnswer;
  try {
    answer = await boundedFetch(tokenEndpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: form.toString(),
      clock,
      timeoutMs,
      maxBytes,
    });
  } catch (error) {
    throw new SignInError(`The token endpoint does not answer (${(error as Error).message}).`);
  }
  const { status, body } = answer;
  if (status === 200 && body !== undefined) return readTokenGrant(answerObject(body)).token;
  throw new SignInError(
    `The token endpoint gives no token for that sign-in (${status}): begin again.`,
  );
}
