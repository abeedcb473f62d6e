/** The outside world of a broker on loopback: an issuer, an STS and a DynamoDB, with state in one folder. */

import { appendFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../src/kit/timing/clock.ts';
import { type DynamoDbServer, startDynamoDbServer } from './dynamodb/dynamodb-server.ts';
import { lockFileName, lockFolder } from './dynamodb/folder-lock.ts';
import { type Issuer, startIssuer } from './issuer/issuer.ts';
import {
  identityRoles,
  localAccount,
  localPool,
  type SeededClient,
  seedClients,
  seededUsers,
  seedRoles,
} from './seed.ts';
import type { CloudTrailEvent } from './sts/cloudtrail-events.ts';
import { type StsServer, startStsServer } from './sts/sts-server.ts';

export interface LocalStackOptions {
  readonly clock: Clock;
  /** Keys, secrets and tables live here and survive a restart. One stack at a time has it. */
  readonly directory: string;
  /** Empty the directory first. */
  readonly fresh: boolean;
  /** 0 takes free ports. */
  readonly ports: { readonly issuer: number; readonly sts: number; readonly dynamodb: number };
}

export interface LocalStack {
  readonly issuer: Issuer;
  readonly sts: StsServer;
  readonly dynamodb: DynamoDbServer;
  readonly clients: readonly SeededClient[];
  /** What CloudTrail would have of this run, oldest first. */
  readonly trail: readonly CloudTrailEvent[];
  /** The same of all runs, one event in a line. */
  readonly trailFile: string;
  stop(): Promise<void>;
}

export async function startLocalStack(options: LocalStackOptions): Promise<LocalStack> {
  const { clock, directory, fresh, ports } = options;
  // First of all: what another stack is using must be neither changed nor emptied.
  const release = lockFolder(directory);
  const started: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    await Promise.all(started.map((server) => server.stop()));
    release();
  };
  try {
    if (fresh) emptyFolder(directory);
    const clients = seedClients(directory);
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
      users: seededUsers,
      keyFile: join(directory, 'issuer-keys.json'),
    });
    started.push(issuer);
    const trail: CloudTrailEvent[] = [];
    const trailFile = join(directory, 'cloudtrail.jsonl');
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
      roles: [...seedRoles(issuer.url), ...identityRoles()],
      onEvent: (event) => {
        trail.push(event);
        appendFileSync(trailFile, `${JSON.stringify(event)}\n`, { mode: 0o600 });
      },
    });
    started.push(sts);
    return { issuer, sts, dynamodb, clients, trail, trailFile, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function emptyFolder(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (name !== lockFileName) rmSync(join(folder, name), { recursive: true, force: true });
  }
}
