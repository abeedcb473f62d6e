/** Tokens and credentials leave in answers to their callers, and nowhere else. */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import type { Answer } from '../support/http-call.ts';
import type { ClientName } from '../support/outside-world.ts';
import { sendRaw } from '../support/raw-http.ts';

let broker: BrokerFixture;
afterEach(() => broker.stop());

describe('with everything logged (T33)', () => {
  it('no token, secret key or session token is in a log, the audit log, a metric, an error or a file', async () => {
    broker = await startBrokerFixture({
      logLevel: 'debug',
      configure: (config) => ({
        ...config,
        keys: { directory: join(String(config.audit.directory), '..', 'keys') },
        policy: {
          ...config.policy,
          snapshotFile: join(String(config.audit.directory), '..', 'policy.json'),
        },
        sts: { ...config.sts, requestTimeoutMs: 300, totalTimeoutMs: 400 },
      }),
    });
    const secrets: string[] = [];
    const errors: Answer[] = [];
    const issue = async (name: ClientName, body?: unknown) => {
      const token = broker.token(name);
      secrets.push(...token.split('.').slice(1));
      const answer = await broker.call({ method: 'POST', path: '/v1/credentials', token, body });
      if (answer.status !== 200) errors.push(answer);
      else {
        const { secretAccessKey, sessionToken } = answer.body.credentials;
        secrets.push(secretAccessKey, sessionToken);
      }
      return token;
    };

    // Issued, from STS and from the cache.
    const token = await issue('orders');
    await issue('orders');
    await issue('reports', { role: 'reports-reader' });
    // Refused on their merits.
    await issue('stranger');
    await issue('legacy');
    await issue('reports');
    await issue('orders', { durationSeconds: 43_200 });
    await issue('orders', { [token]: token });
    await issue('orders', { role: token.slice(0, 1000) });
    const misplaced = [
      { path: `/v1/credentials?token=${token}`, token },
      { path: `/v1/${token}` },
      { method: 'GET', path: `/v1/credentials/${token}`, token },
      { method: 'GET', path: `/v1/credentials?role=${token}`, headers: { authorization: token } },
      { path: '/v1/credentials', headers: { cookie: token, 'x-request-id': token } },
      { path: '/v1/credentials', headers: { 'user-agent': `app ${token}` } },
      { path: '/v1/credentials', headers: { authorization: `Basic ${token}` } },
      { path: '/v1/credentials', token: `${token.slice(0, -20)}AAAA${token.slice(-16)}` },
    ];
    for (const call of misplaced) errors.push(await broker.call({ method: 'POST', ...call }));
    await sendRaw(
      broker.urls.api,
      `POST /v1/credentials HTTP/1.1\r\nAuthorization:\0${token}\r\n\r\n`,
    );
    // Failed in ways that quote what was sent, or what was received.
    const quoting = `<html>${token}</html>`;
    const faults = [
      { kind: 'error', status: 400, code: 'InvalidIdentityToken', message: `bad: ${token}` },
      { kind: 'error', status: 500, code: 'InternalFailure', message: token },
      { kind: 'body', status: 200, contentType: 'text/html', body: quoting },
      { kind: 'body', status: 400, contentType: 'text/xml', body: quoting },
      {
        kind: 'answer',
        rewrite: <It>(it: It) => ({ ...it, sessionToken: '', secretAccessKey: token }),
      },
      { kind: 'reset' },
      { kind: 'hang' },
    ] as const;
    for (const fault of faults) {
      broker.sts.setFault(fault);
      await issue('reports', { role: 'reports-publisher' });
    }
    broker.dynamodb.setFault({ kind: 'error', type: 'InternalServerError', status: 500 });
    const admin = broker.token('admin');
    secrets.push(...admin.split('.').slice(1));
    errors.push(
      await broker.call({
        listener: 'admin',
        path: '/v1/role-mappings/orders-writer',
        token: admin,
      }),
    );

    expect(errors.length).toBeGreaterThan(15);
    const { text: metrics } = await broker.call({ listener: 'ops', path: '/metrics' });
    const { logText } = broker;
    expect(logText).toContain('sts_token_rejected');
    await broker.stopBroker();
    const places: [string, string][] = [
      ['logs', logText],
      ['metrics', metrics],
      ...errors.map(({ text, headers }): [string, string] => [
        `error ${text}`,
        text + JSON.stringify(headers),
      ]),
      ...filesIn(broker.directory).map((file): [string, string] => [
        file,
        readFileSync(file, 'latin1'),
      ]),
    ];
    expect(
      places.filter(([place]) => place.endsWith('.json') || place.endsWith('.jsonl')),
    ).not.toEqual([]);
    const found = places.filter(([, text]) =>
      pieces(secrets).some((secret) => text.includes(secret)),
    );
    expect(found.map(([place]) => place)).toEqual([]);
  });
});

/** Half a secret is too much as well. */
function pieces(secrets: readonly string[]): readonly string[] {
  return secrets.flatMap((secret) => [secret.slice(0, 40), secret.slice(-40)]).filter((it) => it);
}

function filesIn(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true })
    .map((name) => join(directory, String(name)))
    .filter((file) => statSync(file).isFile());
}
