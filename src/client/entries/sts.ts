/** `token-broker-client/sts`: credentials from STS itself, without a broker. Loads the SDK's client for STS. */

export type { StsEndpoint } from '../../sts/sts-client.ts';
export {
  StsWebIdentityAdapter,
  type StsWebIdentityAdapterOptions,
  type WebIdentitySession,
} from '../sts-web-identity-adapter.ts';
