/** Authorization codes (RFC 6749 section 4.1) with PKCE (RFC 7636): single use, a minute long. */

import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../../src/kit/timing/clock.ts';
import type { IssuerClient, IssuerUser } from './issuer-claims.ts';

/** What somebody signed in for; whoever redeems the code must say the same. */
export interface SignIn {
  readonly client: IssuerClient;
  readonly user: IssuerUser;
  /** Epoch milliseconds. */
  readonly signedInAt: number;
  readonly redirectUri: string;
  readonly scopes: readonly string[];
  /** BASE64URL(SHA-256(verifier)). */
  readonly codeChallenge: string;
}

export interface Redemption {
  readonly code: string | undefined;
  readonly clientId: string | undefined;
  readonly redirectUri: string | undefined;
  readonly codeVerifier: string | undefined;
}

const lifetimeMs = 60_000;
const maxCodes = 1_000;

export class IssuerCodes {
  readonly #clock: Clock;
  readonly #codes = new Map<string, SignIn & { readonly expiresAt: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  issue(signIn: SignIn): string {
    const [oldest] = this.#codes.keys();
    if (this.#codes.size >= maxCodes && oldest !== undefined) this.#codes.delete(oldest);
    const code = randomBytes(32).toString('base64url');
    this.#codes.set(code, { ...signIn, expiresAt: this.#clock.now() + lifetimeMs });
    return code;
  }

  /** Undefined: refused. A code is spent by the first try, whether that was good or not. */
  redeem({ code = '', clientId, redirectUri, codeVerifier }: Redemption): SignIn | undefined {
    const found = this.#codes.get(code);
    this.#codes.delete(code);
    if (found === undefined || this.#clock.now() >= found.expiresAt) return undefined;
    if (found.client.clientId !== clientId || found.redirectUri !== redirectUri) return undefined;
    if (codeVerifier === undefined || !/^[A-Za-z0-9._~-]{43,128}$/.test(codeVerifier)) {
      return undefined;
    }
    const challenge = createHash('sha256').update(codeVerifier).digest('base64url');
    return challenge === found.codeChallenge ? found : undefined;
  }
}
