import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type TrustPolicyOptions,
  trustPolicyCommand,
} from '../../src/cli/commands/trust-policy.ts';
import { configSchema } from '../../src/config/schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'token-broker-trust-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const role = 'arn:aws:iam::111122223333:role/broker/orders';
const pool = 'us-east-1_AbCdEf123';
const webIdentity = {
  issuer: 'https://identity.example.com',
  keys: { current: { kms: { keyId: 'k', region: 'us-east-1' } } },
};

let printed: { out: string; err: string };
beforeEach(() => {
  printed = { out: '', err: '' };
  writeMapping('');
});

function writeMapping(session: string): void {
  const lines = [
    'id: orders',
    `principal: { pool: ${pool}, client: orders-client }`,
    'effect: allow',
    `role: ${role}`,
    'conditions: { caller: machine }',
    'owner: orders-team',
    session,
  ];
  writeFileSync(join(folder, 'orders.yaml'), `${lines.join('\n')}\n`);
}

function run(asked: Partial<TrustPolicyOptions> = {}, section: object = { webIdentity }) {
  const config = configSchema.parse({
    profile: 'development',
    identity: {
      userPools: [
        {
          pool,
          issuer: `https://cognito-idp.us-east-1.amazonaws.com/${pool}`,
          clients: ['orders-client'],
        },
      ],
    },
    policy: { table: 'role-mappings', region: 'us-east-1' },
    sts: { endpoints: [{ region: 'us-east-1' }] },
    audit: { stdout: true },
    ...section,
  });
  return trustPolicyCommand({
    config,
    role,
    mappings: folder,
    format: 'json',
    sourceVpce: undefined,
    output: {
      out(text) {
        printed.out += text;
      },
      err(text) {
        printed.err += text;
      },
    },
    terminal: { showProgress: () => undefined } as never,
    ...asked,
  });
}

describe('trust-policy', () => {
  it('prints what the mappings of a folder need, for both forms', async () => {
    expect(await run({ sourceVpce: 'vpce-0a1b' })).toBe(0);
    expect(JSON.parse(printed.out)).toMatchObject({
      Statement: [
        {
          Condition: {
            StringEquals: {
              [`cognito-idp.us-east-1.amazonaws.com/${pool}:sub`]: ['orders-client'],
              'aws:SourceVpce': 'vpce-0a1b',
            },
          },
        },
      ],
    });
    printed.out = '';
    writeMapping('session: { identity: broker, tags: { tenant: acme }, sourceIdentity: acme }');
    expect(await run()).toBe(0);
    const actions = JSON.parse(printed.out).Statement.map(
      ({ Action }: { Action: string }) => Action,
    );
    expect(actions).toEqual([
      'sts:AssumeRoleWithWebIdentity',
      'sts:TagSession',
      'sts:SetSourceIdentity',
    ]);
  });

  it('prints nothing where nothing should be trusted', async () => {
    expect(await run({ role: `${role}-other` })).toBe(1);
    writeMapping('enabled: false');
    expect(await run()).toBe(1);
    writeMapping('session: { tags: { tenant: acme } }');
    expect(await run()).toBe(1);
    expect(printed.out).toBe('');
    expect(printed.err).toContain('identity');
    expect(await run({ role: 'orders' })).toBe(2);
  });

  it('prints the policy of an organization where the broker issues tokens', async () => {
    expect(await run({ role: undefined, format: 'terraform' })).toBe(0);
    expect(printed.out).toContain('sts:RoleAuthorizedByIdp');
    expect(await run({ role: undefined }, {})).toBe(2);
  });
});
