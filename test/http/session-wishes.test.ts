/** What callers ask of their session, by the AWS SDK, with mappings that are read from the table. */

import { AssumeRoleWithWebIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { allow, type ClientName, clients, roleNamed } from '../support/outside-world.ts';

let broker: BrokerFixture;
let sdk: STSClient;
beforeAll(async () => {
  broker = await startBrokerFixture({
    mappings: [
      allow('orders-writer', 'orders', {
        session: { name: '{requested}@{client}', callerPolicy: true },
      }),
      allow('reports-reader', 'reports', { session: { policy: policyFor('reports') } }),
    ],
  });
  sdk = new STSClient({
    region: 'us-east-1',
    endpoint: `${broker.urls.api}/sts`,
    maxAttempts: 1,
  });
});
afterAll(async () => {
  sdk.destroy();
  await broker.stop();
});

const roles = { orders: 'orders-writer', reports: 'reports-reader' } as const;
const arns = ['arn:aws:iam::aws:policy/One', 'arn:aws:iam::aws:policy/Two'];

function policyFor(bucket: string) {
  return {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: `arn:aws:s3:::${bucket}/*` }],
  };
}

interface Wishes {
  readonly name?: string;
  readonly policy?: string;
  readonly policyArns?: readonly string[];
}

function assume(client: ClientName & keyof typeof roles, wishes: Wishes) {
  const { name = 'app', policy, policyArns = [] } = wishes;
  return sdk.send(
    new AssumeRoleWithWebIdentityCommand({
      RoleArn: roleNamed(roles[client]),
      RoleSessionName: name,
      WebIdentityToken: broker.token(client),
      ...(policy === undefined ? {} : { Policy: policy }),
      ...(policyArns.length === 0 ? {} : { PolicyArns: policyArns.map((arn) => ({ arn })) }),
    }),
  );
}

/** Status and code of a refusal, as they are on record. */
async function refusal(client: ClientName & keyof typeof roles, wishes: Wishes): Promise<unknown> {
  const status = await assume(client, wishes).then(
    () => 200,
    (error: unknown) =>
      (error as { $metadata: { httpStatusCode: number } }).$metadata.httpStatusCode,
  );
  return [status, broker.auditRecords().at(-1)?.code];
}

describe('a session that is asked for by an AWS SDK', () => {
  it('has the session policy and the name of the caller where the mapping takes them', async () => {
    const answer = await assume('orders', {
      name: 'deploy-42',
      policy: JSON.stringify(policyFor('mine'), undefined, 2),
      policyArns: arns.toReversed(),
    });
    const name = `deploy-42@${clients.orders.clientId}`;
    expect(answer.AssumedRoleUser?.Arn).toContain(`:assumed-role/orders-writer/${name}`);
    expect(broker.sts.requests.at(-1)).toMatchObject({
      roleSessionName: name,
      policy: JSON.stringify(policyFor('mine')),
      policyArns: arns,
      code: 'ok',
    });
    expect(broker.auditRecords().at(-1)).toMatchObject({
      outcome: 'issued',
      request: { sessionName: 'deploy-42', policyArns: arns.toReversed() },
      session: { name, policyArns: arns },
    });
  });

  it('is another one for each policy, and the same for the same', async () => {
    const keyOf = async (bucket: string, space: number) => {
      const policy = JSON.stringify(policyFor(bucket), undefined, space);
      const { Credentials } = await assume('orders', { name: 'keys', policy });
      return Credentials?.AccessKeyId;
    };
    const [one, other] = [await keyOf('one', 0), await keyOf('two', 0)];
    expect(one).not.toBe(other);
    expect([await keyOf('one', 2), await keyOf('two', 1)]).toEqual([one, other]);
    expect((await assume('orders', { name: 'keys' })).Credentials?.AccessKeyId).not.toBe(one);
  });

  it('has the session policy of the mapping, and the name too, where it has its own', async () => {
    const answer = await assume('reports', { name: 'somebody-else' });
    expect(answer.AssumedRoleUser?.Arn).toMatch(new RegExp(`/${clients.reports.clientId}$`));
    expect(broker.sts.requests.at(-1)).toMatchObject({
      policy: JSON.stringify(policyFor('reports')),
    });
  });

  it('is refused where the mapping takes no session policy, before STS is asked', async () => {
    const before = broker.sts.requests.length;
    const policy = JSON.stringify(policyFor('mine'));
    expect(await refusal('reports', { policy })).toEqual([403, 'session_policy_not_allowed']);
    expect(await refusal('reports', { policyArns: arns })).toEqual([
      403,
      'session_policy_not_allowed',
    ]);
    expect(broker.sts.requests).toHaveLength(before);
  });

  it('is refused with one character more than the 2,048 that STS takes, before STS is asked', async () => {
    const bare = JSON.stringify(policyFor('')).length + arns.join('').length;
    const policyOf = (length: number) => JSON.stringify(policyFor('x'.repeat(length - bare)));
    const wishes = (length: number) => ({ policy: policyOf(length), policyArns: arns });
    const before = broker.sts.requests.length;
    expect(await refusal('orders', wishes(2049))).toEqual([400, 'session_policy_invalid']);
    expect(broker.sts.requests).toHaveLength(before);
    expect(await refusal('orders', wishes(2048))).toEqual([200, undefined]);
    expect(broker.sts.requests).toHaveLength(before + 1);
  });

  it('is the error of the caller where STS cannot read the policy', async () => {
    // Names of services and actions are known to STS only.
    broker.sts.setFault({
      kind: 'error',
      status: 400,
      code: 'MalformedPolicyDocument',
      message: 'CANARY of the message',
    });
    const policy = JSON.stringify(policyFor('unreadable'));
    const refused = await refusal('orders', { policy });
    broker.sts.setFault(undefined);
    expect(refused).toEqual([400, 'session_policy_invalid']);
    expect(broker.auditRecords().at(-1)).toMatchObject({ reason: 'policy_malformed' });
  });
});
