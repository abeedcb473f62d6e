/** Role mappings by the number, and the table that they are in. */

import { defaultGuardrails } from '../dist/core/policy/guardrails.js';
import { roleMappingSchema } from '../dist/core/policy/role-mapping.js';
import { createDynamoDbClient } from '../dist/dynamodb/dynamodb-client.js';
import { RoleMappingTable } from '../dist/dynamodb/role-mapping-table.js';
import { systemClock } from '../dist/kit/timing/clock.js';

export const clock = systemClock;
export const tableName = 'bench';
export const rules = { matchableClaims: new Set(), guardrails: defaultGuardrails };
export const pool = 'us-east-1_Bench0001';

/** Each for an app client of its own, with a scope and a session policy. */
export function roleMappingOf(index) {
  const bucket = `arn:aws:s3:::bench-${index}/\${claim:sub}/*`;
  return roleMappingSchema.parse({
    id: `bench-${index}`,
    principal: { pool, client: clientOf(index) },
    effect: 'allow',
    role: `arn:aws:iam::${123456789012 + Math.floor(index / 100)}:role/bench/role-${index}`,
    conditions: { scopes: ['bench/use'] },
    session: {
      policy: {
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: bucket }],
      },
    },
    owner: 'bench',
    managedBy: 'git',
  });
}

/** As if its token had just been verified. */
export function callerOf(index) {
  const client = clientOf(index);
  return {
    issuer: `https://cognito-idp.us-east-1.amazonaws.com/${pool}`,
    pool,
    subject: client,
    clientId: client,
    tokenUse: 'access',
    machine: true,
    groups: [],
    scopes: new Set(['bench/use']),
    audience: client,
    claims: new Map([
      ['sub', client],
      ['client_id', client],
    ]),
    sessionClaims: '',
    tokenId: undefined,
    tokenSha256: '',
    issuedAt: clock.now(),
    signedInAt: undefined,
    amr: [],
    expiresAt: clock.now() + 3_600_000,
  };
}

export function openTable(endpoint) {
  const client = createDynamoDbClient({
    region: 'us-east-1',
    endpoint,
    credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
  });
  return { client, table: new RoleMappingTable({ client, tableName, rules, clock }) };
}

export function clientOf(index) {
  return `client${String(index).padStart(20, '0')}`;
}
