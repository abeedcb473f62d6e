/** Signing out: the token goes first, and then the session that the sign-in remembers (Cognito: `/logout`). */

import { forgetTyped } from '../typed.ts';
import { session, signOut } from './session.ts';
import { pagePath, signInSettings } from './settings.ts';

const storageKey = 'signed-out';

/** Leaves the page, for the sign-in to end its own session and lead back here. */
export async function leave(): Promise<void> {
  forgetTyped();
  signOut('Signed out.', true);
  try {
    const { logoutEndpoint, clientId } = await signInSettings();
    sessionStorage.setItem(storageKey, 'yes');
    const url = new URL(logoutEndpoint);
    const query = { client_id: clientId, logout_uri: location.origin + pagePath };
    url.search = new URLSearchParams(query).toString();
    location.assign(url);
  } catch {
    signOut('Signed out here. The sign-in could not be told, and may remember you still.', true);
  }
}

/** Whether this is the way back from there; true once. */
export function takeSignedOut(): boolean {
  const signedOut = sessionStorage.getItem(storageKey) !== null;
  sessionStorage.removeItem(storageKey);
  return signedOut;
}

/** A page that browsers keep for the way back would keep the token with it. */
export function forgetWhenLeft(): void {
  addEventListener('pagehide', () => {
    if (session.value.kind === 'signed_in') signOut('');
  });
}
