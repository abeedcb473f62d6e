import { Sha256 } from '@aws-crypto/sha256-js';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SignatureV4 } from '@smithy/signature-v4';
import { IssuedKeys } from '../../emulators/sts/issued-keys.ts';
import { accountId, failureOf, type StsHarness, startStsHarness } from '../support/sts-harness.ts';

let sts: StsHarness;
beforeAll(async () => {
  sts = await startStsHarness();
});
afterAll(() => sts.stop());

interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

async function issuedKeys(RoleSessionName = 'orders-service'): Promise<Keys> {
  const { Credentials } = await sts.exchange({ RoleSessionName, DurationSeconds: 900 });
  const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '' } = Credentials ?? {};
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
  };
}

async function whoIs(credentials: Keys, region = 'us-east-1') {
  const systemClockOffset = sts.clock.now() - Date.now();
  const options = { endpoint: sts.sts.url, region, maxAttempts: 1, systemClockOffset };
  const client = new STSClient({ ...options, credentials });
  try {
    return await client.send(new GetCallerIdentityCommand({}));
  } finally {
    client.destroy();
  }
}

const invalidToken = {
  name: 'InvalidClientTokenId',
  code: 'InvalidClientTokenId',
  status: 403,
  message: 'The security token included in the request is invalid.',
};
const mismatch = {
  name: 'SignatureDoesNotMatch',
  code: 'SignatureDoesNotMatch',
  status: 403,
  message:
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
};

describe('issued keys', () => {
  it('prove the session they were issued for, in any region', async () => {
    const { Arn, UserId, Account } = await whoIs(
      await issuedKeys('alice@example.com'),
      'eu-west-1',
    );
    expect(Arn).toBe(`arn:aws:sts::${accountId}:assumed-role/orders-writer/alice@example.com`);
    expect(UserId).toMatch(/^AROA[A-Z2-7]{17}:alice@example.com$/);
    expect(Account).toBe(accountId);
    expect(sts.sts.requests.at(-1)).toEqual({ action: 'GetCallerIdentity', code: 'ok' });
  });

  it('prove nothing with another secret', async () => {
    const keys = { ...(await issuedKeys()), secretAccessKey: (await issuedKeys()).secretAccessKey };
    expect(await failureOf(whoIs(keys))).toEqual(mismatch);
  });

  it('prove nothing with the session token of other keys', async () => {
    const keys = { ...(await issuedKeys()), sessionToken: (await issuedKeys()).sessionToken };
    expect(await failureOf(whoIs(keys))).toEqual(invalidToken);
  });

  it('prove nothing without their session token', async () => {
    const keys = { ...(await issuedKeys()), sessionToken: '' };
    expect(await failureOf(whoIs(keys))).toEqual(invalidToken);
  });

  it('prove nothing once they have expired', async () => {
    const keys = await issuedKeys();
    await sts.clock.advance(899_000);
    await whoIs(keys);
    await sts.clock.advance(1_000);
    expect(await failureOf(whoIs(keys))).toEqual({
      name: 'ExpiredToken',
      code: 'ExpiredToken',
      status: 403,
      message: 'The security token included in the request is expired',
    });
  });

  it('are forgotten, oldest first, when there are too many', () => {
    const store = new IssuedKeys({ maxKeys: 2 });
    const session = {
      accountId,
      assumedRoleArn: '',
      assumedRoleId: '',
      expiresAt: 0,
      minimumSessionTokenSize: 0,
    };
    const [first, second, third] = [1, 2, 3].map(() => store.issue(session).accessKeyId);
    expect(store.find(first ?? '')).toBeUndefined();
    expect(store.find(second ?? '')).toBeDefined();
    expect(store.find(third ?? '')).toBeDefined();
  });
});

it('keys of somebody else prove nothing', async () => {
  const keys = { ...(await issuedKeys()), accessKeyId: 'AKIAIOSFODNN7EXAMPLE' };
  expect(await failureOf(whoIs(keys))).toEqual(invalidToken);
});

describe('a signature', () => {
  it.each([
    ['five minutes old', -300_000, undefined],
    ['five minutes ahead', 300_000, undefined],
    ['older than five minutes', -301_000, 'Signature expired'],
    ['more than five minutes ahead', 301_000, 'Signature not yet current'],
  ])('that is %s', async (_case, offsetMs, refusal) => {
    const { status, text } = await send(await signed({ at: sts.clock.now() + offsetMs }));
    if (refusal === undefined) {
      expect(status).toBe(200);
      return;
    }
    expect(status).toBe(403);
    expect(text).toContain('<Code>SignatureDoesNotMatch</Code>');
    expect(text).toMatch(
      new RegExp(`<Message>${refusal}: \\d{8}T\\d{6}Z is .* than \\d{8}T\\d{6}Z \\(\\d{8}T\\d{6}Z`),
    );
  });

  it('covers the body and the value of every signed header', async () => {
    const request = await signed();
    const headers = { ...request.headers, 'x-amz-meta': 'tampered' };
    for (const tampered of [
      { ...request, body: `${request.body}&x=y` },
      { ...request, headers },
    ]) {
      const { status, text } = await send(tampered);
      expect([status, text]).toEqual([
        403,
        expect.stringContaining('<Code>SignatureDoesNotMatch</Code>'),
      ]);
    }
  });

  it('must cover every x-amz header', async () => {
    const request = await signed();
    const headers = { ...request.headers, 'x-amz-user-agent': 'added on the way' };
    const { status, text } = await send({ ...request, headers });
    expect(status).toBe(403);
    expect(text).toContain('must be a &apos;SignedHeader&apos;');
  });

  it.each<[string, (authorization: string) => string, number, string]>([
    ['for another service', (a) => a.replace('/sts/', '/s3/'), 403, 'SignatureDoesNotMatch'],
    [
      'with another terminator',
      (a) => a.replace('aws4_request', 'aws5'),
      403,
      'SignatureDoesNotMatch',
    ],
    [
      'with another date',
      (a) => a.replace(/\/\d{8}\//, '/20200101/'),
      403,
      'SignatureDoesNotMatch',
    ],
    [
      'for another region',
      (a) => a.replace('us-east-1', 'eu-west-1'),
      403,
      'SignatureDoesNotMatch',
    ],
    ['that is cut off', (a) => a.slice(0, -1), 403, 'SignatureDoesNotMatch'],
    ['without SignedHeaders', (a) => a.replace('SignedHeaders', 'x'), 400, 'IncompleteSignature'],
    ['without Signature', (a) => a.replace('Signature=', 'x='), 400, 'IncompleteSignature'],
    ['with a credential of four parts', (a) => a.replace('/sts', ''), 400, 'IncompleteSignature'],
    ['of another algorithm', () => 'Bearer token', 400, 'IncompleteSignature'],
  ])('%s is refused', async (_case, change, expectedStatus, code) => {
    const request = await signed();
    const authorization = change(String(request.headers['authorization']));
    const { status, text } = await send({
      ...request,
      headers: { ...request.headers, authorization },
    });
    expect(status).toBe(expectedStatus);
    expect(text).toContain(`<Code>${code}</Code>`);
  });

  it('without a date is refused', async () => {
    const { 'x-amz-date': _date, ...headers } = (await signed()).headers;
    const { status, text } = await send({ body, headers });
    expect(status).toBe(400);
    expect(text).toContain('<Code>IncompleteSignature</Code>');
  });

  it('is not optional', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const { status, text } = await send({ body, headers });
    expect(status).toBe(403);
    expect(text).toContain('<Code>MissingAuthenticationToken</Code>');
    expect(text).toContain('<Message>Request is missing Authentication Token</Message>');
  });
});

const body = 'Action=GetCallerIdentity&Version=2011-06-15';

interface Signed {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A request signed by AWS's own signer, to be spoilt before it is sent. */
async function signed({ at = sts.clock.now() } = {}): Promise<Signed> {
  const { hostname, port, host } = new URL(sts.sts.url);
  const signer = new SignatureV4({
    credentials: await issuedKeys(),
    region: 'us-east-1',
    service: 'sts',
    sha256: Sha256,
  });
  const { headers } = await signer.sign(
    {
      method: 'POST',
      protocol: 'http:',
      hostname,
      port: Number(port),
      path: '/',
      headers: {
        host,
        'content-type': 'application/x-www-form-urlencoded',
        'x-amz-meta': 'spaces  are   folded',
      },
      body,
    },
    { signingDate: new Date(at) },
  );
  return { body, headers };
}

async function send({ body, headers }: Signed): Promise<{ status: number; text: string }> {
  const { host: _host, ...rest } = headers;
  const response = await fetch(sts.sts.url, { method: 'POST', body, headers: rest });
  return { status: response.status, text: await response.text() };
}
