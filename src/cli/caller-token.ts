/** Where the JWT comes from that a command shows to the broker. */

import { readTokenFile } from '../client/token-file.ts';
import { TokenClient, type TokenOptions } from '../cognito/token-client.ts';
import { systemClock } from '../core/clock.ts';
import { identityOfToken } from '../disk-cache/cache-key.ts';
import type { CallerIdentity } from './caller-options.ts';

export interface CallerToken {
  /** @throws TokenBrokerError or TokenRequestError: both say whether it is `retryable`. */
  token(options?: TokenOptions): Promise<string>;
  /** Different for any two callers that a broker might treat differently. */
  identity(): Promise<readonly string[]>;
  stop(): void;
}

/** @throws TypeError for a token endpoint, an app client or scopes that cannot be right. */
export function callerToken(identity: CallerIdentity, timeoutMs?: number): CallerToken {
  if (identity.kind === 'token-file') {
    const token = () => readTokenFile(identity.tokenFile);
    return { token, identity: async () => identityOfToken(await token()), stop: () => {} };
  }
  const { tokenEndpoint, clientId, clientSecretFile, scopes } = identity;
  const readSecret = () => readTokenFile(clientSecretFile);
  const client = new TokenClient({
    tokenEndpoint,
    clientId,
    clientSecret: readSecret,
    scopes,
    clock: systemClock,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  return {
    async token(options) {
      // The client does not repeat what a source of secrets says, and this one says which file it is.
      await readSecret();
      return client.token(options);
    },
    identity: async () => ['app-client', tokenEndpoint, clientId, ...scopes],
    stop: () => client.stop(),
  };
}
