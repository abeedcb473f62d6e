import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { configText } from '../../emulators/config-text.ts';
import { configCheck } from '../../src/cli/commands/config.ts';
import { captured, configFor, temporaryFolders } from '../support/mapping-folder.ts';
import { ordinaryProcess } from '../support/ordinary-process.ts';
import { rsaKeyPair } from '../support/rsa-keys.ts';
import { selfSigned } from '../support/self-signed.ts';

const folders = temporaryFolders();
afterAll(() => folders.remove());

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const rsa = rsaKeyPair().publicKey;
const pem = (key: typeof publicKey) => key.export({ type: 'spki', format: 'pem' }) as string;
const keys = folders.folder({
  'good.pub': pem(publicKey),
  'rsa.pub': pem(rsa),
  'private.pem': privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  'empty.pub': '',
});

const config = configFor('role-mappings', 'http://127.0.0.1:1', '/audit');

interface Asked {
  readonly fileOnly?: boolean;
  readonly json?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly userId?: number;
}

function check(document: object, { fileOnly = false, json = false, env = {}, userId }: Asked = {}) {
  const file = join(folders.folder({ 'config.yaml': configText(document) }), 'config.yaml');
  const source = { file, env, runtime: { ...ordinaryProcess, userId } };
  return captured((output) => configCheck({ source, fileOnly, json, output }));
}

it.each([
  ['a key that can verify', 'good.pub', 0, ''],
  ['an RSA key', 'rsa.pub', 78, 'Ed25519'],
  ['a private key', 'private.pem', 78, 'private key'],
  ['an empty file', 'empty.pub', 78, 'no public key'],
  ['no file', 'absent.pub', 78, 'absent.pub'],
])('looks at the public keys of seals: %s', async (_, name, code, words) => {
  const file = join(keys, name);
  const seal = { publicKeyFiles: [file] };
  const ran = await check({ ...config, policy: { ...config.policy, seal } });

  expect(ran.code).toBe(code);
  expect(ran.err).toContain(words);
  if (code !== 0) expect(ran.err).toContain(`policy.seal.publicKeyFiles.0: on this host, ${file}`);
});

describe('tells apart what the file, the environment, the process and this host have wrong', () => {
  const pool = 'us-east-1_AbCdEf123';
  const one = selfSigned('one');
  const other = selfSigned('other');
  const pair = folders.folder({ 'tls.crt': one.cert, 'tls.key': other.key });
  const tls = { certFile: join(pair, 'tls.crt'), keyFile: join(pair, 'tls.key') };
  const sound = {
    profile: 'production',
    listeners: { api: { tls } },
    identity: {
      userPools: [
        { pool, issuer: `https://cognito-idp.us-east-1.amazonaws.com/${pool}`, clients: ['one'] },
      ],
    },
    policy: { table: 'role-mappings', region: 'us-east-1' },
    sts: { endpoints: [{ region: 'us-east-1' }] },
    audit: { stdout: true },
  };
  const slip = { ...sound, http: { maxBodyBytes: 1 } };
  const elsewhere = { env: { TOKEN_BROKER_CACHE_MAX_ENTRIES: 'many' }, userId: 0 };

  it('all at once, in words', async () => {
    const { code, err } = await check(slip, elsewhere);
    expect(code).toBe(78);
    const lines = err.trimEnd().split('\n');
    expect(lines.map((line) => line.replace(/^\S+config\.yaml/, 'config.yaml'))).toEqual([
      expect.stringMatching(
        /^config\.yaml:6:7: listeners\.api\.tls\.keyFile: on this host, \S+ is not the key/,
      ),
      'config.yaml:22:3: http.maxBodyBytes: must be at least 256',
      'environment: TOKEN_BROKER_CACHE_MAX_ENTRIES: cache.maxEntries: must be a number',
      'this process: must not run as root in the production profile',
      'the configuration has 4 faults: 1 in the file, 1 in the environment, 1 of this process, 1 on this host; docs/configuration.md explains every setting',
    ]);
  });

  it('and to programs', async () => {
    const { code, out, err } = await check(slip, { ...elsewhere, json: true });
    expect([code, err]).toEqual([78, '']);
    const { valid, faults } = JSON.parse(out);
    expect(valid).toBe(false);
    const detail = expect.any(String);
    expect(faults).toMatchObject([
      { source: 'host', line: 6, col: 7, setting: 'listeners.api.tls.keyFile', detail },
      { source: 'file', line: 22, col: 3, setting: 'http.maxBodyBytes', detail },
      { source: 'environment', variable: 'TOKEN_BROKER_CACHE_MAX_ENTRIES', detail },
      { source: 'process', setting: '', detail },
    ]);
  });

  it('and looks at the file alone where it is asked to, as root and without the certificate', async () => {
    const alone = { ...elsewhere, fileOnly: true };
    expect(await check(sound, alone)).toMatchObject({ code: 0, err: '' });
    const { out } = await check(sound, { ...alone, json: true });
    expect(JSON.parse(out)).toEqual({ valid: true, profile: 'production', faults: [] });
    const { code, out: faulty } = await check(slip, { ...alone, json: true });
    expect([code, JSON.parse(faulty).faults]).toMatchObject([78, [{ source: 'file' }]]);
  });

  it('without letting a name in the file act on the terminal', async () => {
    const { err } = await check({ ...sound, 'a\u001b[2Jb': 1 }, { fileOnly: true });
    expect(err).toContain('\\u{1b}');
    expect(err).not.toContain('\u001b');
  });
});
