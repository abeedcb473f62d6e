/** The broker as the issuer that STS trusts, through the front door. */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { claimRef } from '../support/domain.ts';
import { type IssuingBroker, issuer, startIssuingBroker } from '../support/issuing-broker.ts';
import { allow, clients, pool, roleNamed } from '../support/outside-world.ts';

const mappings = [
  allow('orders-writer', 'orders'),
  allow('legacy-reader', 'legacy', {
    session: {
      tags: { team: claimRef('custom:team'), tenant: 'acme' },
      transitiveTags: ['tenant'],
      sourceIdentity: claimRef('client_id'),
    },
  }),
  allow('reports-reader', 'reports', { session: { identity: 'caller' } }),
];

let broker: IssuingBroker;
beforeAll(async () => {
  broker = await startIssuingBroker({ mappings, matchableClaims: ['custom:team'] });
}, 30_000);
afterAll(() => broker.stop());

const legacy = clients.legacy.clientId;
const tokenOf = (claims: Record<string, string | string[]> = {}) =>
  broker.token('legacy', { claims: { 'custom:team': 'payments', ...claims } });
const issueWith = (token: string) =>
  broker.call({ method: 'POST', path: '/v1/credentials', token });

describe('a token without aud, of a pool without a trigger', () => {
  it('gets credentials by the identity of the broker, with tags and source identity', async () => {
    expect((await issueWith(tokenOf())).status).toBe(200);
    expect(broker.trail.at(-1)).toMatchObject({
      userIdentity: { type: 'WebIdentityUser', userName: `${pool}/client/${legacy}` },
      requestParameters: {
        roleArn: roleNamed('legacy-reader'),
        principalTags: { team: 'payments', tenant: 'acme' },
        transitiveTagKeys: ['tenant'],
        sourceIdentity: legacy,
      },
      responseElements: { audience: 'sts.amazonaws.com', sourceIdentity: legacy },
      additionalEventData: { RoleAuthorizedByIdp: true },
    });
  });

  it('is refused by STS itself, so that nobody gets past the broker (T149)', async () => {
    const answer = await fetch(broker.sts.url, {
      method: 'POST',
      body: new URLSearchParams({
        Action: 'AssumeRoleWithWebIdentity',
        Version: '2011-06-15',
        RoleArn: roleNamed('legacy-reader'),
        RoleSessionName: 'bypass',
        WebIdentityToken: tokenOf(),
      }),
    });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('Missing a required claim: aud');
  });

  it('is on record before the token of the broker is sent, by its names alone (T147)', async () => {
    const answer = await issueWith(tokenOf({ nonce: 'recorded' }));
    const records = broker.auditRecords();
    const issued = broker.auditRecordOf(answer);
    const names = (issued['credentials'] as { webIdentity: { id: string } }).webIdentity;
    const before = records.filter((one) => one.type === 'web_identity');
    const own = before.find((one) => (one['issued'] as { id: string }).id === names.id);
    expect(own).toMatchObject({
      issued: { ...names, subject: `${pool}/client/${legacy}` },
      token: { clientId: legacy },
      mapping: { id: 'legacy-reader', version: 1 },
      session: { role: roleNamed('legacy-reader'), tags: { team: 'payments', tenant: 'acme' } },
    });
    expect(own?.seq).toBeLessThan(issued.seq);
    expect(names).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      keyId: expect.stringMatching(/^[\w-]{43}$/),
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    // Three parts with dots between them: no token of anybody is in the log or on record.
    const jwt = /eyJ[\w-]{10,}\.eyJ[\w-]{10,}\./;
    expect(broker.logText).not.toMatch(jwt);
    expect(JSON.stringify(records)).not.toMatch(jwt);
  });

  it('is denied without the claim of a tag, and explain says which (T140)', async () => {
    const token = broker.token('legacy');
    expect((await issueWith(token)).body).toMatchObject({ code: 'access_denied' });
    const { body: json } = await broker.call({
      listener: 'admin',
      method: 'POST',
      path: '/v1/explain',
      token: broker.token('admin'),
      body: { token },
    });
    expect(json).toMatchObject({
      decision: {
        reason: 'claim_unsafe',
        failed: [{ pointer: '/session/tags/team', actual: null }],
      },
    });
  });

  it('is explained with the claim that each value comes from, and no advice about aud', async () => {
    const { body: json } = await broker.call({
      listener: 'admin',
      method: 'POST',
      path: '/v1/explain',
      token: broker.token('admin'),
      body: { token: tokenOf() },
    });
    expect(json).toMatchObject({
      decision: { outcome: 'allow' },
      sts: {
        tags: [
          { key: 'team', value: 'payments', claim: 'custom:team' },
          { key: 'tenant', value: 'acme' },
        ],
        transitiveTagKeys: ['tenant'],
        sourceIdentity: { value: legacy, claim: 'client_id' },
      },
    });
    expect(json).not.toHaveProperty('refusal');
  });
});

describe('what a caller brings', () => {
  it('changes neither role nor tags of the token of the broker (T144)', async () => {
    const token = tokenOf({
      nonce: 'brought',
      'https://aws.amazon.com/roles': [roleNamed('orders-writer')],
      'https://aws.amazon.com/source_identity': 'somebody-else',
      'https://aws.amazon.com/tags/principal_tags/tenant': 'evil',
    });
    expect((await issueWith(token)).status).toBe(200);
    expect(broker.trail.at(-1)).toMatchObject({
      requestParameters: {
        roleArn: roleNamed('legacy-reader'),
        principalTags: { team: 'payments', tenant: 'acme' },
        sourceIdentity: legacy,
      },
    });
  });

  it('is what STS is shown where the mapping says so (T143)', async () => {
    expect((await broker.issue('reports')).status).toBe(200);
    const event = broker.trail.at(-1);
    expect(event).toMatchObject({
      userIdentity: { userName: clients.reports.clientId },
      responseElements: { audience: clients.reports.clientId },
    });
    expect(event).not.toHaveProperty('additionalEventData');
  });
});

describe('the documents', () => {
  it('are served on their own listener, for anybody, with a time to keep them', async () => {
    const get = (path: string) => fetch(`${broker.urls.identity}/broker/.well-known/${path}`);
    const discovery = await get('openid-configuration');
    expect(await discovery.json()).toEqual({
      issuer,
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      claims_supported: ['aud', 'exp', 'iat', 'iss', 'jti', 'sub'],
    });
    const keySet = await get('jwks.json');
    expect(await keySet.json()).toMatchObject({ keys: [{ kty: 'RSA', alg: 'RS256', use: 'sig' }] });
    for (const { headers } of [discovery, keySet]) {
      expect(headers.get('cache-control')).toBe('public, max-age=300');
      expect(headers.get('content-type')).toBe('application/json');
    }
    expect((await fetch(`${broker.urls.identity}/v1/credentials`)).status).toBe(404);
  });
});
