/**
 * What an exchange costs without a broker: the SDK's own call, with one client that is used again, in a process of its own. Each message of
 * the parent has calls to make, so many at a time; the answer has how many failed.
 */

import { AssumeRoleWithWebIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { atOnce } from './at-once.js';

/** @typedef {{ endpoint: string, calls: { roleArn: string, token: string }[], connections: number }} Orders */

let client;
process.once('SIGTERM', () => process.exit());
process.on('message', async (message) => {
  const { endpoint, calls, connections } = /** @type {Orders} */ (message);
  client ??= new STSClient({ region: 'us-east-1', endpoint });
  let failed = 0;
  await atOnce(
    async ({ roleArn, token }) => {
      const command = new AssumeRoleWithWebIdentityCommand({
        RoleArn: roleArn,
        RoleSessionName: 'bench',
        WebIdentityToken: token,
        DurationSeconds: 3600,
      });
      await client.send(command).catch(() => {
        failed += 1;
      });
    },
    calls,
    connections,
  );
  process.send({ failed });
});
