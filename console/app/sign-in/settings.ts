/** Where and as what people sign in, as the broker says in a file beside the page. */

export type Permission = 'read' | 'write' | 'freeze';

export interface SignInSettings {
  readonly clientId: string;
  readonly issuer: string;
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  readonly logoutEndpoint: string;
  readonly scopes: Readonly<Record<Permission, string>>;
}

/** Where the console is, and where sign-in and sign-out lead back to. */
export const pagePath = '/console/';

let settings: Promise<SignInSettings> | undefined;

export function signInSettings(): Promise<SignInSettings> {
  settings ??= fetch('sign-in.json', { cache: 'no-store', signal: AbortSignal.timeout(10_000) })
    .then((answer) => answer.json() as Promise<SignInSettings>)
    .catch((error: unknown) => {
      settings = undefined;
      throw error;
    });
  return settings;
}
