/**
 * An issuer, an STS and a DynamoDB in a process of their own, so that none of their work counts as the broker's or holds up
 * whoever asks it. The first message of the parent has the orders. It says where they are, with a token for each client, and answers each
 * further message with the number of calls that STS had.
 */

import { once } from 'node:events';
import { startDynamoDbServer } from '../build/emulators/dynamodb/dynamodb-server.js';
import { startIssuer } from '../build/emulators/issuer/issuer.js';
import { startStsServer } from '../build/emulators/sts/sts-server.js';
import { systemClock as clock } from '../dist/kit/timing/clock.js';

/** @typedef {{ pool: string, clients: { clientId: string }[], stsLatencyMs: number, accounts: { accountId: string, clientIds: string[] }[], roles: { arn: string, accountId: string }[] }} Orders */

const [orders] = await once(process, 'message');
const { pool, clients, stsLatencyMs, accounts, roles } = /** @type {Orders} */ (orders);
const issuer = await startIssuer({ clock, poolId: pool, clients });
const sts = await startStsServer({
  clock,
  latencyMs: stsLatencyMs,
  providers: accounts.map((account) => ({
    ...account,
    issuer: issuer.url,
    jwksUri: issuer.jwksUri,
  })),
  roles: roles.map(({ arn, accountId }) => ({
    arn,
    trustPolicy: trustPolicy(accountId, issuer.url),
  })),
});
const dynamodb = await startDynamoDbServer({ clock });

process.once('SIGTERM', () => process.exit());
process.on('message', () => process.send({ stsCalls: sts.requests.length }));
process.send({
  issuer: issuer.url,
  jwksUri: issuer.jwksUri,
  sts: sts.url,
  dynamodb: dynamodb.url,
  tokens: clients.map(({ clientId }) => issuer.issueAccessToken({ clientId })),
});

function trustPolicy(accountId, issuerUrl) {
  const provider = issuerUrl.replace(/^https?:\/\//, '');
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { Federated: `arn:aws:iam::${accountId}:oidc-provider/${provider}` },
        Action: 'sts:AssumeRoleWithWebIdentity',
        Condition: { StringLike: { [`${provider}:aud`]: 'client*' } },
      },
    ],
  };
}
