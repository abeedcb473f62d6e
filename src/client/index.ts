/** What services import as `token-broker/client`: docs/client-library.md. */

export type { TokenUse } from '../core/caller.ts';
export type { ClaimScalar, ComparableClaim } from '../core/claim-value.ts';
export { BrokerError, type BrokerErrorCode } from '../core/errors.ts';
export { TokenRequestError, type TokenRequestErrorCode } from '../identity/token-request-error.ts';
export type { StsEndpoint } from '../sts/sts-client.ts';
export { TokenBrokerError } from './broker-client.ts';
export type {
  CredentialProvider,
  CredentialProviderOptions,
  SessionCredentials,
} from './credential-provider.ts';
export { type FromTokenBrokerOptions, fromTokenBroker } from './from-token-broker.ts';
export {
  type CallerValidator,
  callerOf,
  type Middleware,
  type RequireCallerOptions,
  requireCaller,
} from './require-caller.ts';
export { type RequireRoleOptions, requireRole } from './require-role.ts';
export type { ServiceCaller as Caller } from './service-caller.ts';
export type { ServiceRoleRule, ServiceRoleRules } from './service-role-rules.ts';
export type { ServiceRoles } from './service-roles.ts';
export { serviceRolesFromFile } from './service-roles-file.ts';
export {
  StsWebIdentityAdapter,
  type StsWebIdentityAdapterOptions,
  type WebIdentitySession,
} from './sts-web-identity-adapter.ts';
export type { TokenInput, TokenRequest, TokenSource } from './token-source.ts';
export {
  type ClientCredentials,
  CognitoTokenValidator,
  type CognitoTokenValidatorOptions,
  type UserPool,
} from './token-validator.ts';
