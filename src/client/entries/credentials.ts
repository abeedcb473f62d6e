/** `token-broker-client`: credentials from the broker, and the errors of all entries. Loads no package. */

export { BrokerError, type BrokerErrorCode } from '../../core/errors.ts';
export {
  TokenRequestError,
  type TokenRequestErrorCode,
} from '../../identity/token-request-error.ts';
export { TokenBrokerError } from '../broker-client.ts';
export type {
  CredentialProvider,
  CredentialProviderOptions,
  SessionCredentials,
} from '../credential-provider.ts';
export { type FromTokenBrokerOptions, fromTokenBroker } from '../from-token-broker.ts';
export type { TokenInput, TokenRequest, TokenSource } from '../token-source.ts';
