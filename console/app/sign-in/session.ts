/** Who is signed in. The token is in memory alone: it is gone with the page, and no other page can read it. */

import { signal } from '@preact/signals';
import type { Permission, SignInSettings } from './settings.ts';

export type Session =
  | { readonly kind: 'starting' }
  | { readonly kind: 'signed_out'; readonly message: string; readonly again: boolean }
  | { readonly kind: 'signed_in'; readonly token: string; readonly who: Who };

/** As the token says; for show, since the API judges by the token itself. */
export interface Who {
  readonly name: string;
  /** `sub`: by it the history and proposals name people. */
  readonly subject: string;
  readonly permissions: ReadonlySet<Permission>;
}

export const session = signal<Session>({ kind: 'starting' });

/** `again`: the sign-in must be a fresh one, not one that the managed login remembers. */
export function signOut(message: string, again = false): void {
  session.value = { kind: 'signed_out', message, again };
}

/** Whether somebody whom the API names like this is whoever is signed in: it ends in their `sub`. */
export function isOneself(named: string): boolean {
  return session.value.kind === 'signed_in' && named.endsWith(`/${session.value.who.subject}`);
}

/** Whether the token has that scope; what comes of it is for the API to say. */
export function may(permission: Permission): boolean {
  return session.value.kind === 'signed_in' && session.value.who.permissions.has(permission);
}

/** @throws if it is no JWT. */
export function whoseToken(token: string, scopes: SignInSettings['scopes']): Who {
  const [, payload = ''] = token.split('.');
  const bytes = Uint8Array.from(
    atob(payload.replaceAll('-', '+').replaceAll('_', '/')),
    (character) => character.charCodeAt(0),
  );
  const claims = JSON.parse(new TextDecoder().decode(bytes)) as Readonly<Record<string, unknown>>;
  const held = String(claims['scope'] ?? '').split(' ');
  const permissions = (Object.keys(scopes) as Permission[]).filter((one) =>
    held.includes(scopes[one]),
  );
  const subject = String(claims['sub']);
  return {
    name: String(claims['username'] ?? subject),
    subject,
    permissions: new Set(permissions),
  };
}
