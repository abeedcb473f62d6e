/** docs/aws-setup.md: its commands in a shell whose `aws` is played by a function, its claims about STS against the local one. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Issuer, startIssuer } from '../../emulators/issuer/issuer.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { readTemplate } from '../deployment/stack-template.ts';
import { codeBlocks, readDocument, tableRows } from '../support/markdown.ts';
import { signingKeys } from '../support/outside-world.ts';
import { runBash } from '../support/shell.ts';
import {
  type Claims,
  clientId,
  failureOf,
  roleArn,
  type StsHarness,
  startStsHarness,
} from '../support/sts-harness.ts';

const page = readDocument('aws-setup.md');
const blocks = codeBlocks(page, 'sh');
const block = (words: string) => blocks.find((one) => one.includes(words)) ?? '';

let directory: string;
let issuer: Issuer;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'token-broker-docs-'));
  issuer = await startIssuer({
    clock: systemClock,
    poolId: 'us-east-1_AbCdEf123',
    clients: ['none', 'client_id'].map((aud) => ({
      clientId: aud === 'none' ? 'untouched' : clientId,
      clientSecret: 'not-a-secret',
      name: aud,
      scopes: ['orders/write'],
      aud: aud as 'none' | 'client_id',
    })),
    users: [],
    keys: signingKeys(),
  });
});
afterAll(async () => {
  await issuer.stop();
  rmSync(directory, { recursive: true, force: true });
});

const run = (script: string, env: Readonly<Record<string, string>> = {}) =>
  runBash(script, { cwd: directory, env });

describe('the commands of docs/aws-setup.md', () => {
  it.each([
    ['untouched', null],
    [clientId, clientId],
  ])('show what the tokens of %s say', async (client, aud) => {
    const endpoint = 'https://$POOL_DOMAIN.auth.us-east-1.amazoncognito.com/oauth2/token';
    const script = block('grant_type=client_credentials');
    expect(script).toContain(endpoint);
    const printed = await run(script.replace(endpoint, issuer.tokenEndpoint), {
      CLIENT_ID: client,
      CLIENT_SECRET: 'not-a-secret',
    });
    expect(JSON.parse(printed)).toEqual({
      iss: issuer.url,
      aud,
      sub: client,
      client_id: client,
      token_use: 'access',
      scope: 'orders/write',
    });
  });

  it('give the pool its trigger, and send back everything else that was read', async () => {
    const pool = JSON.stringify({ UserPool: describedPool });
    writeFileSync(join(directory, 'pool.json'), pool);
    const aws = `
      aws() {
        if [ "$1 $2" = 'cognito-idp describe-user-pool' ]; then cat pool.json; else cp "\${4#file://}" sent.json; fi
      }
      diff() { :; }
    `;
    const env = {
      POOL: describedPool.Id,
      AUDIENCE_TRIGGER_ARN: 'arn:aws:lambda:us-east-1:1:function:x',
    };
    await run(`${aws}\n${block('update-user-pool --cli-input-json')}`, env);
    const sent = JSON.parse(readFileSync(join(directory, 'sent.json'), 'utf8'));
    expect(Object.keys(sent).filter((name) => !takenByUpdate.includes(name))).toEqual([]);
    const { Id, Name, LambdaConfig, AdminCreateUserConfig, ...rest } = describedPool;
    const { UnusedAccountValidityDays: _, ...invitations } = AdminCreateUserConfig;
    const kept = Object.entries(rest).filter(([name]) => takenByUpdate.includes(name));
    expect(sent).toEqual({
      ...Object.fromEntries(kept),
      UserPoolId: Id,
      PoolName: Name,
      AdminCreateUserConfig: invitations,
      LambdaConfig: {
        PostConfirmation: LambdaConfig.PostConfirmation,
        PreTokenGenerationConfig: { LambdaArn: env.AUDIENCE_TRIGGER_ARN, LambdaVersion: 'V3_0' },
      },
    });
  });

  it('name parameters and outputs that the stack has', () => {
    const { Parameters = {}, Outputs = {} } = readTemplate('token-broker') as {
      readonly Parameters?: object;
      readonly Outputs?: object;
    };
    const [, given = ''] =
      /--parameter-overrides([\s\S]*?)\naws /.exec(block('stack-name token-broker ')) ?? [];
    const names = [...given.matchAll(/(\w+)=/g)].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThan(5);
    expect(names.filter((name) => !(name in Parameters))).toEqual([]);
    const needed = Object.entries(Parameters).filter(([, one]) => !('Default' in one));
    expect(names).toEqual(expect.arrayContaining(needed.map(([name]) => name)));
    const outputs = [...page.matchAll(/token-broker(?:-admin)?:(\w+Arn)|`(\w+EndpointUrl)`/g)];
    expect(outputs.length).toBeGreaterThan(3);
    for (const [, arn, url] of outputs) expect(Object.keys(Outputs)).toContain(arn ?? url);
  });
});

describe('what docs/aws-setup.md says of STS', () => {
  let sts: StsHarness;
  beforeAll(async () => {
    sts = await startStsHarness({ sourceVpce: 'vpce-0123456789abcdef0' });
  });
  afterAll(() => sts.stop());

  async function answer(claims: Claims, trust: Claims = {}, of = sts): Promise<string> {
    of.sts.putRole({ arn: roleArn, trustPolicy: of.trustPolicy(trust) });
    const exchange = of.exchange({ WebIdentityToken: of.token(claims) });
    if ((await exchange.catch(() => undefined)) !== undefined) return 'credentials';
    const { code, message } = await failureOf(exchange);
    return `${code}: ${message}`;
  }

  it('is what the answers to an attempt at a bypass look like', async () => {
    const told = tableRows(
      page,
      '| answer                               | meaning                                                                                      |',
    ).map(([words = '']) => words.replaceAll('`', ''));
    const answers = [
      await answer({}, { Effect: 'Deny' }),
      await answer({}),
      await answer({ aud: undefined }),
      await answer({ aud: 'x' }),
      await answer({ iss: 'https://issuer.example.com' }),
      await answer({}, {}, await unreachable()),
    ];
    expect(told).toHaveLength(answers.length);
    expect(answers.map((one, index) => one.includes(told[index] ?? '-'))).toEqual(
      answers.map(() => true),
    );
  });

  /** An STS for which the issuer is away. */
  async function unreachable(): Promise<StsHarness> {
    sts.issuer.answerWith({ status: 503, body: '' });
    await sts.clock.advance(61_000);
    return sts;
  }

  it('is that its three pins let in one client through one endpoint', async () => {
    sts.issuer.answerWith(undefined);
    const [json = ''] = codeBlocks(page, 'json');
    const pool = 'cognito-idp.us-east-1.amazonaws.com/us-east-1_AbCdEf123';
    const pins = (of: StsHarness) => ({
      Condition: JSON.parse(`{${json.replaceAll(pool, of.providerName)}}`),
    });
    const own = { sub: clientId };
    expect(await answer(own, pins(sts))).toBe('credentials');
    expect(await answer({ sub: 'another' }, pins(sts))).toMatch(/^AccessDenied/);
    const direct = await startStsHarness();
    expect(await answer(own, pins(direct), direct)).toMatch(/^AccessDenied/);
    await direct.stop();
  });

  it.each(['client_id', 'scope', 'cognito:groups', 'cognito-identity.amazonaws.com:aud'])(
    'is that a condition on %s never matches a token of a user pool',
    async (name) => {
      expect(page).toContain(`\`${name}\``);
      const key = name.includes('.com:') ? name : `${sts.providerName}:${name}`;
      const Condition = { StringEquals: { [key]: 'x' } };
      expect(await answer({ [name]: 'x', aud: clientId }, { Condition })).toMatch(/^AccessDenied/);
    },
  );

  it('is that it does not look at token_use', async () => {
    expect(await answer({ token_use: 'id' })).toBe('credentials');
    expect(await answer({ token_use: 'access' })).toBe('credentials');
  });

  it('is that tags and a source identity in a token need permissions in every role', async () => {
    const tags = { 'https://aws.amazon.com/tags': { principal_tags: { team: ['a'] } } };
    const source = { 'https://aws.amazon.com/source_identity': 'ada' };
    for (const claims of [tags, source]) {
      expect(await answer(claims)).toMatch(/^AccessDenied/);
      expect(await answer(claims, { Action: 'sts:*' })).toBe('credentials');
    }
  });

  it('is that a provider takes 100 client ids', () => {
    const clientIds = Array.from({ length: 101 }, (_, n) => `c${n}`);
    const { url, jwksUri } = sts.issuer;
    const put = (ids: readonly string[]) =>
      sts.sts.putProvider({ accountId: '999999999999', issuer: url, jwksUri, clientIds: ids });
    expect(() => put(clientIds)).toThrow('100');
    put(clientIds.slice(1));
  });
});

/** What UpdateUserPool takes, by its API reference. */
const takenByUpdate = [
  'UserPoolId',
  'PoolName',
  'Policies',
  'DeletionProtection',
  'LambdaConfig',
  'AutoVerifiedAttributes',
  'SmsVerificationMessage',
  'EmailVerificationMessage',
  'EmailVerificationSubject',
  'VerificationMessageTemplate',
  'SmsAuthenticationMessage',
  'UserAttributeUpdateSettings',
  'MfaConfiguration',
  'DeviceConfiguration',
  'EmailConfiguration',
  'SmsConfiguration',
  'UserPoolTags',
  'AdminCreateUserConfig',
  'UserPoolAddOns',
  'AccountRecoverySetting',
  'UserPoolTier',
];

/** As DescribeUserPool answers, by its API reference: every member of UserPoolType. */
const describedPool = {
  Id: 'us-east-1_AbCdEf123',
  Name: 'services',
  Policies: {
    PasswordPolicy: { MinimumLength: 12 },
    SignInPolicy: { AllowedFirstAuthFactors: ['PASSWORD'] },
  },
  DeletionProtection: 'ACTIVE',
  LambdaConfig: {
    PostConfirmation: 'arn:aws:lambda:us-east-1:1:function:old',
    PreTokenGeneration: 'arn:aws:lambda:us-east-1:1:function:older',
  },
  LastModifiedDate: '2026-01-01T00:00:00Z',
  CreationDate: '2026-01-01T00:00:00Z',
  SchemaAttributes: [{ Name: 'sub' }],
  AutoVerifiedAttributes: ['email'],
  AliasAttributes: ['email'],
  UsernameAttributes: ['email'],
  VerificationMessageTemplate: { DefaultEmailOption: 'CONFIRM_WITH_CODE' },
  UserAttributeUpdateSettings: { AttributesRequireVerificationBeforeUpdate: [] },
  MfaConfiguration: 'OPTIONAL',
  DeviceConfiguration: { ChallengeRequiredOnNewDevice: true },
  EstimatedNumberOfUsers: 7,
  EmailConfiguration: { EmailSendingAccount: 'COGNITO_DEFAULT' },
  SmsConfiguration: { SnsCallerArn: 'arn:aws:iam::1:role/sms' },
  UserPoolTags: { team: 'platform' },
  SmsConfigurationFailure: 'x',
  EmailConfigurationFailure: 'x',
  Domain: 'services',
  CustomDomain: 'sign-in.example.com',
  AdminCreateUserConfig: { AllowAdminCreateUserOnly: true, UnusedAccountValidityDays: 7 },
  UserPoolAddOns: { AdvancedSecurityMode: 'AUDIT' },
  UsernameConfiguration: { CaseSensitive: false },
  Arn: 'arn:aws:cognito-idp:us-east-1:1:userpool/us-east-1_AbCdEf123',
  AccountRecoverySetting: { RecoveryMechanisms: [{ Priority: 1, Name: 'verified_email' }] },
  UserPoolTier: 'ESSENTIALS',
};
