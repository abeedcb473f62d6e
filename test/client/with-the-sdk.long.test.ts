/** The library as services use it: real SDK clients over a whole broker, an issuer, an STS and a DynamoDB. */

import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CredentialProvider } from '../../src/client/credential-provider.ts';
import { fromTokenBroker } from '../../src/client/from-token-broker.ts';
import { StsWebIdentityAdapter } from '../../src/client/sts-web-identity-adapter.ts';
import { CognitoTokenValidator } from '../../src/client/token-validator.ts';
import { BrokerError } from '../../src/core/errors.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { account, type ClientName, clients, pool, roleNamed } from '../support/outside-world.ts';
import { failure, type ScriptedSts, startScriptedSts } from '../support/scripted-sts.ts';
import { secretsIn } from '../support/secrets-in.ts';
import { createTestClock } from '../support/test-clock.ts';

const region = 'us-east-1';
let fixture: BrokerFixture;
let url: string;

beforeAll(async () => {
  fixture = await startBrokerFixture();
  url = fixture.urls.api;
});
afterAll(() => fixture.stop());

function tokensOf(name: ClientName): CognitoTokenValidator {
  const { clientId, clientSecret } = clients[name];
  return new CognitoTokenValidator({
    pools: [{ userPoolId: pool, issuer: fixture.issuer.url, clients: [clientId] }],
    client: { tokenEndpoint: fixture.issuer.tokenEndpoint, clientId, clientSecret },
  });
}

async function whoIs(credentials: CredentialProvider) {
  const client = new STSClient({ region, endpoint: fixture.sts.url, maxAttempts: 1, credentials });
  try {
    return await client.send(new GetCallerIdentityCommand({}));
  } finally {
    client.destroy();
  }
}

describe('fromTokenBroker', () => {
  it('gives SDK clients the session of the role mapping', async () => {
    const validator = tokensOf('orders');
    const provider = fromTokenBroker({ url, role: 'orders-writer', token: validator });
    const { Account, Arn } = await whoIs(provider);
    expect(Account).toBe(account);
    expect(Arn).toContain(':assumed-role/orders-writer/');

    const dynamodb = new DynamoDBClient({
      region,
      endpoint: fixture.dynamodb.url,
      credentials: provider,
    });
    const { TableNames } = await dynamodb.send(new ListTablesCommand({}));
    expect(TableNames).toContain('role-mappings');
    dynamodb.destroy();
    await validator.close();
  });

  it('tells what the broker said when it denies the role, and SDK clients pass it on', async () => {
    const token = fixture.token('stranger');
    const denied = whoIs(fromTokenBroker({ url, role: 'orders-writer', token }));
    await expect(denied).rejects.toMatchObject({
      name: 'TokenBrokerError',
      code: 'access_denied',
      status: 403,
      requestId: expect.any(String),
    });
  });

  it('lists the choices of a caller with several roles', async () => {
    const provider = fromTokenBroker({ url, token: fixture.token('reports') });
    await expect(provider()).rejects.toThrow(/reports-publisher, reports-reader/);
  });
});

describe('fromTokenBroker without a broker', () => {
  it('gives out what it has, and says what is wrong when it has nothing', async () => {
    const own = await startBrokerFixture();
    try {
      const options = { url: own.urls.api, role: 'orders-writer', token: own.token('orders') };
      const provider = fromTokenBroker(options);
      const before = await provider();
      await own.stopBroker();
      expect(await provider()).toEqual(before);
      const another = fromTokenBroker(options);
      await expect(another()).rejects.toMatchObject({ code: 'broker_unreachable' });
    } finally {
      await own.stop();
    }
  });
});

describe('CognitoTokenValidator', () => {
  it('accepts the token that it gets for another service of the pool', async () => {
    const validator = tokensOf('orders');
    const caller = await validator.validate(await validator.token());
    expect(caller).toMatchObject({ pool, clientId: clients.orders.clientId, machine: true });
    expect(caller.scopes).toEqual(new Set(['orders/write']));
    await validator.close();
  });

  it('refuses tokens of app clients that are not listed', async () => {
    const validator = tokensOf('orders');
    await expect(validator.validate(fixture.token('reports'))).rejects.toMatchObject({
      name: 'BrokerError',
      code: 'token_client_refused',
    });
    await validator.close();
  });

  it('gives no token without a client', async () => {
    const validator = new CognitoTokenValidator({
      pools: [{ userPoolId: pool, clients: ['4abc0exampleclientid'] }],
    });
    await expect(validator.token()).rejects.toThrow(TypeError);
    await validator.close();
  });

  it.each([
    { userPoolId: 'nonsense', clients: ['a'] },
    { userPoolId: pool, clients: [] },
    { userPoolId: pool, clients: ['a'], issuer: 'http://issuer.example.com' },
    { userPoolId: pool, clients: ['a'], jwksUri: 'http://issuer.example.com/jwks.json' },
    { userPoolId: pool, clients: ['a'], tokenUse: [] },
  ])('is not made of %j', (options) => {
    const broken = options as unknown as { userPoolId: string; clients: [string] };
    expect(() => new CognitoTokenValidator({ pools: [broken] })).toThrow(TypeError);
  });
});

describe('StsWebIdentityAdapter', () => {
  const session = { roleArn: roleNamed('orders-writer'), sessionName: 'orders' } as const;

  it('exchanges the token at STS without a broker, for SDK clients', async () => {
    const validator = tokensOf('orders');
    const sts = new StsWebIdentityAdapter({
      endpoints: [{ region, endpoint: fixture.sts.url }],
      token: validator,
    });
    const { Arn } = await whoIs(sts.credentials(session));
    expect(Arn).toBe(`arn:aws:sts::${account}:assumed-role/orders-writer/orders`);
    sts.close();
    await validator.close();
  });

  it('tells what is missing from a token without an audience', async () => {
    const sts = new StsWebIdentityAdapter({
      endpoints: [{ region, endpoint: fixture.sts.url }],
      token: fixture.token('legacy'),
    });
    const provider = sts.credentials({ ...session, roleArn: roleNamed('legacy-reader') });
    await expect(provider()).rejects.toMatchObject({
      code: 'sts_token_rejected',
      reason: 'audience_missing',
    });
    sts.close();
  });

  it.each([
    [{ roleArn: 'arn:aws:iam::123456789012:role/*' }],
    [{ sessionName: 'a b' }],
    [{ durationSeconds: 60 }],
    [{ durationSeconds: 3600.5 }],
  ])('refuses a session that STS would refuse, at once: %j', (fields) => {
    const sts = new StsWebIdentityAdapter({ endpoints: [{ region }], token: 'a.b.c' });
    expect(() => sts.credentials({ ...session, ...fields })).toThrow();
    sts.close();
  });

  it('sends no token over plain http to another machine', () => {
    const endpoints = [{ region, endpoint: 'http://sts.example.com' }] as const;
    expect(() => new StsWebIdentityAdapter({ endpoints, token: 'a.b.c' })).toThrow(TypeError);
  });
});

describe('StsWebIdentityAdapter over time', () => {
  async function scripted() {
    const clock = createTestClock();
    const server: ScriptedSts = await startScriptedSts(clock);
    const token = fixture.token('orders');
    const endpoints = [{ region, endpoint: server.url }] as const;
    const sts = new StsWebIdentityAdapter({ endpoints, token }, clock);
    const provider = sts.credentials({
      roleArn: roleNamed('orders-writer'),
      sessionName: 'orders',
    });
    const stop = async () => {
      sts.close();
      await server.stop();
    };
    return { clock, server, token, sts, provider, stop };
  }

  it('makes one exchange for 10,000 callers, and the next before the credentials end', async () => {
    const { clock, server, provider, stop } = await scripted();
    await Promise.all(Array.from({ length: 10_000 }, () => provider()));
    expect(server.calls).toHaveLength(1);
    const { accessKeyId } = await provider();
    await clock.advance(46 * 60_000);
    while ((await provider()).accessKeyId === accessKeyId) await clock.advance(0);
    expect(server.calls).toHaveLength(2);
    await stop();
  });

  it('keeps credentials while STS is away, but not when it denies the role', async () => {
    const { clock, server, provider, stop } = await scripted();
    const startedAt = clock.now();
    const { accessKeyId } = await provider();
    server.script = () => 'reset';
    await clock.advance(50 * 60_000);
    expect((await provider()).accessKeyId).toBe(accessKeyId);
    server.script = () => failure(403, 'AccessDenied');
    const denied = async () => {
      for (;;) {
        await provider();
        await clock.advance(5_000);
      }
    };
    await expect(denied()).rejects.toMatchObject({ code: 'sts_access_denied' });
    expect(clock.now() - startedAt).toBeLessThan(55 * 60_000);
    await stop();
  });

  it('leaves neither token nor keys in its errors', async () => {
    const { server, token, provider, stop } = await scripted();
    server.script = () => failure(400, 'InvalidIdentityToken', `bad token ${token}`);
    const error = await provider().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(BrokerError);
    expect(secretsIn(error, [token])).toEqual([]);
    await stop();
  });

  it('ends every provider when it is closed', async () => {
    const { sts, provider, stop } = await scripted();
    await provider();
    sts.close();
    await expect(provider()).rejects.toThrow('closed');
    await stop();
  });
});
