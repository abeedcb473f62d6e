/** The local way to get user tokens for a password. Not a Cognito route. */

import type { IssuerClient, IssuerUser } from './issuer-claims.ts';
import { secretsEqual } from './issuer-token-endpoint.ts';

export type UserTokenGrant =
  | {
      readonly kind: 'granted';
      readonly client: IssuerClient;
      readonly user: IssuerUser;
      readonly use: 'access' | 'id';
    }
  | {
      readonly kind: 'refused';
      readonly error: 'invalid_request' | 'invalid_grant' | 'invalid_client';
    };

export interface UserTokenDirectory {
  readonly clients: ReadonlyMap<string, IssuerClient>;
  readonly users: ReadonlyMap<string, IssuerUser>;
}

/** `body` is JSON: `{ "username", "password", "clientId", "use": "access" | "id" }`. */
export function grantUserToken(
  body: string,
  { clients, users }: UserTokenDirectory,
): UserTokenGrant {
  const asked = parse(body);
  if (!asked) return { kind: 'refused', error: 'invalid_request' };
  const user = users.get(asked.username);
  // Compared also for an unknown user, so that the two take the same time.
  const matches = secretsEqual(asked.password, user?.password ?? '');
  if (!user || !matches) return { kind: 'refused', error: 'invalid_grant' };
  const client = clients.get(asked.clientId);
  if (!client) return { kind: 'refused', error: 'invalid_client' };
  return { kind: 'granted', client, user, use: asked.use };
}

interface UserTokenRequest {
  readonly username: string;
  readonly password: string;
  readonly clientId: string;
  readonly use: 'access' | 'id';
}

function parse(text: string): UserTokenRequest | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { username, password, clientId, use } = (body ?? {}) as Record<string, unknown>;
  if (typeof username !== 'string' || typeof password !== 'string') return undefined;
  if (typeof clientId !== 'string' || (use !== 'access' && use !== 'id')) return undefined;
  return { username, password, clientId, use };
}
