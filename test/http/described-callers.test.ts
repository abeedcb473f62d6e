/** What records say of people beside `sub`: what configuration lists, and nothing else of their tokens. */

import { afterEach, describe, expect, it } from '@jest/globals';
import { addAuditCommands } from '../../src/cli/commands/audit.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { runCommandLine } from '../support/command-line.ts';
import { clients } from '../support/outside-world.ts';

let broker: BrokerFixture;
afterEach(() => broker.stop());

const sub = '0a7c1d52-0000-4000-8000-000000000001';
const canary = 'CANARY-of-a-claim';

async function start(describe?: readonly string[]): Promise<void> {
  broker = await startBrokerFixture({
    users: [{ username: 'alice', sub, groups: ['payments', 'on-call'] }],
    configure: (config) => ({
      ...config,
      identity: {
        ...config.identity,
        userPools: (config.identity.userPools ?? []).map((pool) => ({
          ...pool,
          tokenUse: ['access', 'id'] as const,
        })),
      },
      audit: { ...config.audit, ...(describe === undefined ? {} : { describe }) } as never,
    }),
  });
}

/** The token in the record of a request that Alice made with one that says a lot. */
async function recorded(use: 'access' | 'id', claims: Readonly<Record<string, unknown>> = {}) {
  const { clientId } = clients.orders;
  const more = { phone_number: canary, phone_number_verified: true, 'custom:card': canary };
  const options = { clientId, user: 'alice', claims: { ...more, ...claims } };
  const { issuer } = broker;
  const token = use === 'id' ? issuer.issueIdToken(options) : issuer.issueAccessToken(options);
  const answer = await broker.call({ method: 'POST', path: '/v1/credentials', token });
  expect(
    broker
      .auditRecords()
      .map((record) => JSON.stringify(record))
      .join(''),
  ).not.toContain(canary);
  return broker.auditRecordOf(answer)['token'];
}

const email = 'alice@example.com';

describe('audit.describe', () => {
  it('is off unless it is asked for: a record has the subject, and no name, address or group (T272)', async () => {
    await start();
    const token = await recorded('id', { email, email_verified: true });
    expect(token).toMatchObject({ subject: sub });
    expect(token).not.toHaveProperty('description');
  });

  it('puts what is listed into records, of either kind of token, and nothing else (T272)', async () => {
    await start(['username', 'email', 'groups']);
    const groups = ['payments', 'on-call'];
    expect(await recorded('access')).toMatchObject({ description: { username: 'alice', groups } });
    expect(await recorded('id', { email, email_verified: true })).toMatchObject({
      description: { username: 'alice', email, groups },
    });
  });

  it('takes no address that nobody has verified, cuts what is long, and hands no terminal what acts on it', async () => {
    await start(['email']);
    const unverified = await recorded('id', { email, email_verified: false });
    expect(unverified).not.toHaveProperty('description');
    const long = `\u001b[2J\u202e${'x'.repeat(2000)}`;
    const token = await recorded('id', { email: long, email_verified: true });
    expect(token).toMatchObject({ description: { email: long.slice(0, 256) } });
    const words = ['audit', 'find', '--directory', broker.auditDirectory, '--subject', sub];
    const { out } = await runCommandLine(addAuditCommands, words);
    expect(out).toMatch(/^[\x20-\x7e\n]*$/);
  });

  it('answers what somebody did, by name and by address', async () => {
    await start(['username', 'email']);
    await recorded('id', { email, email_verified: true });
    for (const user of ['alice', email, sub]) {
      const words = ['audit', 'find', '--directory', broker.auditDirectory, '--user', user];
      const { code, out } = await runCommandLine(addAuditCommands, words);
      expect({ code, named: out.includes(`name alice, email ${email}`) }).toEqual({
        code: 0,
        named: true,
      });
    }
    const words = ['audit', 'find', '--directory', broker.auditDirectory, '--user', 'alic'];
    expect((await runCommandLine(addAuditCommands, words)).code).toBe(1);
  });

  it('is a closed list', async () => {
    await expect(start(['phone_number'])).rejects.toThrow();
    await start();
  });
});
