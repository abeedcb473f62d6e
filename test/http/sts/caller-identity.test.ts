/** GetCallerIdentity: for keys that came from this broker, and for no others. */

import { Sha256 } from '@aws-crypto/sha256-js';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SignatureV4 } from '@smithy/signature-v4';
import { toRfc3339 } from '../../../src/kit/timing/clock.ts';
import { type BrokerFixture, startBrokerFixture } from '../../support/broker-fixture.ts';
import { allow, clients } from '../../support/outside-world.ts';
import { sendRaw } from '../../support/raw-http.ts';
import { assume, callSts, formType, readAnswer } from '../../support/sts-call.ts';
import { createTestClock, type TestClock } from '../../support/test-clock.ts';

interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

/** Rarely, because tests move the clock far. */
const pollSeconds = 5;

let clock: TestClock;
let broker: BrokerFixture;
let keys: Keys;
let others: Keys;
beforeAll(async () => {
  clock = createTestClock();
  broker = await startBrokerFixture({
    clock,
    configure: (config) => ({ ...config, policy: { ...config.policy, pollSeconds } }),
  });
  keys = await issuedKeys('orders');
  others = await issuedKeys('reports', { RoleArn: 'reports-reader' });
});
afterAll(() => broker.stop());

async function issuedKeys(...asked: [name: 'orders' | 'reports', wishes?: Record<string, string>]) {
  const { xml } = await assume(broker, ...asked);
  const { Credentials } = xml.AssumeRoleWithWebIdentityResult;
  return {
    accessKeyId: Credentials.AccessKeyId,
    secretAccessKey: Credentials.SecretAccessKey,
    sessionToken: Credentials.SessionToken,
  };
}

const body = 'Action=GetCallerIdentity&Version=2011-06-15';

interface Signing {
  readonly keys?: Keys;
  readonly at?: number;
  readonly path?: string;
  readonly service?: string;
  readonly region?: string;
  readonly form?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Headers of a request signed by AWS's own signer. */
async function signed(signing: Signing = {}): Promise<Record<string, string>> {
  const { path = '/sts', form = body, service = 'sts', region = 'us-east-1' } = signing;
  const { hostname, port, host } = new URL(broker.urls.api);
  const signer = new SignatureV4({
    credentials: signing.keys ?? keys,
    region,
    service,
    sha256: Sha256,
  });
  const { headers } = await signer.sign(
    {
      method: 'POST',
      protocol: 'http:',
      hostname,
      port: Number(port),
      path,
      headers: { host, 'content-type': formType, ...signing.headers },
      body: form,
    },
    { signingDate: new Date(signing.at ?? clock.now()) },
  );
  return headers;
}

async function ask(signing: Signing = {}) {
  const { path = '/sts', form = body } = signing;
  return callSts(broker, form, { path, headers: await signed(signing) });
}

const ask200 = async (signing: Signing) => {
  const { said, xml } = await ask(signing);
  expect(said).toBe('200');
  return xml.GetCallerIdentityResult;
};

describe('GetCallerIdentity answers', () => {
  it('as STS does, and writes no record', async () => {
    const records = broker.auditRecords().length;
    const { status, headers, text, requestId } = await ask();

    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/xml');
    const { clientId } = clients.orders;
    const pattern = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult>
    <Arn>arn:aws:sts::123456789012:assumed-role/orders-writer/${clientId}</Arn>
    <UserId>AROA\\w{17}:${clientId}</UserId>
    <Account>123456789012</Account>
  </GetCallerIdentityResult>
  <ResponseMetadata>
    <RequestId>${requestId}</RequestId>
  </ResponseMetadata>
</GetCallerIdentityResponse>
`;
    expect(text).toMatch(new RegExp(`^${pattern}$`));
    expect(broker.auditRecords()).toHaveLength(records);
  });

  it.each<[string, Signing]>([
    ['with a slash behind the path', { path: '/sts/' }],
    ['without the path, as the SDK for Java does', { path: '/' }],
    ['signed for another region', { region: 'eu-central-1' }],
    ['signed five minutes ago', { at: -300_000 }],
    ['signed five minutes ahead', { at: 300_000 }],
    ['with a header that has blanks in it', { headers: { 'x-amz-meta': 'a   b' } }],
  ])('%s', async (_how, { at = 0, ...signing }) => {
    await ask200({ ...signing, at: clock.now() + at });
  });

  it('each caller by its own keys', async () => {
    const { Arn } = await ask200({ keys: others });
    expect(Arn).toBe(
      `arn:aws:sts::123456789012:assumed-role/reports-reader/${clients.reports.clientId}`,
    );
  });

  it('what STS itself answers about the same keys', async () => {
    const { Arn, UserId, Account } = await ask200({});
    const aws = new STSClient({
      region: 'us-east-1',
      endpoint: broker.sts.url,
      credentials: keys,
      systemClockOffset: clock.now() - Date.now(),
    });
    const direct = await aws.send(new GetCallerIdentityCommand({}));
    aws.destroy();
    expect(direct).toMatchObject({ Arn, UserId, Account });
  });
});

const unknown = '403 InvalidClientTokenId';
const mismatch = '403 SignatureDoesNotMatch';
const incomplete = '400 IncompleteSignature';

describe('GetCallerIdentity refuses', () => {
  it.each<[string, (of: { keys: Keys; others: Keys }) => Partial<Keys>, string]>([
    ['keys of somebody else', () => ({ accessKeyId: 'ASIAIOSFODNN7EXAMPLE' }), unknown],
    ['a name that every object has', () => ({ accessKeyId: '__proto__' }), unknown],
    ['another secret', (of) => ({ secretAccessKey: of.others.secretAccessKey }), mismatch],
    [
      'the session token of other keys',
      (of) => ({ sessionToken: of.others.sessionToken }),
      unknown,
    ],
    ['no session token', () => ({ sessionToken: '' }), unknown],
    ['the access key id of other keys', (of) => ({ accessKeyId: of.others.accessKeyId }), unknown],
  ])('%s', async (_what, change, expected) => {
    const { said, text, xml } = await ask({ keys: { ...keys, ...change({ keys, others }) } });
    expect(said).toBe(expected);
    expect(xml.Error.Type).toBe('Sender');
    expect(text).not.toMatch(/assumed-role|ASIA/);
  });

  it('unknown keys in words that say how to reach AWS', async () => {
    const { xml } = await ask({ keys: { ...keys, accessKeyId: 'AKIAIOSFODNN7EXAMPLE' } });
    expect(xml.Error.Message).toContain('unset AWS_ENDPOINT_URL_STS');
    expect(xml.Error.Message).toContain('"services" section');
  });

  it.each<[string, Signing, string]>([
    ['more than five minutes old', { at: -301_000 }, mismatch],
    ['more than five minutes ahead', { at: 301_000 }, mismatch],
    ['for another service', { service: 's3' }, mismatch],
  ])('a signature %s', async (_what, { at = 0, ...signing }, expected) => {
    expect((await ask({ ...signing, at: clock.now() + at })).said).toBe(expected);
  });

  it.each<[string, (headers: Record<string, string>) => Record<string, string>, string]>([
    [
      'that is absent',
      ({ authorization: _gone, ...rest }) => rest,
      '403 MissingAuthenticationToken',
    ],
    ['of another scheme', (it) => ({ ...it, authorization: 'Bearer x' }), incomplete],
    ['without a date', ({ 'x-amz-date': _gone, ...rest }) => rest, incomplete],
    ['with an impossible date', (it) => ({ ...it, 'x-amz-date': '20269999T999999Z' }), mismatch],
    ['that leaves a header out', (it) => ({ ...it, 'x-amz-target': 'x' }), mismatch],
    ['of another host', (it) => ({ ...it, host: 'broker.example.com' }), mismatch],
    [
      'that signs no host',
      (it) => ({ ...it, authorization: String(it['authorization']).replace('host;', '') }),
      mismatch,
    ],
    [
      'that signs a member of every object',
      (it) => ({ ...it, authorization: withSignedHeader(it, 'constructor;__proto__') }),
      mismatch,
    ],
    [
      'cut off',
      (it) => ({ ...it, authorization: String(it['authorization']).slice(0, -1) }),
      mismatch,
    ],
  ])('a signature %s', async (_what, change, expected) => {
    const { said } = await callSts(broker, body, { headers: change(await signed()) });
    expect(said).toBe(expected);
  });

  it('a signature of the other spelling of the path, or of another form', async () => {
    const headers = await signed();
    expect((await callSts(broker, body, { headers, path: '/sts/' })).said).toBe(mismatch);
    const form = 'Version=2011-06-15&Action=GetCallerIdentity';
    expect((await callSts(broker, form, { headers })).said).toBe(mismatch);
  });

  it('headers that name a member of every object, without a fault of its own', async () => {
    const headers = Object.entries({ ...(await signed()), __proto__x: 'x' });
    const lines = [...headers, ['__proto__', 'x'], ['constructor', 'x']].map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    const bytes = `POST /sts HTTP/1.1\r\n${lines.join('')}content-length: ${body.length}\r\n\r\n${body}`;
    const { answers } = await sendRaw(broker.urls.api, bytes, { answers: 1 });
    expect(answers.map((answer) => readAnswer(answer).said)).toEqual(['200']);
  });

  it.each<[string, string, string]>([
    ['parameters', `${body}&RoleArn=x`, '400 ValidationError'],
    ['another version', 'Action=GetCallerIdentity&Version=2010-05-08', '400 InvalidAction'],
  ])('%s', async (_what, form, expected) => {
    expect((await ask({ form })).said).toBe(expected);
  });
});

function withSignedHeader(headers: Record<string, string>, names: string): string {
  return String(headers['authorization']).replace('SignedHeaders=', `SignedHeaders=${names};`);
}

describe('keys of a session', () => {
  it('that is over are refused as expired', async () => {
    const expiration = toRfc3339(clock.now() + 90_000);
    broker.sts.setFault({ kind: 'answer', times: 1, rewrite: (it) => ({ ...it, expiration }) });
    const short = await issuedKeys('orders', { DurationSeconds: '900' });
    await clock.advance(89_000);
    expect((await ask({ keys: short })).said).toBe('200');
    await clock.advance(1_000);
    expect((await ask({ keys: short })).said).toBe('403 ExpiredToken');
  });

  it('that was revoked are not known any more', async () => {
    const revoked = await issuedKeys('reports', { RoleArn: 'reports-publisher' });
    expect((await ask({ keys: revoked })).said).toBe('200');
    let written = false;
    const writing = broker
      .putMapping(allow('freeze-reports', 'reports', { effect: 'deny', role: '*' }))
      .finally(() => {
        written = true;
      });
    while (!written) await clock.advance(1_000);
    await writing;
    expect((await ask({ keys: revoked })).said).toBe(unknown);
  });
});
