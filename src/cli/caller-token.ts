/** Where the JWT comes from that a command shows to the broker. */

import { readSecretFile, readTokenFile } from '../client/token-file.ts';
import { identityOfToken } from '../disk-cache/cache-key.ts';
import { TokenClient, type TokenOptions } from '../identity/token-client.ts';
import { systemClock } from '../kit/timing/clock.ts';
import type { CallerIdentity } from './caller-options.ts';

export interface CallerToken {
  /** @throws TokenBrokerError or TokenRequestError: both say whether it is `retryable`. */
  token(options?: TokenOptions): Promise<string>;
  /** The caller as of now. */
  caller(): Promise<IdentifiedCaller>;
  stop(): void;
}

export interface IdentifiedCaller {
  /** Different for any two callers that a broker might treat differently. */
  readonly identity: readonly string[];
  /** Of this identity, whatever is in the token file by then. */
  token(): Promise<string>;
}

/** @throws TypeError for a token endpoint, an app client or scopes that cannot be right. */
export function callerToken(identity: CallerIdentity, timeoutMs?: number): CallerToken {
  if (identity.kind === 'token-file') {
    const token = () => readTokenFile(identity.tokenFile);
    const caller = async () => {
      const jwt = await token();
      return { identity: identityOfToken(jwt), token: () => Promise.resolve(jwt) };
    };
    return { token, caller, stop: () => {} };
  }
  const { tokenEndpoint, clientId, clientSecretFile, scopes } = identity;
  const readSecret = () => readSecretFile(clientSecretFile);
  const client = new TokenClient({
    tokenEndpoint,
    clientId,
    clientSecret: readSecret,
    scopes,
    clock: systemClock,
    timeoutMs,
  });
  const token = async (options?: TokenOptions) => {
    // The client does not repeat what a source of secrets says, and this one says which file it is.
    await readSecret();
    return client.token(options);
  };
  const appClient = { identity: ['app-client', tokenEndpoint, clientId, ...scopes], token };
  return { token, caller: () => Promise.resolve(appClient), stop: () => client.stop() };
}
