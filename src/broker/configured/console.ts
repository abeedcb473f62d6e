/** The console as configuration has it: where browsers find it, and where people sign in. */

import { fileURLToPath } from 'node:url';
import { trustedIssuersOf } from '../../config/configured-issuers.ts';
import type { Config } from '../../config/schema.ts';
import { type ConsoleFile, readConsoleFiles } from '../../http/admin/console-files.ts';
import type { Console } from '../../http/admin/serve-console.ts';

/** Where `npm run build` puts it. */
export const builtConsole = fileURLToPath(new URL('../../console', import.meta.url));

export interface ConfiguredConsole extends Console {
  /** @throws Error if the build has left no console there. */
  read(directory: string): Promise<void>;
}

/** Undefined where configuration has none. `listening`: the URL of the admin listener, once it has one. */
export function configuredConsole(
  { admin, identity }: Config,
  listening: () => string | undefined,
): ConfiguredConsole | undefined {
  if (admin?.console === undefined) return undefined;
  const { client, signInUrl, origin } = admin.console;
  const pool = trustedIssuersOf(identity).find(({ name }) => name === admin.pool);
  if (pool === undefined) throw new TypeError('configuration must name the pool of administrators');
  let files: ReadonlyMap<string, ConsoleFile> = new Map();
  return {
    origin: () => origin ?? listening(),
    files: () => files,
    signIn: {
      clientId: client,
      issuer: pool.issuer,
      authorizationEndpoint: `${signInUrl}/oauth2/authorize`,
      tokenEndpoint: `${signInUrl}/oauth2/token`,
      logoutEndpoint: `${signInUrl}/logout`,
      scopes: { read: admin.readScope, write: admin.writeScope, freeze: admin.freezeScope },
    },
    async read(directory) {
      files = await readConsoleFiles(directory);
    },
  };
}
