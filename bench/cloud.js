/**
 * An issuer, an STS and a DynamoDB in a process of their own, so that none of their work counts as the broker's or holds up
 * whoever asks it. The first message of the parent has the orders. It says where they are, with a token for each client, and answers each
 * further message with the number of calls that STS had; one with `jwksUri` is about the broker's own tokens, which STS trusts from then on.
 */

import { once } from 'node:events';
import { issuerTrustStatement, startEmulators } from '../build/emulators/outside-world.js';
import { systemClock as clock } from '../dist/kit/timing/clock.js';

/** @typedef {{ pool: string, clients: { clientId: string }[], stsLatencyMs: number, accounts: { accountId: string, clientIds: string[] }[], roles: { arn: string, accountId: string }[], own?: { issuer: string, audience: string } }} Orders */

const [orders] = await once(process, 'message');
const { pool, clients, stsLatencyMs, accounts, roles, own } = /** @type {Orders} */ (orders);
const { issuer, sts, dynamodb } = await startEmulators({
  clock,
  issuer: { poolId: pool, clients },
  sts: { latencyMs: stsLatencyMs },
  accounts,
  roles: (issuerUrl) =>
    roles.map(({ arn, accountId }) => ({
      arn,
      trustPolicy: {
        Version: '2012-10-17',
        Statement: [
          issuerTrustStatement({ accountId, issuer: issuerUrl, audiences: ['client*'] }),
          ...(own === undefined
            ? []
            : [issuerTrustStatement({ accountId, issuer: own.issuer, audiences: [own.audience] })]),
        ],
      },
    })),
});

process.once('SIGTERM', () => process.exit());
process.on('message', ({ jwksUri }) => {
  for (const { accountId } of jwksUri === undefined ? [] : accounts) {
    const { issuer: ownIssuer, audience } = own;
    sts.putProvider({ accountId, issuer: ownIssuer, jwksUri, clientIds: [audience] });
  }
  process.send({ stsCalls: sts.requests.length });
});
process.send({
  issuer: issuer.url,
  jwksUri: issuer.jwksUri,
  sts: sts.url,
  dynamodb: dynamodb.url,
  tokens: clients.map(({ clientId }) => issuer.issueAccessToken({ clientId })),
});
