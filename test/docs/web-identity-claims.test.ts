/** What docs/web-identity.md says of STS, of providers and of whoever has the host of the documents: against the local STS. */

import { createPublicKey } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { signJwt } from '../../emulators/issuer/jwt-signer.ts';
import { discoveryPath, keySetPath } from '../../src/web-identity/documents.ts';
import { type DocumentHost, startDocumentHost } from '../support/document-host.ts';
import {
  audience,
  type IssuingBroker,
  issuer,
  startIssuingBroker,
} from '../support/issuing-broker.ts';
import { readDocument } from '../support/markdown.ts';
import { account, allow, clients, roleNamed, signingKeys } from '../support/outside-world.ts';
import { readAnswer } from '../support/sts-call.ts';

const page = readDocument('web-identity.md');
const far = '999999999999';
const role = roleNamed('orders-writer');
const farRole = role.replace(account, far);
const folder = mkdtempSync(join(tmpdir(), 'token-broker-claims-'));
let broker: IssuingBroker;
let host: DocumentHost;
beforeAll(async () => {
  host = await startDocumentHost(folder);
  broker = await startIssuingBroker({
    mappings: [
      allow('orders-writer', 'orders'),
      allow('far-writer', 'reports', { role: farRole }),
      allow('legacy-reader', 'legacy'),
    ],
  });
}, 30_000);
afterAll(async () => {
  await broker.stop();
  await host.stop();
  rmSync(folder, { recursive: true, force: true });
});

const ownKeys = () => `${broker.urls.identity}/broker${keySetPath}`;
const trust = (jwksUri: string, accountId = account, name = issuer) =>
  broker.sts.putProvider({ accountId, issuer: name, jwksUri, clientIds: [audience] });
beforeEach(() => trust(ownKeys()));

let seconds = 900;
/** A session that nobody has asked for before, so that STS is asked: durations come in steps of a minute. */
function issueAnew(user: 'legacy' | 'reports') {
  seconds += 60;
  const body = { durationSeconds: seconds };
  return broker.call({ method: 'POST', path: '/v1/credentials', token: broker.token(user), body });
}

/** What STS answers whoever comes without the broker. */
async function atSts(token: string, roleArn = role): Promise<string> {
  const answer = await fetch(broker.sts.url, {
    method: 'POST',
    body: new URLSearchParams({
      Action: 'AssumeRoleWithWebIdentity',
      Version: '2011-06-15',
      RoleArn: roleArn,
      RoleSessionName: 'past-the-broker',
      WebIdentityToken: token,
    }),
  });
  return readAnswer({ status: answer.status, text: await answer.text() }).said;
}

/** By somebody who has the host of the documents, or got its name. */
function forged(): { readonly token: string; readonly keySet: string } {
  const key = signingKeys().current.access;
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: issuer,
    aud: audience,
    sub: 'whoever/client/it-is',
    iat: now,
    exp: now + 60,
    'https://aws.amazon.com/roles': [role],
  };
  const jwk = createPublicKey(key.privateKeyPem).export({ format: 'jwk' });
  return {
    token: signJwt({ key, header: { kid: key.kid, alg: 'RS256' }, claims }),
    keySet: JSON.stringify({ keys: [{ ...jwk, kid: key.kid, use: 'sig' }] }),
  };
}

const says = (words: string) => expect(page.replaceAll('\n', ' ')).toContain(words);

describe('docs/web-identity.md is right that', () => {
  it('callers’ tokens open nothing at STS, whether their pool has a provider there or not (T149)', async () => {
    says("Callers' tokens then open nothing at STS");
    const token = broker.token('orders');
    expect(await atSts(token)).toBe('403 AccessDenied');
    const pool = broker.issuer.url;
    const provider = broker.sts.providers.find((one) => one.issuer === pool);
    broker.sts.removeProvider(account, pool);
    expect(await atSts(token)).toBe('400 InvalidIdentityToken');
    if (provider !== undefined) broker.sts.putProvider(provider);
    expect((await broker.issue('orders')).status).toBe(200);
  });

  it.each([
    ['a final slash', `${issuer}/`],
    ['another path', `${issuer}-2`],
    ['upper case', issuer.toUpperCase().replace('HTTPS', 'https')],
  ])('a provider needs exactly the issuer: not %s', async (_what, name) => {
    says('an IAM OIDC provider with exactly the issuer as its URL');
    broker.sts.removeProvider(account, issuer);
    trust(ownKeys(), account, name);
    const answer = await issueAnew('legacy');
    expect([answer.status, answer.body.code]).toEqual([502, 'sts_request_rejected']);
    expect(answer.body.detail).toContain('exactly webIdentity.issuer');
    expect(broker.auditRecordOf(answer)).toMatchObject({ reason: 'provider_not_registered' });
    broker.sts.removeProvider(account, name);
  });

  it('each account with roles needs a provider of its own', async () => {
    says('Each account with roles needs');
    expect((await issueAnew('reports')).body.code).toBe('sts_request_rejected');
    trust(ownKeys(), far);
    expect((await issueAnew('reports')).status).toBe(200);
  });

  it('a key in other hands is worth nothing once the key set is without it, and sessions live on', async () => {
    says('publish the key set without it at once');
    says('Sessions that were issued live on');
    const { expiration: _expiration, ...credentials } = (await broker.issue('orders')).body
      .credentials;
    const { token, keySet } = forged();
    host.answer = { status: 200, body: keySet };
    trust(`${host.url}${keySetPath}`);
    expect(await atSts(token)).toBe('200');
    trust(ownKeys());
    expect(await atSts(token)).toBe('400 InvalidIdentityToken');
    const client = new STSClient({ endpoint: broker.sts.url, region: 'us-east-1', credentials });
    expect((await client.send(new GetCallerIdentityCommand({}))).Arn).toContain('/orders-writer/');
    client.destroy();
  });

  it('providers are deleted first: one that is left believes whoever has the host', async () => {
    says('every provider that is left would believe them');
    const { token, keySet } = forged();
    host.answer = { status: 200, body: keySet };
    trust(`${host.url}${keySetPath}`);
    expect(await atSts(token)).toBe('200');
    broker.sts.removeProvider(account, issuer);
    expect(await atSts(token)).toBe('400 InvalidIdentityToken');
  });

  it('STS is shown what names pool, kind and subject, and CloudTrail has it', async () => {
    says('`<pool>/<client|user|identity>/<subject>`');
    expect((await issueAnew('legacy')).status).toBe(200);
    const { clientId } = clients.legacy;
    expect(broker.trail.at(-1)).toMatchObject({
      userIdentity: { userName: expect.stringMatching(new RegExp(`^[^/]+/client/${clientId}$`)) },
    });
  });

  it('the discovery document is where IAM looks, of exactly the issuer', async () => {
    const answer = await fetch(`${broker.urls.identity}/broker${discoveryPath}`);
    expect(await answer.json()).toMatchObject({ issuer, jwks_uri: `${issuer}${keySetPath}` });
  });
});
