/** What the environment and the shared AWS files may say to an SDK client: docs/configuration.md has the table. */

import { defaultProvider } from '@aws-sdk/credential-provider-node';

export interface AwsEndpoint {
  readonly region: string;
  /** URL. Default: the regional endpoint of AWS. */
  readonly endpoint?: string | undefined;
}

/**
 * The first settings of every SDK client that this program makes; the linter asks for them.
 *
 * The SDK fills each setting that is absent from the environment and from shared files, so whoever can set
 * `AWS_ENDPOINT_URL` would serve the policy table (T85). An absent `credentials` is the default chain, which is
 * where the platform provides them; the calls that the chain itself makes to STS and SSO obey the same settings.
 */
export function hermeticSettings({ region, endpoint }: AwsEndpoint) {
  return {
    ...sameForAll,
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    credentialDefaultProvider: chainOf,
  };
}

const sameForAll = {
  ignoreConfiguredEndpointUrls: true,
  // A FIPS or dual-stack endpoint is named in the configuration, like every other one.
  useFipsEndpoint: false,
  useDualstackEndpoint: false,
  defaultsMode: 'legacy' as const,
  retryMode: 'standard',
  // For the calls of the chain; each client of ours says its own.
  maxAttempts: 2,
  // Otherwise the SDK looks for a preference; an empty one is none.
  authSchemePreference: [] as string[],
  userAgentAppId: '',
};

type ChainInit = NonNullable<Parameters<typeof defaultProvider>[0]>;

function chainOf(init: ChainInit = {}) {
  return defaultProvider({ ...init, clientConfig: { ...init.clientConfig, ...sameForAll } });
}
