import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type AdminHarness,
  adaSub,
  adminClient,
  adminPool,
  callerClient,
  legacyClient,
  startAdmin,
  testMapping,
  testRole,
} from '../../support/admin-harness.ts';
import { claimRef } from '../../support/domain.ts';

let admin: AdminHarness;
const usersRole = 'arn:aws:iam::123456789012:role/broker/invoices';
const policy = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Action: 's3:GetObject',
      Resource: `arn:aws:s3:::invoices/${claimRef('sub')}/*`,
    },
  ],
};

beforeAll(async () => {
  admin = await startAdmin();
  const mappings = [
    testMapping('orders', { conditions: { scopes: ['orders/write'] } }),
    testMapping('invoices', {
      principal: { pool: adminPool, group: 'billing' },
      role: usersRole,
      session: { name: '{client}', policy, policyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess'] },
    }),
  ];
  for (const mapping of mappings) await admin.create(mapping);
});

afterAll(() => admin.stop());

const explain = async (body: object) => {
  const answer = await admin.send('POST', '/v1/explain', { body });
  expect(answer.status).toBe(200);
  return answer.body;
};
const client = { pool: adminPool, client: callerClient };
const ada = { ...client, user: adaSub, groups: ['billing'] };

describe('POST /v1/explain', () => {
  it('names the condition that failed, with what was expected and what there is', async () => {
    const body = await explain({
      caller: { ...client, scopes: ['orders/read'] },
      request: { role: testRole },
    });
    expect(body.decision).toMatchObject({
      outcome: 'deny',
      reason: 'scope_missing',
      mapping: { id: 'orders', version: 1 },
    });
    expect(body.nearMisses).toEqual([
      {
        id: 'orders',
        version: 1,
        effect: 'allow',
        role: testRole,
        principal: client,
        owner: 'orders-team',
        failed: [
          { pointer: '/conditions/scopes', expected: ['orders/write'], actual: ['orders/read'] },
        ],
      },
    ]);
  });

  it('gives the exact parameters that STS would be sent', async () => {
    const body = await explain({ caller: ada, request: { role: 'invoices' } });
    const rendered = JSON.stringify(policy).replace(claimRef('sub'), adaSub);
    expect(body.decision).toMatchObject({ outcome: 'allow', mapping: { id: 'invoices' } });
    expect(body.sts).toEqual({
      roleArn: usersRole,
      roleSessionName: callerClient,
      durationSeconds: 3600,
      policy: rendered,
      policyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess'],
      policyCharacters: rendered.length + 'arn:aws:iam::aws:policy/ReadOnlyAccess'.length,
      policyCharactersAllowed: 2048,
    });
    expect(body.permitted.map(({ id }: { id: string }) => id)).toEqual(['invoices']);
  });

  it('says that a mapping is for somebody else, and for whom', async () => {
    const { decision, nearMisses } = await explain({
      caller: client,
      request: { role: usersRole },
    });
    expect(decision).toEqual({ outcome: 'deny', reason: 'no_mapping' });
    expect(nearMisses[0].failed).toEqual([
      {
        pointer: '/principal',
        expected: { pool: adminPool, group: 'billing' },
        actual: { ...client, user: null, groups: [] },
      },
    ]);
  });

  it('says that a mapping can match nobody, and why: its app client is not configured (T96)', async () => {
    const principal = { pool: adminPool, client: 'nobody0has0this0client' };
    await admin.create(testMapping('waiting', { principal, role: `${testRole}-waiting` }));
    const asked = { caller: client, request: { role: 'waiting' } };
    expect((await explain(asked)).nearMisses).toMatchObject([
      {
        id: 'waiting',
        failed: [{ pointer: '/principal' }],
        matchesNobody: [
          { pointer: '/principal/client', detail: expect.stringContaining('is none of the app') },
        ],
      },
    ]);
    const others = await explain({ caller: client, request: { role: usersRole } });
    expect(others.nearMisses[0]).not.toHaveProperty('matchesNobody');
  });

  it('names the claim that may not go into the session policy', async () => {
    const { decision, sts } = await explain({
      caller: { ...ada, user: 'a/b' },
      request: { role: 'invoices' },
    });
    expect(decision).toMatchObject({ outcome: 'deny', reason: 'claim_unsafe' });
    expect(decision.failed).toEqual([
      {
        pointer: '/session/policy',
        expected: 'claim sub: one value of 1 to 128 of A-Z a-z 0-9 _ . @ = -',
        actual: 'a/b',
      },
    ]);
    expect(sts).toBeUndefined();
  });

  it('says which durations a mapping allows', async () => {
    const { decision } = await explain({
      caller: ada,
      request: { role: 'invoices', durationSeconds: 7200 },
    });
    expect(decision).toMatchObject({
      outcome: 'duration_not_allowed',
      allowed: { minDurationSeconds: 900, maxDurationSeconds: 3600 },
    });
  });

  it('names the choices where more than one role is allowed', async () => {
    const { decision } = await explain({ caller: { ...ada, scopes: ['orders/write'] } });
    expect(decision.outcome).toBe('ambiguous');
    expect(decision.choices.map(({ id }: { id: string }) => id)).toEqual(['invoices', 'orders']);
  });

  it('judges by the address that is asked about, and by that of the question otherwise', async () => {
    const { request } = await explain({ caller: client });
    expect(request.sourceIp).toBe('127.0.0.1');
    const { request: asked } = await explain({
      caller: client,
      request: { sourceIp: '2001:db8::7' },
    });
    expect(asked.sourceIp).toBe('2001:db8::7');
  });

  it.each([
    ['nobody', {}],
    ['a token and a caller', { token: 'a.b.c', caller: client }],
    ['a caller without a name', { caller: { pool: adminPool } }],
    ['a caller of a pool that is not trusted', { caller: { ...client, pool: 'us-east-1_Nobody' } }],
    ['a claim that no mapping may match', { caller: { ...client, claims: { email: 'a@b' } } }],
  ])('refuses %s', async (_what, body) => {
    const answer = await admin.send('POST', '/v1/explain', { body });
    expect([answer.status, answer.body.code]).toEqual([400, 'body_invalid']);
  });
});

describe('explaining a token', () => {
  it('decides as for its owner, and leaves a record of who looked', async () => {
    const token = admin.token({ clientId: callerClient, scopes: ['orders/write'] });
    const { decision } = await explain({ token, request: { role: 'orders' } });

    expect(decision.outcome).toBe('allow');
    const record = admin.records().at(-1);
    expect(record).toMatchObject({
      type: 'explain',
      token: { clientId: adminClient },
      explained: { clientId: callerClient, subject: callerClient, use: 'access' },
      request: { role: 'orders' },
      outcome: 'allow',
    });
    expect(JSON.stringify(admin.records())).not.toContain(token);
  });

  it('tells why the token itself is refused, without looking like a refusal of the asker', async () => {
    const token = admin.token({ clientId: callerClient, expiresInSeconds: 60 });
    await admin.clock.advance(120_000);
    const body = await explain({ token });

    expect(body.refusal).toMatchObject({ code: 'token_expired', status: 401 });
    expect(body.decision).toBeUndefined();
    expect(admin.records().at(-1)).toMatchObject({
      type: 'explain',
      outcome: 'refused',
      code: 'token_expired',
      explained: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
  });

  it('never prints the token', async () => {
    const token = admin.token({ clientId: callerClient });
    expect(JSON.stringify(await explain({ token }))).not.toContain(token.split('.')[2]);
  });

  it('says that STS would not take it where it has no audience', async () => {
    const principal = { pool: adminPool, client: legacyClient };
    await admin.create(testMapping('legacy', { principal, role: `${testRole}-legacy` }));
    const token = admin.token({ clientId: legacyClient });
    const { refusal, decision } = await explain({ token, request: { role: 'legacy' } });
    expect(decision.outcome).toBe('allow');
    expect(refusal.code).toBe('token_audience_missing');
  });
});
