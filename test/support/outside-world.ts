/** The world outside of a broker that is tested: its app clients, its account, its roles. */

import type { IssuerClient, IssuerUser } from '../../emulators/issuer/issuer-claims.ts';
import type { KeyHistory } from '../../emulators/issuer/issuer-keys.ts';
import { type Emulators, startEmulators, trustInIssuer } from '../../emulators/outside-world.ts';
import type { StsServerOptions } from '../../emulators/sts/sts-server.ts';
import type { RoleMappingInput } from '../../src/core/policy/role-mapping.ts';
import type { Clock } from '../../src/kit/timing/clock.ts';

export const pool = 'us-east-1_Test00001';
export const account = '123456789012';

export function roleNamed(name: string): string {
  return `arn:aws:iam::${account}:role/broker/${name}`;
}

const adminScopes = ['broker/admin.read', 'broker/admin.write', 'broker/admin.freeze'];

/** App clients that are always there, by name. */
export const clients = {
  /** Allowed one role. */
  orders: client('1orders0example0client0id0', ['orders/write']),
  /** Allowed two roles, so it must name one. */
  reports: client('2reports0example0client0id', ['reports/read', 'reports/publish']),
  /** No role mapping. */
  stranger: client('3stranger0example0client0i', ['orders/write']),
  /** Allowed a role, but its tokens carry no `aud`. */
  legacy: { ...client('4legacy0example0client0id0', ['orders/read']), aud: 'none' },
  /** For the admin listener, with every scope. */
  admin: client('5admin0example0client0id00', adminScopes),
  /** By which people sign in to the console: it has no secret. */
  console: { ...client('6console0example0client0i', adminScopes), clientSecret: '' },
} as const satisfies Record<string, IssuerClient>;

export type ClientName = keyof typeof clients;

function client(clientId: string, scopes: readonly string[]): IssuerClient {
  return { clientId, clientSecret: 'not-a-secret', name: clientId, scopes, aud: 'client_id' };
}

/** A whole document: allows the app client the role named like the mapping, unless told otherwise. */
export function allow(
  id: string,
  name: ClientName,
  fields: Partial<RoleMappingInput> = {},
): RoleMappingInput {
  return {
    id,
    principal: { pool, client: clients[name].clientId },
    effect: 'allow',
    role: roleNamed(id),
    owner: 'test-team',
    ...fields,
  };
}

/** Role mappings that are there unless a test brings its own. */
export const defaultMappings: readonly RoleMappingInput[] = [
  allow('orders-writer', 'orders', { conditions: { scopes: ['orders/write'] } }),
  allow('reports-reader', 'reports', { conditions: { scopes: ['reports/read'] } }),
  allow('reports-publisher', 'reports', { session: { maxDurationSeconds: 7200 } }),
  allow('legacy-reader', 'legacy'),
];

export type OutsideWorld = Emulators;

export interface OutsideWorldOptions {
  readonly clock: Clock;
  readonly users: readonly IssuerUser[];
  /** Each gets a trust policy that lets in every app client of the pool. */
  readonly roles: readonly string[];
  /** Added to every answer of STS. */
  readonly stsLatencyMs: number;
  /** Gets what CloudTrail would record of STS. */
  readonly onStsEvent?: StsServerOptions['onEvent'] | undefined;
}

export function startOutsideWorld(options: OutsideWorldOptions): Promise<OutsideWorld> {
  const { clock, users, roles, stsLatencyMs, onStsEvent } = options;
  const clientIds = Object.values(clients).map(({ clientId }) => clientId);
  return startEmulators({
    clock,
    issuer: { poolId: pool, clients: Object.values(clients), users, keys: signingKeys() },
    sts: {
      latencyMs: stsLatencyMs,
      ...(onStsEvent === undefined ? {} : { onEvent: onStsEvent }),
    },
    accounts: [{ accountId: account, clientIds }],
    roles: (issuerUrl) =>
      roles.map((arn) => ({
        arn,
        maxSessionDurationSeconds: 43_200,
        trustPolicy: trustPolicy(issuerUrl, clientIds),
      })),
  });
}

export function trustPolicy(issuer: string, audiences: readonly string[]) {
  return trustInIssuer({ accountId: account, issuer, audiences });
}

let keys: KeyHistory | undefined;

/** Made once for all tests by test/setup/keys.js, and the same objects each time: issuers remember what they have read of a key. */
export function signingKeys(): KeyHistory {
  keys ??= JSON.parse(process.env['TEST_SIGNING_KEYS'] ?? '') as KeyHistory;
  return keys;
}
