/** What surrounds a broker: an issuer, an STS that trusts it and a DynamoDB, which speak the real wire protocols on loopback. */

import {
  type DynamoDbServer,
  type DynamoDbServerOptions,
  startDynamoDbServer,
} from './dynamodb/dynamodb-server.ts';
import { type Issuer, type IssuerOptions, startIssuer } from './issuer/issuer.ts';
import {
  type IamRole,
  type StsServer,
  type StsServerOptions,
  startStsServer,
} from './sts/sts-server.ts';

export interface Emulators {
  readonly issuer: Issuer;
  readonly sts: StsServer;
  readonly dynamodb: DynamoDbServer;
  stop(): Promise<void>;
}

export interface EmulatorsOptions extends Pick<StsServerOptions, 'clock'> {
  readonly issuer: Omit<IssuerOptions, 'clock'>;
  readonly sts?: Omit<StsServerOptions, 'clock' | 'providers' | 'roles'>;
  readonly dynamodb?: Omit<DynamoDbServerOptions, 'clock'>;
  /** Where the issuer is an OpenID Connect provider, and for which audiences. */
  readonly accounts: readonly {
    readonly accountId: string;
    readonly clientIds: readonly string[];
  }[];
  /** Of these accounts, once it is known where the issuer is. */
  roles(issuerUrl: string): readonly IamRole[];
}

/** Whole or not at all. */
export async function startEmulators(options: EmulatorsOptions): Promise<Emulators> {
  const { clock, accounts } = options;
  const started: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    await Promise.all(started.splice(0).map((server) => server.stop()));
  };
  const begin = async <Server extends { stop(): Promise<void> }>(starting: Promise<Server>) => {
    const server = await starting;
    started.push(server);
    return server;
  };
  try {
    const dynamodb = await begin(startDynamoDbServer({ ...options.dynamodb, clock }));
    const issuer = await begin(startIssuer({ ...options.issuer, clock }));
    const { url, jwksUri } = issuer;
    const providers = accounts.map((account) => ({ ...account, issuer: url, jwksUri }));
    const roles = options.roles(url);
    const sts = await begin(startStsServer({ ...options.sts, clock, providers, roles }));
    return { issuer, sts, dynamodb, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

export interface TrustedIssuerOptions {
  readonly accountId: string;
  /** URL. */
  readonly issuer: string;
  /** One of them is enough; `*` in one stands for anything. */
  readonly audiences: readonly string[];
  /** Only tokens that have it. */
  readonly amr?: string | undefined;
}

/** Lets in tokens of that issuer, whoever they are about. */
export function trustInIssuer(options: TrustedIssuerOptions) {
  return { Version: '2012-10-17', Statement: [issuerTrustStatement(options)] };
}

export function issuerTrustStatement({ accountId, issuer, audiences, amr }: TrustedIssuerOptions) {
  const provider = issuer.replace(/^https?:\/\//, '');
  const operator = audiences.some((audience) => audience.includes('*'))
    ? 'StringLike'
    : 'StringEquals';
  return {
    Effect: 'Allow',
    Principal: { Federated: `arn:aws:iam::${accountId}:oidc-provider/${provider}` },
    Action: 'sts:AssumeRoleWithWebIdentity',
    Condition: {
      [operator]: { [`${provider}:aud`]: audiences },
      ...(amr === undefined ? {} : { 'ForAnyValue:StringEquals': { [`${provider}:amr`]: amr } }),
    },
  };
}
