/** The outside world of a broker on loopback: an issuer, an STS and a DynamoDB, with state in one folder. */

import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { type DynamoDbServer, startDynamoDbServer } from './dynamodb-server.ts';
import { type Issuer, startIssuer } from './issuer.ts';
import { localAccount, localPool, type SeededClient, seedClients, seedRoles } from './seed.ts';
import { type StsServer, startStsServer } from './sts-server.ts';

export interface LocalStackOptions {
  readonly clock: Clock;
  /** Keys, secrets and tables live here and survive a restart. */
  readonly directory: string;
  /** 0 takes free ports. */
  readonly ports: { readonly issuer: number; readonly sts: number; readonly dynamodb: number };
}

export interface LocalStack {
  readonly issuer: Issuer;
  readonly sts: StsServer;
  readonly dynamodb: DynamoDbServer;
  readonly clients: readonly SeededClient[];
  stop(): Promise<void>;
}

export async function startLocalStack(options: LocalStackOptions): Promise<LocalStack> {
  const { clock, directory, ports } = options;
  const clients = seedClients(directory);
  const started: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    await Promise.all(started.map((server) => server.stop()));
  };
  try {
    // The database first: it locks the folder, so a second stack on it ends before it changes anything.
    const dynamodb = await startDynamoDbServer({
      clock,
      port: ports.dynamodb,
      path: join(directory, 'dynamodb'),
    });
    started.push(dynamodb);
    const issuer = await startIssuer({
      clock,
      port: ports.issuer,
      poolId: localPool,
      clients,
      keyFile: join(directory, 'issuer-keys.json'),
    });
    started.push(issuer);
    const sts = await startStsServer({
      clock,
      port: ports.sts,
      providers: [
        {
          accountId: localAccount,
          issuer: issuer.url,
          jwksUri: issuer.jwksUri,
          clientIds: clients.map(({ clientId }) => clientId),
        },
      ],
      roles: seedRoles(issuer.url),
    });
    started.push(sts);
    return { issuer, sts, dynamodb, clients, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
