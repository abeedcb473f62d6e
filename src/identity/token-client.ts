import { type Perishable, RenewedValue } from '../kit/calls/renewed-value.ts';
import { type BoundedAnswer, boundedFetch } from '../kit/net/bounded-fetch.ts';
import { hasUserInformation, isSecureUrl } from '../kit/net/secure-url.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { orAborted } from '../kit/timing/or-aborted.ts';
import { answerObject, maxTokenAnswerBytes, readTokenGrant } from './token-grant.ts';
import { TokenRequestError } from './token-request-error.ts';

export interface TokenClientOptions {
  /** `https://<domain of the pool>/oauth2/token`; plain http only to this machine. */
  readonly tokenEndpoint: string;
  readonly clientId: string;
  /** A function is asked before each request, so a rotated secret is picked up. */
  readonly clientSecret: string | (() => string | Promise<string>);
  /** Default: every scope that the app client has. */
  readonly scopes?: readonly string[];
  readonly clock: Clock;
  /** From asking for the secret to the last byte of the answer. Default 5,000. */
  readonly timeoutMs?: number | undefined;
}

export interface TokenOptions {
  /** Ends the waiting of this caller, not the request that others wait for as well. */
  readonly signal?: AbortSignal | undefined;
  /** A token that was refused before its time: a new one is wanted. One a few seconds old is not replaced. */
  readonly refused?: string | undefined;
}

/**
 * Access tokens of one app client by the client-credentials grant (RFC 6749 section 4.4), authenticated with
 * HTTP Basic.
 *
 * A token is kept and given out again, because Cognito charges for each and limits their rate; it is renewed in
 * the last quarter of its life, in the background. When that fails it is given out until it ends.
 */
export class TokenClient {
  readonly #options: TokenClientOptions;
  readonly #timeoutMs: number;
  readonly #tokens: RenewedValue<string>;

  /** @throws TypeError for options with which no token could be had. */
  constructor(options: TokenClientOptions) {
    const { tokenEndpoint, clientId, scopes = [], clock } = options;
    requireEndpoint(tokenEndpoint);
    // RFC 7617 section 2: a colon would end the id.
    if (!/^[\x21-\x39\x3b-\x7e]{1,128}$/.test(clientId)) {
      throw new TypeError('clientId must be 1 to 128 printable ASCII characters without ":"');
    }
    if (!scopes.every((scope) => /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/.test(scope))) {
      throw new TypeError('scopes must be printable ASCII without blanks (RFC 6749 section 3.3)');
    }
    this.#options = options;
    this.#timeoutMs = options.timeoutMs ?? 5_000;
    this.#tokens = new RenewedValue({
      clock,
      obtain: () => this.#request(),
      // Replicas that started together must not ask together for ever.
      renewAfterMs: (lifeMs) => lifeMs * (0.75 + 0.1 * Math.random()),
    });
  }

  /** @throws TokenRequestError, or the reason of `signal` once that is aborted. */
  async token({ signal, refused }: TokenOptions = {}): Promise<string> {
    signal?.throwIfAborted();
    if (refused !== undefined) this.#tokens.discard(refused, leastAgeOfRefusedMs);
    return orAborted(this.#tokens.get(), signal);
  }

  /** Ends renewing in the background; tokens can still be had. */
  stop(): void {
    this.#tokens.stop();
  }

  async #request(): Promise<Perishable<string>> {
    const deadline = this.#options.clock.deadline(this.#timeoutMs);
    try {
      return await this.#requestWithin(deadline.signal);
    } finally {
      deadline.release();
    }
  }

  async #requestWithin(deadline: AbortSignal): Promise<Perishable<string>> {
    const secret = await this.#secret(deadline);
    const askedAt = this.#options.clock.now();
    const { status, headers, body } = await this.#post(secret, deadline);
    if (status !== 200)
      throw TokenRequestError.refusal({ status, headers, problem: answerObject(body) });
    const { token, lifeSeconds } = readTokenGrant(answerObject(body));
    return { value: token, expiresAt: askedAt + lifeSeconds * 1000 };
  }

  async #secret(deadline: AbortSignal): Promise<string> {
    const { clientSecret } = this.#options;
    if (typeof clientSecret === 'string') return clientSecret;
    try {
      return await orAborted(Promise.resolve(clientSecret()), deadline);
    } catch {
      // What it threw may hold the secret, or the way to it.
      throw new TokenRequestError('client_secret_unavailable');
    }
  }

  async #post(secret: string, deadline: AbortSignal) {
    const { tokenEndpoint, clientId, scopes, clock } = this.#options;
    const form = new URLSearchParams({ grant_type: 'client_credentials' });
    if (scopes !== undefined && scopes.length > 0) form.set('scope', scopes.join(' '));
    let answer: BoundedAnswer;
    try {
      answer = await boundedFetch(tokenEndpoint, {
        method: 'POST',
        headers: {
          // https://docs.aws.amazon.com/cognito/latest/developerguide/token-endpoint.html: Cognito wants the two
          // as they are, where RFC 6749 section 2.3.1 would have them form-encoded first.
          authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`,
          'content-type': 'application/x-www-form-urlencoded',
          accept: 'application/json',
        },
        body: form.toString(),
        clock,
        timeoutMs: this.#timeoutMs,
        maxBytes: maxTokenAnswerBytes,
        givenUp: deadline,
      });
    } catch {
      throw new TokenRequestError('token_endpoint_unavailable');
    }
    const { status, headers, body } = answer;
    if (body === undefined) throw new TokenRequestError('token_endpoint_unavailable');
    return { status, headers, body };
  }
}

/** So that someone who refuses every token does not cost a token request each time. */
const leastAgeOfRefusedMs = 30_000;

function requireEndpoint(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !isSecureUrl(url)) {
    throw new TypeError('tokenEndpoint must be an https URL, or http to this machine');
  }
  if (hasUserInformation(url) || url.hash !== '') {
    throw new TypeError('tokenEndpoint must have neither user information nor a fragment');
  }
}
