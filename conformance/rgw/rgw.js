/** Ceph RGW as the judge: its own STS checks the broker's tokens, and its own S3 what a session may do. */

import assert from 'node:assert/strict';
import { Sha256 } from '@aws-crypto/sha256-js';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { SignatureV4 } from '@smithy/signature-v4';
import { versionOf } from '../commands.js';
import { cephTools } from './ceph.js';
import { account, clients, rolePath } from './mappings.js';
import { exchange } from './shim.js';

const region = 'us-east-1';
const bucket = 'invoices';
const requestMs = 20_000;
const audience = 'sts.amazonaws.com';
const owner = { accessKeyId: 'CONFORMANCE0OWNER', secretAccessKey: 'conformance' };

export const rgw = {
  name: 'rgw',
  tools: [...cephTools, { name: 'openssl', command: 'openssl', args: ['version'] }],
  async run({ stack, say }) {
    say('registering the issuer, roles and objects');
    await prepare(stack);
    say('getting sessions, and using them');
    let asked = 0;
    for (const { name, allowed, denied } of judgements()) {
      const s3 = client(stack, await sessionOf(stack, name));
      for (const [what, command] of allowed) {
        await s3.send(command).catch((error) => {
          assert.fail(`${name} may ${what}, and RGW says ${error.name}`);
        });
      }
      for (const [what, command] of denied) {
        const answer = await s3.send(command).then(
          () => 'a success',
          (error) => error.name,
        );
        assert.equal(answer, 'AccessDenied', `${name} may not ${what}`);
      }
      asked += allowed.length + denied.length;
      s3.destroy();
    }
    say('showing RGW what it must refuse');
    await refusals(stack);
    return `${versionOf('radosgw', ['--version']).split(' (')[0]}: ${asked} questions of S3, as the session policies say`;
  },
};

/** The registered issuer, a role for each client, and something to read. */
async function prepare({ ceph, identity }) {
  const provider = identity.url.replace('http://', '');
  await ceph.admin(
    ...['user', 'create', '--tenant', account, '--uid', 'owner', '--display-name', 'owner'],
    ...['--access-key', owner.accessKeyId, '--secret-key', owner.secretAccessKey],
    ...['--caps', 'oidc-provider=*'],
  );
  await iam(ceph.url, {
    Action: 'CreateOpenIDConnectProvider',
    Url: identity.url,
    'ClientIDList.member.1': audience,
    'ThumbprintList.member.1': identity.thumbprint,
  });
  for (const { name } of clients) {
    const role = ['--tenant', account, '--role-name', name];
    const trusted = name === 'elsewhere' ? 'another.audience' : audience;
    const trust = statement({
      Principal: { Federated: [`arn:aws:iam::${account}:oidc-provider/${provider}`] },
      Action: ['sts:AssumeRoleWithWebIdentity'],
      Condition: { StringEquals: { [`${provider}:aud`]: trusted } },
    });
    const all = statement({ Action: ['s3:*'], Resource: ['arn:aws:s3:::*'] });
    const create = ['--path', rolePath, '--assume-role-policy-doc', trust];
    await ceph.admin('role', 'create', ...role, ...create);
    const policy = ['--policy-name', 'all', '--policy-doc', all];
    await ceph.admin('role-policy', 'put', ...role, ...policy).catch((error) => {
      // It says "Permission policy attached successfully" instead of JSON.
      if (!(error instanceof SyntaxError)) throw error;
    });
  }
  const s3 = client({ ceph }, owner);
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  for (const { clientId } of clients) await s3.send(put(`${clientId}/1`));
  s3.destroy();
}

function judgements() {
  const idOf = (name) => clients.find((one) => one.name === name).clientId;
  const own = `${idOf('reader')}/1`;
  const others = `${idOf('writer')}/1`;
  return [
    {
      name: 'reader',
      allowed: [['read its own', get(own)]],
      denied: [
        ["read another's", get(others)],
        ['write its own', put(own)],
        ['delete its own', remove(own)],
        ['list', list()],
      ],
    },
    {
      name: 'writer',
      allowed: [['write below new/', put('new/1')]],
      denied: [
        ['read below new/', get('new/1')],
        ['write elsewhere', put(others)],
        ['list', list()],
      ],
    },
    {
      name: 'keeper',
      allowed: [
        ['write', put('kept/1')],
        ['read', get('kept/1')],
      ],
      denied: [['delete', remove('kept/1')]],
    },
    {
      // Without a session policy it is the role that counts: so the denials above are those of the session.
      name: 'whole',
      allowed: [
        ['write', put(own)],
        ['read', get(own)],
        ['list', list()],
        ['delete', remove('kept/1')],
      ],
      denied: [],
    },
  ];
}

async function refusals(stack) {
  const elsewhere = await ask(stack, 'elsewhere');
  assert.equal(elsewhere.status, 403, 'a role that trusts another audience');
  assert.equal(elsewhere.body.code, 'sts_access_denied');

  await sessionOf(stack, 'writer', 1800);
  const form = new URLSearchParams(stack.shim.lastForm());
  const shown = async (token) => {
    form.set('WebIdentityToken', token);
    return exchange(stack.ceph.url, form.toString());
  };
  const good = form.get('WebIdentityToken');
  assert.equal((await shown(good)).status, 200, 'the token of the broker once more');
  const [head, claims, signature] = good.split('.');
  const wider = { ...JSON.parse(Buffer.from(claims, 'base64url')), sub: 'somebody-else' };
  const forged = Buffer.from(JSON.stringify(wider)).toString('base64url');
  for (const [what, token] of [
    ['another subject under the same signature', [head, forged, signature].join('.')],
    ['no signature', `${head}.${claims}.`],
    ["a caller's own token", stack.token('writer')],
  ]) {
    const { status, body } = await shown(token);
    assert.ok(status >= 400, `${what} was taken: ${status}`);
    assert.match(body, /<Error>/, what);
  }
}

async function sessionOf(stack, name, durationSeconds = 900) {
  const { status, body } = await ask(stack, name, durationSeconds);
  assert.equal(status, 200, `${name}: ${JSON.stringify(body)}`);
  const { accessKeyId, secretAccessKey, sessionToken } = body.credentials;
  return { accessKeyId, secretAccessKey, sessionToken };
}

async function ask({ urls, token }, name, durationSeconds = 900) {
  const response = await fetch(`${urls.api}/v1/credentials`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token(name)}`, 'content-type': 'application/json' },
    body: JSON.stringify({ durationSeconds }),
    signal: AbortSignal.timeout(2 * requestMs),
  });
  return { status: response.status, body: await response.json() };
}

function client({ ceph }, credentials) {
  return new S3Client({
    region,
    endpoint: ceph.url,
    forcePathStyle: true,
    credentials,
    maxAttempts: 1,
    requestHandler: { requestTimeout: requestMs, throwOnRequestTimeout: true },
    // RGW of that age knows no other checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
}

const get = (Key) => new GetObjectCommand({ Bucket: bucket, Key });
const put = (Key) => new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' });
const remove = (Key) => new DeleteObjectCommand({ Bucket: bucket, Key });
const list = () => new ListObjectsV2Command({ Bucket: bucket });

function statement(members) {
  const Statement = [{ Effect: 'Allow', ...members }];
  return JSON.stringify({ Version: '2012-10-17', Statement });
}

/** One call of IAM by the owner. */
async function iam(url, parameters) {
  const { hostname, port } = new URL(url);
  const body = new URLSearchParams({ ...parameters, Version: '2010-05-08' }).toString();
  const headers = {
    host: `${hostname}:${port}`,
    'content-type': 'application/x-www-form-urlencoded',
  };
  const signer = new SignatureV4({ service: 's3', region, credentials: owner, sha256: Sha256 });
  const signed = await signer.sign({
    method: 'POST',
    path: '/',
    hostname,
    protocol: 'http:',
    headers,
    body,
  });
  const response = await fetch(url, {
    method: 'POST',
    headers: signed.headers,
    body,
    signal: AbortSignal.timeout(requestMs),
  });
  const text = await response.text();
  assert.ok(response.ok, `${parameters.Action}: ${response.status} ${text}`);
}
