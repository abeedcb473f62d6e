/** The signer down, slow, throttled, lying or switched off: warm sessions go on, cold ones wait, nothing unsigned leaves. */

import { afterEach, describe, expect, it } from '@jest/globals';
import { type IssuingBroker, startIssuingBroker } from '../support/issuing-broker.ts';
import { nodesErrorsAreErrors } from '../support/nodes-errors.ts';
import { allow } from '../support/outside-world.ts';
import { createTestClock } from '../support/test-clock.ts';

const itWithNodesErrors = nodesErrorsAreErrors ? it : it.skip;

let broker: IssuingBroker;
afterEach(() => broker.stop());

const mappings = [
  allow('orders-writer', 'orders'),
  allow('reports-reader', 'reports'),
  allow('legacy-reader', 'legacy'),
];
const stsCalls = () => broker.sts.requests.length;

describe('while the signer', () => {
  it.each([
    ['throttles', { error: 'ThrottlingException' }, 'signer_throttled'],
    ['has its key disabled', { error: 'DisabledException' }, 'key_unusable'],
    ['has its key deleted soon', { error: 'KMSInvalidStateException' }, 'key_unusable'],
    ['may not be asked any more', { error: 'AccessDeniedException' }, 'key_unusable'],
    ['fails', { error: 'KMSInternalException' }, 'signer_failed'],
    ['lies', 'forge', 'signature_invalid'],
  ] as const)(
    '%s, sessions go on and new ones get a 503, without STS (T145)',
    async (_what, how, reason) => {
      broker = await startIssuingBroker({ mappings });
      expect((await broker.issue('orders')).status).toBe(200);
      const asked = stsCalls();
      broker.kms.behave(how);

      const cold = await broker.issue('reports');
      expect([cold.status, cold.body]).toMatchObject([503, { code: 'web_identity_unavailable' }]);
      expect(Number(cold.headers['retry-after'])).toBeGreaterThan(0);
      expect(broker.auditRecordOf(cold)).toMatchObject({ outcome: 'failed', reason });
      expect((await broker.issue('orders')).status).toBe(200);
      expect(stsCalls()).toBe(asked);

      broker.kms.behave('answer');
      expect((await broker.issue('reports')).status).toBe(200);
      const name = `tokenbroker_web_identity_signing_duration_seconds_count{result="${reason}"}`;
      expect((await broker.metrics()).get(name)).toBe(1);
    },
  );

  itWithNodesErrors('has closed a connection that was idle, nobody notices', async () => {
    broker = await startIssuingBroker({ mappings });
    const asked = broker.kms.asked.length;
    broker.kms.cut(1);
    expect((await broker.issue('reports')).status).toBe(200);
    expect(broker.kms.asked.length).toBe(asked + 2);
  });

  itWithNodesErrors('cuts every connection, it is asked twice and no more (T145)', async () => {
    broker = await startIssuingBroker({ mappings });
    const asked = broker.kms.asked.length;
    broker.kms.cut(3);
    const cold = await broker.issue('reports');
    expect([cold.status, cold.body]).toMatchObject([503, { code: 'web_identity_unavailable' }]);
    expect(broker.auditRecordOf(cold)).toMatchObject({ reason: 'signer_failed' });
    expect(broker.kms.asked.length).toBe(asked + 2);
    expect(stsCalls()).toBe(0);
  });

  it('says nothing, a new session waits for its deadline and no longer (T145)', async () => {
    const clock = createTestClock(Date.now());
    broker = await startIssuingBroker({ mappings, clock });
    broker.kms.behave('silent');
    const cold = await clock.outlast(broker.issue('reports'));
    expect(cold.status).toBe(503);
    expect(broker.auditRecordOf(cold)).toMatchObject({ reason: 'signer_timeout' });
    expect(stsCalls()).toBe(0);
  });

  it('keeps failing, it is left alone but for a probe a second (T145)', async () => {
    const clock = createTestClock(Date.now());
    broker = await startIssuingBroker({ mappings, clock });
    broker.kms.behave({ error: 'KMSInternalException' });
    for (let n = 0; n < 5; n += 1) await broker.issue('reports');
    const asked = broker.kms.asked.length;
    const refused = await broker.issue('reports');
    expect(broker.auditRecordOf(refused)).toMatchObject({ reason: 'circuit_open' });
    expect(broker.kms.asked.length).toBe(asked);
    broker.kms.behave('answer');
    await clock.advance(1000);
    expect((await broker.issue('reports')).status).toBe(200);
  });
});

describe('while the documents are gone', () => {
  it('sessions go on, and a new one gets a 503 that says so', async () => {
    broker = await startIssuingBroker({ mappings });
    expect((await broker.issue('orders')).status).toBe(200);
    broker.sts.putProvider({
      accountId: '123456789012',
      issuer: 'https://identity.example.com/broker',
      jwksUri: 'http://127.0.0.1:9/jwks.json',
      clientIds: ['sts.amazonaws.com'],
    });
    const cold = await broker.issue('reports');
    expect([cold.status, cold.body]).toMatchObject([503, { code: 'sts_unavailable' }]);
    expect(broker.auditRecordOf(cold)).toMatchObject({ reason: 'keys_not_fetched' });
    expect((await broker.issue('orders')).status).toBe(200);
  });
});

describe('what STS has against the token of the broker', () => {
  it.each([['another audience than the provider', 'another', 'audience_not_registered']])(
    'is not the fault of the caller: %s',
    async (_what, clientId, reason) => {
      broker = await startIssuingBroker({ mappings });
      broker.sts.putProvider({
        accountId: '123456789012',
        issuer: 'https://identity.example.com/broker',
        jwksUri: `${broker.urls.identity}/broker/.well-known/jwks.json`,
        clientIds: [clientId],
      });
      const { status, body: json } = await broker.issue('orders');
      expect([status, json]).toMatchObject([
        502,
        { code: 'sts_request_rejected', detail: expect.stringContaining('web-identity check') },
      ]);
      expect(broker.auditRecords().at(-1)).toMatchObject({ reason });
    },
  );

  it('is not the fault of the caller: a clock of the broker that is minutes slow', async () => {
    broker = await startIssuingBroker({ mappings });
    broker.sts.setFault({
      kind: 'error',
      status: 400,
      code: 'ExpiredTokenException',
      message: 'Token expired: current date/time must be before the expiration date/time',
    });
    const { status, body: json } = await broker.issue('orders');
    expect([status, json]).toMatchObject([
      502,
      { code: 'sts_request_rejected', detail: expect.stringContaining('clock of the broker') },
    ]);
    expect(broker.auditRecords().at(-1)).toMatchObject({ reason: 'broker_token_expired' });
  });

  it('as to the trust policy, the answer names the command that prints it', async () => {
    broker = await startIssuingBroker({ mappings });
    broker.sts.putRole({
      arn: mappings[0]?.role ?? '',
      trustPolicy: {
        Version: '2012-10-17',
        Statement: [{ Effect: 'Deny', Principal: '*', Action: 'sts:*' }],
      },
    });
    const { status, body: json } = await broker.issue('orders');
    expect([status, json]).toMatchObject([
      403,
      { code: 'sts_access_denied', detail: expect.stringContaining('token-broker trust-policy') },
    ]);
  });
});
