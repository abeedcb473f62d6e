/**
 * Every command under an environment and shared AWS files that point each SDK client at a server of their own:
 * nobody goes there, and every name that is looked up is the one that the configuration means.
 */

import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { configText } from '../../emulators/config-text.ts';
import { type AmbientTrap, startAmbientTrap } from '../support/ambient-trap.ts';
import { type BrokerFixture, brokerConfig, startBrokerFixture } from '../support/broker-fixture.ts';
import { startBrokerProcess } from '../support/broker-process.ts';
import { main, resultOf, spawnNode } from '../support/command.ts';
import { mappingText } from '../support/mapping-folder.ts';

const table = 'dynamodb.us-east-1.amazonaws.com';
const keys = { AWS_ACCESS_KEY_ID: 'AKIAAAAAAAAAAAAAAAAA', AWS_SECRET_ACCESS_KEY: 'secret' };
let outside: BrokerFixture;
let directory: string;
let trap: AmbientTrap;

beforeAll(async () => {
  outside = await startBrokerFixture();
});
afterAll(() => outside.stop());
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'token-broker-test-'));
  trap = await startAmbientTrap(directory);
});
afterEach(async () => {
  await trap.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Everything but the endpoints of AWS, so that these are the regional ones. */
function regional() {
  const config = brokerConfig(outside, directory);
  const { endpoint: _table, ...policy } = config.policy;
  return { ...config, policy, sts: { ...config.sts, endpoints: [{ region: 'us-east-1' }] } };
}

function localTable() {
  const { policy } = brokerConfig(outside, directory);
  return { ...regional(), policy };
}

function withBucket() {
  const keyFile = join(directory, 'key.pem');
  const { privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const { audit, ...config } = localTable();
  const bucket = { bucket: 'evidence', bucketOwner: '111122223333', region: 'us-east-1' };
  const s3 = { ...bucket, retentionDays: 1 };
  const checkpoints = { origin: 'example.com/audit', keyFile, s3 };
  return { ...config, audit: { ...audit, checkpoints } };
}

function run(args: readonly string[], env: Readonly<Record<string, string>> = keys) {
  const mappings = join(directory, 'mappings');
  const config = join(directory, 'config.yaml');
  mkdirSync(mappings, { recursive: true });
  writeFileSync(join(mappings, 'a.yaml'), mappingText('a'));
  writeFileSync(config, configText(regional()));
  const words = args.map((word) => (word === 'FOLDER' ? mappings : word));
  const child = spawnNode([...trap.nodeOptions, main, ...words, '--config', config], {
    env: { ...trap.env, ...env },
    cwd: directory,
  });
  return resultOf(child);
}

describe('under a hostile environment', () => {
  it.each([
    ['table create'],
    ['table anchor --unsealed'],
    ['mappings plan FOLDER'],
    ['mappings apply FOLDER --yes --reason test'],
    ['mappings export'],
  ])('%s asks the table of its configuration and nobody else (T85)', async (command) => {
    const { code, err } = await run(command.split(' '));
    expect(err).not.toContain('SyntaxError');
    expect(code).toBe(1);
    expect(trap.visits).toBe(0);
    expect(trap.lookedUp()).toEqual([table]);
  });

  it('says that there are no credentials, where there are none', async () => {
    const nowhere = { HOME: directory, AWS_EC2_METADATA_DISABLED: 'true' };
    const { code, err } = await run(['mappings', 'export'], nowhere);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('no AWS credentials') });
    expect(trap.lookedUp()).toEqual([]);
  });

  it.each([
    ['a web identity', 'sts.us-east-1.amazonaws.com', () => webIdentity()],
    ['an assumed role', 'sts.us-east-1.amazonaws.com', () => ({ AWS_PROFILE: 'assumed' })],
    ['single sign-on', 'portal.sso.eu-west-1.amazonaws.com', () => signedOn()],
  ])('credentials by %s are asked for where AWS gives them (T85)', async (_way, host, env) => {
    const { code } = await run(['mappings', 'export'], env());
    expect(code).toBe(1);
    expect(trap.visits).toBe(0);
    expect(trap.lookedUp()).toEqual([host]);
  });

  it.each([
    ['reads its policy at the regional table', [table], () => regional()],
    ['sends tokens to the regional STS', ['sts.us-east-1.amazonaws.com'], () => localTable()],
    [
      'brings checkpoints to the regional S3',
      ['evidence.s3.us-east-1.amazonaws.com', 'sts.us-east-1.amazonaws.com'],
      () => withBucket(),
    ],
  ])('serve %s, as its configuration says (T85)', async (_what, hosts, config) => {
    const broker = await startBrokerProcess(directory, config(), {
      env: { ...trap.env, ...keys, NODE_OPTIONS: trap.nodeOptions.join(' ') },
    });
    const headers = { authorization: `Bearer ${outside.token('orders')}` };
    const url = `${broker.urls.api}/v1/credentials`;
    expect((await fetch(url, { method: 'POST', headers })).status).toBe(503);
    expect(broker.logText).toContain('"HTTPS_PROXY"');
    expect(broker.logText).toContain('proxies of the environment are not used');
    broker.signal('SIGTERM');
    expect(await broker.exit).toBe(0);
    expect(trap.visits).toBe(0);
    expect(trap.lookedUp()).toEqual(hosts);
  });

  it('credential-process asks its broker and nobody else (T85)', async () => {
    const tokenFile = join(directory, 'token');
    writeFileSync(tokenFile, outside.token('orders'));
    const at = ['--broker', outside.urls.api, '--token-file', tokenFile];
    const cache = ['--cache-dir', join(directory, 'cache')];
    const words = [...trap.nodeOptions, main, 'credential-process', ...at, ...cache];
    const { code } = await resultOf(spawnNode(words, { env: trap.env, cwd: directory }));
    expect(code).toBe(0);
    expect(trap.visits).toBe(0);
    expect(trap.lookedUp()).toEqual([]);
  });
});

/** As EKS gives pods their roles. */
function webIdentity() {
  const file = join(directory, 'token');
  writeFileSync(file, 'header.payload.signature');
  return {
    AWS_WEB_IDENTITY_TOKEN_FILE: file,
    AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/broker',
  };
}

/** As `aws sso login` leaves it: a token that has not ended. */
function signedOn() {
  const cache = join(directory, '.aws', 'sso', 'cache');
  mkdirSync(cache, { recursive: true });
  const name = createHash('sha1').update('https://example.awsapps.com/start').digest('hex');
  const token = { accessToken: 'token', expiresAt: new Date(Date.now() + 3_600_000).toISOString() };
  writeFileSync(join(cache, `${name}.json`), JSON.stringify(token));
  return { AWS_PROFILE: 'sso', HOME: directory };
}
