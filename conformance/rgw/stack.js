/** A broker that issues its own tokens, in front of Ceph RGW instead of the local STS. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configText } from '../../build/emulators/config-text.js';
import { startDynamoDbServer } from '../../build/emulators/dynamodb/dynamodb-server.js';
import { startIssuer } from '../../build/emulators/issuer/issuer.js';
import { defaultGuardrails } from '../../dist/core/policy/guardrails.js';
import { roleMappingSchema } from '../../dist/core/policy/role-mapping.js';
import { createDynamoDbClient } from '../../dist/dynamodb/dynamodb-client.js';
import { RoleMappingTable } from '../../dist/dynamodb/role-mapping-table.js';
import { systemClock as clock } from '../../dist/kit/timing/clock.js';
import { readyFileOf, startDaemon } from '../daemon.js';
import { startCeph } from './ceph.js';
import { clients, mappings, pool, table } from './mappings.js';
import { startShim } from './shim.js';

const region = 'us-east-1';

/** `{ ceph, shim, identity, token(client), urls, stop() }`; `identity` is the issuer as IAM knows it, with its thumbprint. */
export async function startRgwStack() {
  const directory = mkdtempSync(join(tmpdir(), 'token-broker-rgw-'));
  const started = [];
  const begin = async (part) => {
    started.unshift(await part);
    return started[0];
  };
  const stop = async () => {
    for (const part of started) await part.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const ceph = await begin(startCeph(directory));
    const shim = await begin(startShim({ rgw: ceph.url, directory }));
    const issuer = await begin(startIssuer({ clock, poolId: pool, clients }));
    const dynamodb = await begin(startDynamoDbServer({ clock }));
    await writeMappings(dynamodb.url);
    const config = configuration({ directory, issuer, dynamodb, shim });
    const urls = await startBroker({ directory, config, begin });
    const thumbprint = await shim.publish(urls.identity);
    const token = (name) => {
      const { clientId } = clients.find((client) => client.name === name);
      return issuer.issueAccessToken({ clientId });
    };
    return { ceph, shim, identity: { url: shim.url, thumbprint }, token, urls, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function configuration({ directory, issuer, dynamodb, shim }) {
  return {
    profile: 'development',
    listeners: { api: { port: 0 }, admin: { port: 0 }, ops: { port: 0 }, identity: { port: 0 } },
    http: { drainSeconds: 0 },
    identity: {
      userPools: [
        {
          pool,
          issuer: issuer.url,
          jwksUri: issuer.jwksUri,
          clients: clients.map(({ clientId }) => clientId),
        },
      ],
    },
    policy: { table, region, endpoint: dynamodb.url },
    // The first exchange of a gateway loads what it needs.
    sts: {
      endpoints: [{ region, endpoint: shim.url }],
      requestTimeoutMs: 10_000,
      totalTimeoutMs: 20_000,
    },
    webIdentity: { issuer: shim.url, default: 'broker', serveDocuments: true },
    audit: { directory: join(directory, 'audit') },
  };
}

async function startBroker({ directory, config, begin }) {
  const configFile = join(directory, 'config.yaml');
  const readyFile = join(directory, 'ready.json');
  writeFileSync(configFile, configText(config));
  const args = ['dist/main.js', 'serve', '--config', configFile, '--ready-file', readyFile];
  const env = { AWS_ACCESS_KEY_ID: 'conformance', AWS_SECRET_ACCESS_KEY: 'conformance' };
  const logFile = join(directory, 'broker.log');
  return readyFileOf(await begin(startDaemon(process.execPath, args, { logFile, env })), readyFile);
}

async function writeMappings(endpoint) {
  const credentials = { accessKeyId: 'conformance', secretAccessKey: 'conformance' };
  const client = createDynamoDbClient({ region, endpoint, credentials });
  const rules = { matchableClaims: new Set(), guardrails: defaultGuardrails };
  const mappingTable = new RoleMappingTable({ client, tableName: table, rules, clock });
  await mappingTable.create();
  for (const input of mappings) {
    const mapping = roleMappingSchema.parse(input);
    await mappingTable.write({
      id: mapping.id,
      expectedVersion: 'absent',
      mapping,
      actor: 'conformance',
      reason: 'for the run',
    });
  }
  client.destroy();
}
