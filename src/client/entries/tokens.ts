/** `token-broker-client/tokens`: tokens of others, verified, and tokens of one's own app client. */

export type { TokenUse } from '../../core/caller.ts';
export type { ClaimScalar, ComparableClaim } from '../../core/claim-value.ts';
export type { ServiceCaller as Caller } from '../service-caller.ts';
export {
  type ClientCredentials,
  CognitoTokenValidator,
  type CognitoTokenValidatorOptions,
  type UserPool,
} from '../token-validator.ts';
