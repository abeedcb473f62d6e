/** AssumeRoleWithWebIdentity: what SDKs send, and what they get. */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { IssuerUser } from '../../../emulators/issuer/issuer-claims.ts';
import { type BrokerFixture, startBrokerFixture } from '../../support/broker-fixture.ts';
import {
  account,
  allow,
  clients,
  defaultMappings,
  pool,
  roleNamed,
} from '../../support/outside-world.ts';
import { assume, callSts, formOf, webIdentity } from '../../support/sts-call.ts';

const users: readonly IssuerUser[] = ['ada', 'bob'].map((username, index) => ({
  username,
  sub: `7d8e2a5c-1111-4222-8333-00000000000${index}`,
  groups: ['builders'],
}));

let broker: BrokerFixture;
beforeAll(async () => {
  broker = await startBrokerFixture({
    users,
    mappings: [
      ...defaultMappings,
      allow('named', 'orders', { session: { name: '{requested}@{client}' } }),
      allow('narrowed', 'orders', { session: { callerPolicy: true } }),
      { ...allow('builder', 'orders'), principal: { pool, group: 'builders' } },
    ],
  });
});
afterAll(() => broker.stop());

describe('AssumeRoleWithWebIdentity answers', () => {
  it('as STS does', async () => {
    const { status, headers, text, requestId } = await assume(broker, 'orders');

    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/xml');
    expect(headers['x-amzn-requestid']).toBe(requestId);
    const { clientId } = clients.orders;
    const provider = `${account}:oidc-provider/${broker.issuer.url.replace('http://', '')}`;
    const pattern = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <SubjectFromWebIdentityToken>${clientId}</SubjectFromWebIdentityToken>
    <Audience>${clientId}</Audience>
    <AssumedRoleUser>
      <Arn>arn:aws:sts::${account}:assumed-role/orders-writer/${clientId}</Arn>
      <AssumedRoleId>AROA\\w{17}:${clientId}</AssumedRoleId>
    </AssumedRoleUser>
    <Credentials>
      <AccessKeyId>ASIA\\w{16}</AccessKeyId>
      <SecretAccessKey>[\\w/+]{40}</SecretAccessKey>
      <SessionToken>[\\w/+=]{100,}</SessionToken>
      <Expiration>\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ</Expiration>
    </Credentials>
    <Provider>arn:aws:iam::${provider}</Provider>
    <PackedPolicySize>\\d+</PackedPolicySize>
  </AssumeRoleWithWebIdentityResult>
  <ResponseMetadata>
    <RequestId>${requestId}</RequestId>
  </ResponseMetadata>
</AssumeRoleWithWebIdentityResponse>
`;
    expect(text).toMatch(new RegExp(`^${pattern}$`));
  });

  it.each([
    ['/sts', {}],
    ['/sts/', {}],
    ['/', {}],
    ['/sts', { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }],
    ['/sts', { 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' }],
    ['/sts', { 'content-type': 'application/x-www-form-urlencoded ; charset=utf8; ' }],
    ['/sts', { 'content-encoding': 'identity' }],
    [
      '/sts',
      {
        'user-agent':
          'aws-sdk-js/3.998.2 ua/2.1 os/linux#6.1 lang/js md/nodejs#20.20.2 api/sts#3.998.2',
        'amz-sdk-invocation-id': '0e6f3e1a-5d0b-4c4f-8f1c-6d3f1d1c9f52',
        'amz-sdk-request': 'attempt=1; max=3',
        'accept-encoding': 'identity',
        'x-amzn-trace-id': 'Root=1-67891233-abcdef012345678912345678',
      },
    ],
  ])('at %s with %j', async (path, headers) => {
    expect((await assume(broker, 'orders', {}, { path, headers })).status).toBe(200);
  });

  it('whatever the order of the parameters', async () => {
    const parameters = Object.entries(webIdentity(broker.token('orders'))).reverse();
    expect((await callSts(broker, formOf(Object.fromEntries(parameters)))).status).toBe(200);
  });

  it.each(['\n', '\r\n', '\n\n'])('a token with %j behind it', async (end) => {
    const { status } = await callSts(broker, formOf(webIdentity(broker.token('orders') + end)));
    expect(status).toBe(200);
  });

  it('with the role of a mapping that is named by its id', async () => {
    const { xml } = await assume(broker, 'reports', { RoleArn: 'reports-publisher' });
    expect(xml.AssumeRoleWithWebIdentityResult.AssumedRoleUser.Arn).toMatch(
      /assumed-role\/reports-publisher\//,
    );
  });

  it('with a session of the seconds asked for', async () => {
    const role = { RoleArn: roleNamed('reports-publisher') };
    expect((await assume(broker, 'reports', { ...role, DurationSeconds: '5040' })).status).toBe(
      200,
    );
    expect(broker.sts.requests.at(-1)?.durationSeconds).toBe(5040);
  });

  it('from the cache, under a new request id, with what POST /v1/credentials gives', async () => {
    const first = await assume(broker, 'orders');
    const calls = broker.sts.requests.length;
    const second = await assume(broker, 'orders');
    const { body } = await broker.issue('orders', { role: 'orders-writer' });

    expect(broker.sts.requests).toHaveLength(calls);
    const result = second.xml.AssumeRoleWithWebIdentityResult;
    expect(result).toEqual(first.xml.AssumeRoleWithWebIdentityResult);
    expect(result.Credentials).toEqual({
      AccessKeyId: body.credentials.accessKeyId,
      SecretAccessKey: body.credentials.secretAccessKey,
      SessionToken: body.credentials.sessionToken,
      Expiration: body.credentials.expiration,
    });
    expect(second.xml.ResponseMetadata.RequestId).toBe(second.requestId);
    expect(second.requestId).not.toBe(first.requestId);
  });

  it('with every character that XML gives a meaning written as text', async () => {
    const provider = `a<b>&"c'd]]>`;
    broker.sts.setFault({ kind: 'answer', times: 1, rewrite: (it) => ({ ...it, provider }) });
    const { text, xml } = await assume(broker, 'orders', { DurationSeconds: '960' });
    expect(text).toContain('<Provider>a&lt;b&gt;&amp;&quot;c&apos;d]]&gt;</Provider>');
    expect(xml.AssumeRoleWithWebIdentityResult.Provider).toBe(provider);
  });
});

describe('a session name', () => {
  const nameOf = async (RoleSessionName: string) => {
    const { xml } = await assume(broker, 'orders', { RoleArn: 'named', RoleSessionName });
    return xml.AssumeRoleWithWebIdentityResult.AssumedRoleUser.Arn.split('/').at(-1);
  };

  it.each([
    ['JavaScript', 'aws-sdk-js-session-1795353980123'],
    ['JavaScript, by a profile', 'aws-sdk-js-1795353980123'],
    ['botocore', 'botocore-session-1795353980'],
    ['Java', 'aws-sdk-java-1795353980123'],
    ['Kotlin', 'aws-sdk-kotlin-1795353980123'],
    ['PHP', 'aws-sdk-php-1795353980123'],
    ['Rust', 'web-identity-token-1795353980123'],
    ['Rust, by a profile', 'web-identity-token-profile-1795353980123'],
    ['Go', '1795353980123456789'],
    ['Go, by a profile', 'aws-go-sdk-1795353980123456789'],
    ['.NET and C++', '0e6f3e1a-5d0b-4c4f-8f1c-6d3f1d1c9f52'],
    ['.NET, by a profile', 'aws-dotnet-sdk-session-639229507801234567'],
    ['Ruby', Buffer.from('0e6f3e1a-5d0b-4c4f-8f1c-6d3f1d1c9f52').toString('base64')],
  ])('that the SDK for %s made up counts as none', async (_sdk, made) => {
    expect(await nameOf(made)).toBe(`named@${clients.orders.clientId}`);
    expect(broker.auditRecords().at(-1)?.['request']).toEqual({ role: 'named' });
  });

  it.each([
    'orders-service',
    'aws-sdk-js-session-of-mine',
    'botocore-session-',
    '123456789012',
    'x-0e6f3e1a-5d0b-4c4f',
  ])('that somebody chose, %s, is the one that the account sees', async (chosen) => {
    expect(await nameOf(chosen)).toBe(`${chosen}@${clients.orders.clientId}`);
  });
});

describe('a session policy', () => {
  const Policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::invoices/*' }],
  });
  const arns = Array.from({ length: 10 }, (_, index) => `arn:aws:iam::aws:policy/Policy${index}`);
  const PolicyArns = Object.fromEntries(
    arns.map((arn, index) => [`PolicyArns.member.${index + 1}.arn`, arn]),
  );

  it('of the caller arrives at STS, where the mapping takes one', async () => {
    const { status } = await assume(broker, 'orders', {
      RoleArn: 'narrowed',
      Policy,
      ...PolicyArns,
    });
    expect(status).toBe(200);
    const { policy, policyArns } = broker.sts.requests.at(-1) ?? {};
    expect([policy, policyArns]).toEqual([Policy, arns]);
  });

  it.each<[string, Record<string, string>, string]>([
    ['where the mapping takes none', { RoleArn: 'orders-writer', Policy }, '403 AccessDenied'],
    [
      'by ARN where the mapping takes none',
      { RoleArn: 'orders-writer', 'PolicyArns.member.1.arn': arns[0] as string },
      '403 AccessDenied',
    ],
    ['that is not JSON', { Policy: 'CANARY' }, '400 MalformedPolicyDocument'],
    [
      'with an ARN that is none',
      { 'PolicyArns.member.1.arn': 'CANARY-CANARY-CANARY-CANARY' },
      '400 MalformedPolicyDocument',
    ],
    [
      'with an eleventh ARN',
      { ...PolicyArns, 'PolicyArns.member.11.arn': arns[0] as string },
      '400 MalformedPolicyDocument',
    ],
    ['that is too long', { Policy: `"${'a'.repeat(9000)}"` }, '400 MalformedPolicyDocument'],
  ])('%s is refused', async (_what, parameters, expected) => {
    const calls = broker.sts.requests.length;
    const { said, text } = await assume(broker, 'orders', { RoleArn: 'narrowed', ...parameters });
    expect(said).toBe(expected);
    expect(text).not.toContain('CANARY');
    expect(broker.sts.requests).toHaveLength(calls);
  });

  it.each([
    ['MalformedPolicyDocument', '400 MalformedPolicyDocument'],
    ['PackedPolicyTooLarge', '400 PackedPolicyTooLarge'],
  ])('that STS refuses with %s is refused with the same', async (code, expected) => {
    broker.sts.setFault({ kind: 'error', status: 400, code, message: 'CANARY', times: 1 });
    const parameters = { RoleArn: 'narrowed', Policy, DurationSeconds: '1020' };
    const { said, text } = await assume(broker, 'orders', parameters);
    expect(said).toBe(expected);
    expect(text).not.toContain('CANARY');
  });
});

describe('the credentials of one caller', () => {
  it('never go to another, whatever that one asks for', async () => {
    const as = (username: string, parameters: Record<string, string> = {}) => {
      const token = broker.token('orders', { user: username });
      return callSts(broker, formOf(webIdentity(token, { RoleArn: 'builder', ...parameters })));
    };
    const ada = await as('ada');
    const { AssumedRoleUser, Credentials } = ada.xml.AssumeRoleWithWebIdentityResult;
    const [sub] = users.map((user) => user.sub);
    for (const asked of [{}, { RoleSessionName: sub ?? '' }, { DurationSeconds: '3600' }]) {
      const { xml } = await as('bob', asked);
      const result = xml.AssumeRoleWithWebIdentityResult;
      expect(result.SubjectFromWebIdentityToken).toBe(users[1]?.sub);
      expect(result.AssumedRoleUser).not.toEqual(AssumedRoleUser);
      for (const [name, value] of Object.entries(result.Credentials)) {
        if (name !== 'Expiration') expect(value).not.toBe(Credentials[name]);
      }
    }
    expect((await as('ada')).xml.AssumeRoleWithWebIdentityResult).toEqual(
      ada.xml.AssumeRoleWithWebIdentityResult,
    );
  });
});

describe('what is recorded and counted', () => {
  it('is each exchange, under the route /sts whatever the slash', async () => {
    const before = await broker.metrics();
    const issued = await assume(broker, 'orders', {}, { path: '/sts/' });
    const denied = await assume(broker, 'stranger');
    const unread = await callSts(broker, 'Action=AssumeRoleWithWebIdentity&Action=x');
    const after = await broker.metrics();

    expect(broker.auditRecordOf(issued)).toMatchObject({
      route: '/sts',
      outcome: 'issued',
      mapping: { id: 'orders-writer' },
      credentials: {
        accessKeyId: issued.xml.AssumeRoleWithWebIdentityResult.Credentials.AccessKeyId,
      },
    });
    expect(broker.auditRecordOf(denied)).toMatchObject({
      route: '/sts',
      outcome: 'denied',
      code: 'access_denied',
      reason: 'no_mapping',
      token: { clientId: clients.stranger.clientId },
    });
    expect(broker.auditRecordOf(unread)).toMatchObject({
      route: '/sts',
      outcome: 'denied',
      code: 'body_malformed',
    });
    const grown = (series: string) => (after.get(series) ?? 0) - (before.get(series) ?? 0);
    const requests = 'tokenbroker_credential_requests_total';
    expect(grown(`${requests}{route="/sts",outcome="issued"}`)).toBe(1);
    expect(grown(`${requests}{route="/sts",outcome="denied"}`)).toBe(2);
    const seconds = 'tokenbroker_http_request_duration_seconds_count';
    expect(grown(`${seconds}{route="/sts",status_class="2xx"}`)).toBe(1);
    expect(grown(`${seconds}{route="/sts",status_class="4xx"}`)).toBe(2);
  });
});
