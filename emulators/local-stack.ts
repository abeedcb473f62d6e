/** The outside world of a broker on loopback: an issuer, an STS and a DynamoDB, with state in one folder. */

import { appendFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../src/kit/timing/clock.ts';
import { lockFileName, lockFolder } from './dynamodb/folder-lock.ts';
import { type IamServer, startIamServer } from './iam/iam-server.ts';
import { type Emulators, startEmulators } from './outside-world.ts';
import {
  identityRoles,
  localAccount,
  localOperator,
  localPool,
  rolePolicies,
  type SeededClient,
  seedClients,
  seededUsers,
  seedRoles,
} from './seed.ts';
import type { CloudTrailEvent } from './sts/cloudtrail-events.ts';

export interface LocalStackOptions {
  readonly clock: Clock;
  /** Keys, secrets and tables live here and survive a restart. One stack at a time has it. */
  readonly directory: string;
  /** Empty the directory first. */
  readonly fresh: boolean;
  /** 0 takes free ports. */
  readonly ports: {
    readonly issuer: number;
    readonly sts: number;
    readonly dynamodb: number;
    readonly iam: number;
  };
}

export interface LocalStack extends Emulators {
  readonly iam: IamServer;
  readonly clients: readonly SeededClient[];
  /** What CloudTrail would have of this run, oldest first. */
  readonly trail: readonly CloudTrailEvent[];
  /** The same of all runs, one event in a line. */
  readonly trailFile: string;
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
    const trail: CloudTrailEvent[] = [];
    const trailFile = join(directory, 'cloudtrail.jsonl');
    const outside = await startEmulators({
      clock,
      issuer: {
        port: ports.issuer,
        poolId: localPool,
        clients,
        users: seededUsers,
        keyFile: join(directory, 'issuer-keys.json'),
      },
      sts: {
        port: ports.sts,
        users: [localOperator],
        onEvent: (event) => {
          trail.push(event);
          appendFileSync(trailFile, `${JSON.stringify(event)}\n`, { mode: 0o600 });
        },
      },
      dynamodb: { port: ports.dynamodb, path: join(directory, 'dynamodb') },
      accounts: [{ accountId: localAccount, clientIds: clients.map(({ clientId }) => clientId) }],
      roles: (issuerUrl) => [...seedRoles(issuerUrl), ...identityRoles()],
    });
    started.push(outside);
    const { sts } = outside;
    const iam = await startIamServer({
      port: ports.iam,
      accountId: localAccount,
      sts,
      policies: rolePolicies(),
    });
    started.push(iam);
    return { ...outside, iam, clients, trail, trailFile, stop };
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
