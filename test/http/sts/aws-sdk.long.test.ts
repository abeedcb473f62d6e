/** The AWS SDK for JavaScript as it comes, in a process of its own that knows this broker by its environment. */

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type BrokerFixture, startBrokerFixture } from '../../support/broker-fixture.ts';
import { type ClientName, clients, roleNamed } from '../../support/outside-world.ts';

let broker: BrokerFixture;
beforeAll(async () => {
  broker = await startBrokerFixture();
});
afterAll(() => broker.stop());

const whoAmI = `
  import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
  const sts = new STSClient();
  try {
    const { accessKeyId, secretAccessKey, sessionToken } = await sts.config.credentials();
    const credentials = { accessKeyId, secretAccessKey, sessionToken };
    const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
    console.log(JSON.stringify({ credentials, arn: Arn }));
  } catch ({ name, message }) {
    console.log(JSON.stringify({ name, message }));
  }
`;

interface Developer {
  readonly client?: ClientName;
  readonly role?: string;
  readonly slash?: '' | '/';
}

/** Runs the program as a developer would: with a token in a file, and nothing else but environment variables. */
async function run({
  client = 'orders',
  role = roleNamed('orders-writer'),
  slash = '',
}: Developer) {
  const tokenFile = join(broker.directory, `${client}.jwt`);
  writeFileSync(tokenFile, `${broker.token(client)}\n`);
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '--eval', whoAmI],
    {
      env: {
        // No files of whoever runs the tests.
        HOME: broker.directory,
        AWS_REGION: 'us-east-1',
        AWS_ENDPOINT_URL_STS: `${broker.urls.api}/sts${slash}`,
        AWS_ROLE_ARN: role,
        AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
      },
    },
  );
  return JSON.parse(stdout) as {
    credentials: { accessKeyId: string; secretAccessKey: string; sessionToken: string };
    arn: string;
    name?: string;
    message: string;
  };
}

/** Requests to `/sts` so far, by class of status. */
async function requests(): Promise<Record<'ok' | 'refused' | 'failed', number>> {
  const metrics = await broker.metrics();
  const of = (status_class: string) =>
    metrics.get(
      `tokenbroker_http_request_duration_seconds_count{route="/sts",status_class="${status_class}"}`,
    ) ?? 0;
  return { ok: of('2xx'), refused: of('4xx'), failed: of('5xx') };
}

describe('a program with AWS_ENDPOINT_URL_STS, AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE', () => {
  it.each<[string, Developer]>([
    ['the ARN of its role', {}],
    ['a slash behind the endpoint', { slash: '/' }],
    ['the id of a role mapping', { role: 'orders-writer' }],
  ])('gets credentials, with %s, and learns whose they are', async (_with, developer) => {
    const before = await requests();
    const { credentials, arn } = await run(developer);

    expect(arn).toBe(
      `arn:aws:sts::123456789012:assumed-role/orders-writer/${clients.orders.clientId}`,
    );
    expect(await requests()).toEqual({ ...before, ok: before.ok + 2 });
    const aws = new STSClient({ region: 'us-east-1', endpoint: broker.sts.url, credentials });
    const { Arn } = await aws.send(new GetCallerIdentityCommand({}));
    aws.destroy();
    expect(Arn).toBe(arn);
  });

  it('gets the same session each time, although the SDK makes up a name each time', async () => {
    const first = await run({});
    const calls = broker.sts.requests.filter(({ action }) => action !== 'GetCallerIdentity');
    const second = await run({});
    expect(second.credentials.accessKeyId).toBe(first.credentials.accessKeyId);
    expect(broker.sts.requests.filter(({ action }) => action !== 'GetCallerIdentity')).toEqual(
      calls,
    );
  });

  it('that is denied reads why, after one request', async () => {
    const before = await requests();
    const { name, message } = await run({ client: 'stranger' });
    expect(name).toBe('AccessDenied');
    expect(message).toMatch(/^No role mapping allows this caller .* \(request [0-9a-f-]{36}\)$/);
    expect(await requests()).toEqual({ ...before, refused: before.refused + 1 });
  });

  it('whose role mapping cannot work reads so, after one request', async () => {
    broker.sts.setFault({ kind: 'error', status: 400, code: 'ValidationError', message: 'x' });
    const before = await requests();
    const { name, message } = await run({ client: 'reports', role: 'reports-reader' });
    broker.sts.setFault(undefined);
    expect(name).toBe('ValidationError');
    expect(message).toContain('session settings of the role mapping');
    expect(await requests()).toEqual({ ...before, refused: before.refused + 1 });
  });

  it('tries again while STS is away', async () => {
    broker.sts.setFault({ kind: 'error', status: 500, code: 'InternalFailure', message: 'x' });
    const before = await requests();
    const { name } = await run({ client: 'reports', role: 'reports-publisher' });
    broker.sts.setFault(undefined);
    expect(name).toBe('ServiceUnavailable');
    expect((await requests()).failed).toBeGreaterThan(before.failed + 1);
  });
});
