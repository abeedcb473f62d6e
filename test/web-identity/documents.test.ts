/** The two public documents: written by a command, looked at by another, and by every start. */

import {
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { calculateJwkThumbprint, exportJWK } from 'jose';
import { type KmsServer, startKmsServer } from '../../emulators/kms/kms-server.ts';
import { webIdentityCheck, webIdentityRender } from '../../src/cli/commands/web-identity.ts';
import { configSchema } from '../../src/config/schema.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { type DocumentHost, startDocumentHost } from '../support/document-host.ts';
import { kmsKey, startIssuingBroker, type WebIdentityInput } from '../support/issuing-broker.ts';
import { readDocument, tableRows } from '../support/markdown.ts';
import { nodesErrorsAreErrors } from '../support/nodes-errors.ts';
import { signingKeys } from '../support/outside-world.ts';

const keySetFile = '.well-known/jwks.json';
let folder: string;
let host: DocumentHost;
let current: KmsServer;
let next: KmsServer;
let printed: string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'token-broker-documents-'));
  host = await startDocumentHost(folder);
  const { access, id } = signingKeys().current;
  current = await startKmsServer('rsa', access.privateKeyPem);
  next = await startKmsServer('rsa', id.privateKeyPem);
  printed = [];
});
afterEach(async () => {
  await Promise.all([host.stop(), current.stop(), next.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

function answer(status: number, body = '') {
  host.answer = { status, body };
}

const output = {
  out: (text: string) => void printed.push(text),
  err: (text: string) => void printed.push(text),
};

function webIdentity(keys: WebIdentityInput['keys'] = { current: kmsKey(current) }) {
  return { issuer: host.url, default: 'broker' as const, keys, signTimeoutMs: 10_000 };
}

function configWith(keys?: WebIdentityInput['keys']) {
  return configSchema.parse({
    profile: 'development',
    identity: {},
    policy: { table: 'role-mappings', region: 'us-east-1' },
    sts: { endpoints: [{ region: 'us-east-1' }] },
    audit: { stdout: true },
    webIdentity: webIdentity(keys),
  });
}

const render = (keys?: WebIdentityInput['keys']) =>
  webIdentityRender(folder, { config: configWith(keys), output });
const check = (keys?: WebIdentityInput['keys']) =>
  webIdentityCheck({ config: configWith(keys), output });
const both = () => ({ current: kmsKey(current), next: kmsKey(next) });
const text = () => printed.join('');
const keySet = () => JSON.parse(readFileSync(join(folder, keySetFile), 'utf8'));
const publish = (keys: object) => writeFileSync(join(folder, keySetFile), JSON.stringify({ keys }));

describe('web-identity render and check', () => {
  it('agree with each other, and with RFC 7638', async () => {
    expect(await render(both())).toBe(0);
    const { keys } = keySet();
    expect(keys.map(({ kid }: { kid: string }) => kid)).toEqual([
      await calculateJwkThumbprint(await exportJWK(current.publicKey)),
      await calculateJwkThumbprint(await exportJWK(next.publicKey)),
    ]);
    expect(await check(both())).toBe(0);
    expect(text()).toContain('as STS needs it');
  });

  it('refuse a key that cannot sign, of another kind, or that lies', async () => {
    next.behave({ error: 'DisabledException' });
    expect(await render(both())).toBe(1);
    expect(text()).toContain(
      'the next key of webIdentity.keys cannot sign (key_unusable: DisabledException)',
    );
    next.behave('forge');
    expect(await check(both())).toBe(1);
    const p256 = await startKmsServer('p256');
    expect(await render({ current: kmsKey(p256) })).toBe(1);
    await p256.stop();
    expect(text()).toContain('RSA of 2,048 bits');
  });

  it('are for whoever may read the keys, and say which they could not try', async () => {
    next.behave({ error: 'AccessDeniedException', action: 'Sign' });
    expect(await render(both())).toBe(0);
    const { kid } = keySet().keys[1];
    expect(text()).toContain(`lets these credentials not sign with ${kid}`);
    expect(await check(both())).toBe(0);
    expect(text()).toContain('as STS needs it');
    // A disabled key is another matter.
    next.behave({ error: 'DisabledException', action: 'Sign' });
    expect(await check(both())).toBe(1);
  });

  it('say by its name what keeps KMS from being asked at all', async () => {
    const { endpoint } = next;
    await next.stop();
    expect(await render({ current: { kms: { keyId: 'k', region: 'us-east-1', endpoint } } })).toBe(
      1,
    );
    const name = nodesErrorsAreErrors ? 'ECONNREFUSED' : 'Error';
    expect(text()).toContain(
      `the current key of webIdentity.keys cannot sign (signer_failed: ${name})`,
    );
    printed = [];
    current.behave({ error: 'AccessDeniedException' });
    expect(await check()).toBe(1);
    expect(text()).toContain('(key_unusable: AccessDeniedException)');
  });

  it.each<[string, () => void, string]>([
    ['that are not there', () => rmSync(join(folder, keySetFile)), 'status 404'],
    [
      'of another issuer',
      () => {
        const file = join(folder, '.well-known/openid-configuration');
        writeFileSync(file, JSON.stringify({ issuer: `${host.url}/`, jwks_uri: host.url }));
      },
      'must have issuer',
    ],
    ['that are no JSON', () => answer(200, '<html>'), 'no JSON'],
    ['that are moved', () => answer(302), 'cannot be fetched'],
    ['without the key that signs', () => publish([]), 'which signs: publish it'],
    [
      'with somebody else’s key',
      () => publish([...keySet().keys, { kty: 'RSA', n: 'x', e: 'AQAB', kid: 'x', use: 'sig' }]),
      'not in the configuration of this broker',
    ],
    [
      'with operations, which STS does not take',
      () => publish([{ ...keySet().keys[0], key_ops: ['verify'] }]),
      'in a form that STS does not find',
    ],
    [
      'with the certificate of another key, which STS does not take (T366)',
      () => publish([{ ...keySet().keys[0], x5c: ['AAAA'] }]),
      'in a form that STS does not find',
    ],
    [
      'with a private key (T366)',
      () => publish([{ ...keySet().keys[0], d: 'AQAB', q: 'AQAB' }]),
      'has private members of the key',
    ],
  ])('find documents %s', async (_what, spoil, words) => {
    await render();
    spoil();
    expect(await check()).toBe(1);
    expect(text()).toContain(words);
  });

  it('leave no half of a document to publish: old and new are whole (T367)', async () => {
    await render();
    const before = readFileSync(join(folder, keySetFile), 'utf8');
    linkSync(join(folder, keySetFile), join(folder, 'kept.json'));
    expect(await render(both())).toBe(0);
    expect(readFileSync(join(folder, 'kept.json'), 'utf8')).toBe(before);
    expect(keySet().keys).toHaveLength(2);
    // A static host is somebody else.
    expect(statSync(join(folder, keySetFile)).mode & 0o777).toBe(0o666 & ~process.umask());
    expect(readdirSync(join(folder, '.well-known')).sort()).toEqual([
      'jwks.json',
      'openid-configuration',
    ]);
  });

  it('say which keys are one under two names, and publish it once (T367)', async () => {
    const same = { kms: { ...kmsKey(current).kms, keyId: 'alias/other' } };
    const keys = { current: kmsKey(current), next: same };
    expect(await render(keys)).toBe(0);
    expect(keySet().keys).toHaveLength(1);
    expect(text()).toContain('two are one key under other names');
    expect(await check(keys)).toBe(0);
  });

  it('warn of no-cache, which makes STS fetch for every exchange', async () => {
    await render();
    host.cacheControl = 'no-cache';
    expect(await check()).toBe(0);
    expect(text()).toContain('doubtful');
  });
});

describe('a start', () => {
  let broker: BrokerFixture | undefined;
  afterEach(async () => {
    await broker?.stop();
    broker = undefined;
  });
  const start = async (keys?: WebIdentityInput['keys']) => {
    broker = await startBrokerFixture({
      configure: (config) => ({ ...config, webIdentity: webIdentity(keys) }),
    });
    return broker;
  };

  it('goes on where the documents are as they should be, and where they cannot be had', async () => {
    await render(both());
    await start(both());
    await broker?.stop();
    host.answer = { status: 503, body: '' };
    expect((await start()).logText).toContain('answers with status 503');
  });

  it('is refused by a key that is nobody’s here (T146)', async () => {
    await render(both());
    await expect(start()).rejects.toThrow('not in the configuration of this broker');
  });

  it('and a key of ours that is not published, or cannot sign, stop the start (T146)', async () => {
    await render({ current: kmsKey(next) });
    const rotated = { current: kmsKey(current), next: kmsKey(next) };
    await expect(start(rotated)).rejects.toThrow('which signs: publish it');
    await render(both());
    for (const error of ['DisabledException', 'AccessDeniedException']) {
      next.behave({ error, action: 'Sign' });
      await expect(start(both())).rejects.toThrow('the next key of webIdentity.keys cannot sign');
    }
  });

  it('goes on, and check finds nothing wrong, in each step of a rotation as the page has it', async () => {
    const page = readDocument('web-identity.md');
    const steps = tableRows(page, '| step | configuration | then wait |').map(([number]) => number);
    const [old, fresh] = [kmsKey(current), kmsKey(next)];
    const rotation: readonly (readonly [WebIdentityInput['keys'], WebIdentityInput['keys']?])[] = [
      [{ current: old, next: fresh }],
      [
        { current: old, next: fresh },
        { current: old, next: fresh },
      ],
      [{ current: fresh, previous: old }],
      [{ current: fresh, previous: old }, { current: fresh }],
      [{ current: fresh }],
    ];
    expect(rotation).toHaveLength(steps.length);
    await render({ current: old });
    for (const [keys, published] of rotation) {
      if (published !== undefined) expect(await render(published)).toBe(0);
      expect(await check(keys)).toBe(0);
      await start(keys);
      await broker?.stop();
    }
    expect(text()).not.toMatch(/wrong|unreachable/);
    printed = [];
    await check({ current: fresh });
    expect(text()).not.toContain('doubtful');
  });

  it('of brokers that serve the documents takes the keys with it, so that a restart publishes them', async () => {
    const serving = async (keys: WebIdentityInput['keys']) => {
      const one = await startIssuingBroker({ webIdentity: { keys } });
      try {
        const answer = await fetch(`${one.urls.identity}/broker/${keySetFile}`);
        expect((await one.issue('orders')).status).toBe(200);
        const listed = (await answer.json()) as { readonly keys: readonly { kid: string }[] };
        return listed.keys.map(({ kid }) => kid);
      } finally {
        await one.stop();
      }
    };
    const [old, fresh] = [kmsKey(current), kmsKey(next)];
    const both = await serving({ current: old, next: fresh });
    expect(both).toHaveLength(2);
    expect(await serving({ current: fresh, previous: old })).toEqual(both.toReversed());
    expect(await serving({ current: fresh })).toEqual(both.slice(1));
  });
});
