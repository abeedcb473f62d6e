/** A broker that issues web identity tokens, in front of an STS that trusts them, with everything to steer them by. */

import { type KmsServer, startKmsServer } from '../../emulators/kms/kms-server.ts';
import type { CloudTrailEvent } from '../../emulators/sts/cloudtrail-events.ts';
import type { RoleMappingInput } from '../../src/core/policy/role-mapping.ts';
import { roleMappingSchema } from '../../src/core/policy/role-mapping.ts';
import { keySetPath } from '../../src/web-identity/documents.ts';
import { trustPolicy } from '../../src/web-identity/trust-policy.ts';
import {
  type BrokerFixture,
  type BrokerFixtureOptions,
  type ConfigInput,
  startBrokerFixture,
} from './broker-fixture.ts';
import { account, defaultMappings, signingKeys } from './outside-world.ts';

export const issuer = 'https://identity.example.com/broker';
export const audience = 'sts.amazonaws.com';

export interface IssuingBroker extends BrokerFixture {
  readonly kms: KmsServer;
  /** What CloudTrail would have of STS, oldest first. */
  readonly trail: readonly CloudTrailEvent[];
}

export type WebIdentityInput = Partial<NonNullable<ConfigInput['webIdentity']>>;

export interface IssuingBrokerOptions extends Omit<BrokerFixtureOptions, 'configure' | 'mappings'> {
  readonly mappings?: readonly RoleMappingInput[];
  readonly webIdentity?: WebIdentityInput;
  readonly configure?: (config: ConfigInput) => ConfigInput;
}

/** The trust policies of the roles are those that `trust-policy` prints. */
export async function startIssuingBroker(
  options: IssuingBrokerOptions = {},
): Promise<IssuingBroker> {
  const { mappings = defaultMappings, webIdentity } = options;
  const kms = await startKmsServer('rsa', signingKeys().current.id.privateKeyPem);
  const trail: CloudTrailEvent[] = [];
  const settings: NonNullable<ConfigInput['webIdentity']> = {
    issuer,
    default: 'broker',
    // Patient, because the machine may be busy.
    signTimeoutMs: 10_000,
    keys: { current: kmsKey(kms) },
    serveDocuments: true,
    ...webIdentity,
  };
  const broker = await startBrokerFixture({
    ...options,
    mappings,
    onStsEvent: (event) => void trail.push(event),
    configure(config) {
      const ours = {
        ...config,
        listeners: { ...config.listeners, identity: { port: 0 } },
        webIdentity: settings,
      };
      return options.configure?.(ours) ?? ours;
    },
  }).catch(async (error: unknown) => {
    await kms.stop();
    throw error;
  });
  const jwksUri = `${broker.urls.identity}/broker${keySetPath}`;
  broker.sts.putProvider({ accountId: account, issuer, jwksUri, clientIds: [audience] });
  trustMappings(broker, mappings, settings.default ?? 'caller');
  return {
    ...broker,
    get logText() {
      return broker.logText;
    },
    get logs() {
      return broker.logs;
    },
    kms,
    trail,
    async stop() {
      await broker.stop();
      await kms.stop();
    },
  };
}

export function kmsKey({ endpoint }: KmsServer) {
  return { kms: { keyId: endpoint, region: 'us-east-1', endpoint } };
}

function trustMappings(
  { sts, issuer: pool }: BrokerFixture,
  inputs: readonly RoleMappingInput[],
  byDefault: 'caller' | 'broker',
): void {
  const mappings = inputs.map((input) => roleMappingSchema.parse(input));
  const clientIds = mappings.flatMap(({ principal }) =>
    'client' in principal ? [principal.client] : [],
  );
  for (const arn of new Set(mappings.map(({ role }) => role))) {
    const policy = trustPolicy(arn, mappings, {
      byDefault,
      broker: { issuer, audience },
      pools: new Map([[poolOf(mappings), [{ issuer: pool.url, audiences: clientIds }]]]),
      sourceVpce: undefined,
    });
    if (policy.Statement.length === 0) continue;
    sts.putRole({ arn, maxSessionDurationSeconds: 43_200, trustPolicy: policy });
  }
}

function poolOf(mappings: readonly { readonly principal: { readonly pool: string } }[]): string {
  return mappings[0]?.principal.pool ?? '';
}
