/** Who has signed in by which browser: managed login remembers it for an hour in a cookie of its own, and so does this issuer. */

import { randomBytes } from 'node:crypto';
import type { Clock } from '../../src/kit/timing/clock.ts';
import type { IssuerUser } from './issuer-claims.ts';

export interface RememberedSignIn {
  readonly user: IssuerUser;
  /** Epoch milliseconds: `auth_time` of every token that comes of it. */
  readonly signedInAt: number;
}

/** https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-managed-login.html: an hour, fixed. */
const lifetimeMs = 3_600_000;
const maxSessions = 1_000;
const cookieName = 'issuer-session';

export class IssuerSessions {
  readonly #clock: Clock;
  readonly #sessions = new Map<string, RememberedSignIn>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A `Set-Cookie` for whoever has just signed in. */
  begin(user: IssuerUser): string {
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size >= maxSessions && oldest !== undefined) this.#sessions.delete(oldest);
    const id = randomBytes(32).toString('base64url');
    this.#sessions.set(id, { user, signedInAt: this.#clock.now() });
    return `${cookieName}=${id}; Path=/; HttpOnly; SameSite=Lax`;
  }

  /** `cookie`: the header. */
  remembered(cookie: string | undefined): RememberedSignIn | undefined {
    const found = this.#sessions.get(idIn(cookie));
    if (found === undefined || this.#clock.now() >= found.signedInAt + lifetimeMs) return undefined;
    return found;
  }

  /** A `Set-Cookie` that takes it back. */
  end(cookie: string | undefined): string {
    this.#sessions.delete(idIn(cookie));
    return `${cookieName}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0`;
  }
}

function idIn(cookie = ''): string {
  const own = cookie.split('; ').find((pair) => pair.startsWith(`${cookieName}=`));
  return own?.slice(cookieName.length + 1) ?? '';
}
