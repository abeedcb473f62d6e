/** `credential-process` as AWS SDKs run it, in front of a real broker. */

import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { callerToken } from '../../src/cli/caller-token.ts';
import { credentialProcess } from '../../src/cli/commands/credential-process.ts';
import { identityOfToken } from '../../src/disk-cache/cache-key.ts';
import { brokenTokenFiles } from '../support/broken-token-files.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { type CommandOptions, type CommandResult, main, runCommand } from '../support/command.ts';
import { answering, issuedDocument, startOddBroker } from '../support/odd-broker.ts';
import { account, clients, defaultMappings, roleNamed } from '../support/outside-world.ts';
import { arnOfSdkProgram } from '../support/sdk-program.ts';
import { runBash } from '../support/shell.ts';
import { createTestClock } from '../support/test-clock.ts';

let broker: BrokerFixture;
let directory: string;
let cache: string;
let tokenFile: string;

beforeAll(async () => {
  broker = await startBrokerFixture({ stsLatencyMs: 200 });
});
afterAll(() => broker.stop());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'token-broker-command-test-'));
  cache = join(directory, 'cache');
  tokenFile = join(directory, 'token');
  writeFileSync(tokenFile, `${broker.token('orders')}\n`);
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function arguments_(...more: readonly string[]): readonly string[] {
  const at = ['--broker', broker.urls.api, '--token-file', tokenFile, '--cache-dir', cache];
  return ['credential-process', ...at, ...more];
}

const run = (more: readonly string[] = [], options: CommandOptions = {}) =>
  runCommand(arguments_(...more), options);

interface Here {
  /** From now, by the command's own clock. */
  readonly laterMs?: number;
  readonly role?: string;
  readonly durationSeconds?: number;
}

/** In this process, which is faster. */
async function runHere({ laterMs = 0, role, durationSeconds }: Here = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await credentialProcess({
    request: {
      broker: broker.urls.api,
      role,
      durationSeconds,
      identity: { kind: 'token-file', tokenFile },
    },
    cacheDirectory: cache,
    timeoutMs: 2_000,
    clock: createTestClock(Date.now() + laterMs),
    output: { out: (text) => void out.push(text), err: (text) => void err.push(text) },
  });
  return { code, out: out.join(''), err: err.join('') };
}

/** How often the broker was asked while that went on. */
async function asked(work: () => Promise<unknown>): Promise<number> {
  const exchanges = () =>
    broker.auditRecords().filter(({ outcome }) => outcome === 'issued').length;
  const before = exchanges();
  await work();
  return exchanges() - before;
}

function onlyFile(ending = '.json'): string {
  const names = readdirSync(cache).filter((name) => name.endsWith(ending));
  expect(names).toHaveLength(1);
  return join(cache, names[0] as string);
}

const minutes = 60_000;
const printedCredentials = {
  Version: 1,
  AccessKeyId: expect.stringMatching(/^ASIA/),
  SecretAccessKey: expect.any(String),
  SessionToken: expect.any(String),
  Expiration: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
  AccountId: account,
};

describe('token-broker credential-process', () => {
  it('prints one JSON object and nothing else', async () => {
    const { code, out, err } = await run(['--role', 'orders-writer', '--duration', '900']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(JSON.parse(out)).toEqual(printedCredentials);
    expect(out.endsWith('}\n')).toBe(true);
  });

  it('is what an AWS SDK gets credentials from, through a profile', async () => {
    const config = join(directory, 'aws-config');
    const words = [process.execPath, main, ...arguments_('--role', 'orders-writer')];
    writeFileSync(config, `[profile orders]\ncredential_process = ${words.join(' ')}\n`);
    const environment = { AWS_CONFIG_FILE: config, AWS_PROFILE: 'orders', HOME: directory };
    expect(await arnOfSdkProgram(broker.sts.url, environment)).toMatch(
      `arn:aws:sts::${account}:assumed-role/orders-writer/`,
    );
  });

  it('takes everything from the environment, and gets its own tokens', async () => {
    const secretFile = join(directory, 'secret');
    writeFileSync(secretFile, `${clients.reports.clientSecret}\n`, { mode: 0o600 });
    const { code, out, err } = await runCommand(['credential-process'], {
      env: {
        TOKEN_BROKER_URL: broker.urls.api,
        TOKEN_BROKER_ROLE: roleNamed('reports-publisher'),
        TOKEN_BROKER_DURATION: '7200',
        TOKEN_BROKER_TOKEN_ENDPOINT: broker.issuer.tokenEndpoint,
        TOKEN_BROKER_CLIENT_ID: clients.reports.clientId,
        TOKEN_BROKER_CLIENT_SECRET_FILE: secretFile,
        TOKEN_BROKER_SCOPES: 'reports/read reports/publish',
        TOKEN_BROKER_TOKEN_FILE: '',
        XDG_CACHE_HOME: directory,
      },
    });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(JSON.parse(out)).toEqual(printedCredentials);
    cache = join(directory, 'token-broker');
    expect(readFileSync(onlyFile(), 'utf8')).not.toContain(clients.reports.clientSecret);
  });

  it.each([
    ['no broker', ['--token-file', 'x'], '--broker'],
    ['a broker in the clear', ['--broker', 'http://broker.example.com'], 'must be https'],
    ['no identity', ['--broker', 'https://broker.example.com'], '--token-file'],
    [
      'two identities',
      ['--broker', 'https://b.example.com', '--token-file', 'x', '--client-id', 'y'],
      '--token-file',
    ],
    ['a duration that no role has', ['--duration', '60'], '900 to 43200'],
  ])('ends with 2 and one line for %s', async (_what, args, hint) => {
    const { code, out, err } = await runCommand(['credential-process', ...args]);
    expect({ code, out, lines: err.split('\n').length }).toEqual({ code: 2, out: '', lines: 2 });
    expect(err).toContain(hint);
  });

  it('says in one line why there are none, and never with the token', async () => {
    writeFileSync(tokenFile, broker.token('stranger'));
    const { code, out, err } = await run();
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/^token-broker: [^\n]+ \(request [\w-]+\)\n$/);
    expect(err).not.toContain(broker.token('stranger'));
  });

  it.each(['', 'not a token at all', 'x'.repeat(20_000)])(
    'does not repeat a token file that holds no token (%#)',
    async (content) => {
      writeFileSync(tokenFile, content);
      const { code, out, err } = await run();
      expect({ code, out, lines: err.split('\n').length }).toEqual({ code: 1, out: '', lines: 2 });
      expect(err).not.toMatch(/not a token at|xxx/);
    },
  );

  it('gives up at its deadline when the broker hangs', async () => {
    const hanging = await startOddBroker(() => {});
    const { code, out, err } = await run(['--broker', hanging.url, '--timeout', '1']);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toBe(`token-broker: ${hanging.url} gives no answer within 1 s.\n`);
    await hanging.stop();
  });
});

describe('the cache', () => {
  it('makes one request of 50 processes at once', async () => {
    const slow = await startOddBroker((req, res) => {
      setTimeout(() => answering(200, issuedDocument())(req, res), 300);
    });
    const args = ['--broker', slow.url, '--timeout', '60'];
    const results = await Promise.all(Array.from({ length: 50 }, () => run(args)));
    await slow.stop();
    expect(new Set(results.map(({ code, err }) => `${code}${err}`))).toEqual(new Set(['0']));
    expect(new Set(results.map(({ out }) => out)).size).toBe(1);
    expect(slow.requests).toHaveLength(1);
  }, 120_000);

  it('serves for as long as SDKs will be content, and asks again then', async () => {
    expect(await asked(() => runHere())).toBe(1);
    expect(await asked(() => runHere({ laterMs: 30 * minutes }))).toBe(0);
    expect(await asked(() => runHere({ laterMs: 45 * minutes }))).toBe(1);
    // The file of a clock that was far ahead does not keep what is in it alive.
    expect(await asked(() => runHere({ laterMs: -24 * 60 * minutes }))).toBe(1);
  });

  it('asks anew after the clock was set back, because what is kept may have ended', async () => {
    expect(await asked(() => runHere({ laterMs: 45 * minutes }))).toBe(1);
    expect(await asked(() => runHere({ laterMs: 44 * minutes }))).toBe(1);
  });

  it('asks each time for sessions that are too short for that', async () => {
    expect(await asked(() => runHere({ durationSeconds: 900 }))).toBe(1);
    expect(await asked(() => runHere({ durationSeconds: 900 }))).toBe(1);
  });

  it('keeps roles, durations and brokers apart', async () => {
    const role = 'orders-writer';
    expect(await asked(() => runHere())).toBe(1);
    expect(await asked(() => runHere({ role }))).toBe(1);
    expect(await asked(() => runHere({ role, durationSeconds: 3000 }))).toBe(1);
    expect(await asked(() => runHere({ role }))).toBe(0);
    const { code } = await run(['--broker', broker.urls.api.replace('127.0.0.1', 'localhost')]);
    expect(code).toBe(0);
    expect(readdirSync(cache)).toHaveLength(4);
  });

  it('never gives one caller what another one got (T28)', async () => {
    expect((await runHere()).code).toBe(0);
    for (const other of [
      broker.token('stranger'),
      broker.token('reports'),
      broker.token('orders', { scopes: [] }),
    ]) {
      writeFileSync(tokenFile, other);
      const { code, out } = await runHere();
      expect({ code, out }).toEqual({ code: 1, out: '' });
    }
    const secretFile = join(directory, 'secret');
    writeFileSync(secretFile, clients.orders.clientSecret);
    const of = ({ clientId }: { readonly clientId: string }) =>
      runCommand([
        ...['credential-process', '--broker', broker.urls.api, '--cache-dir', cache],
        ...['--token-endpoint', broker.issuer.tokenEndpoint, '--client-id', clientId],
        ...['--client-secret-file', secretFile],
      ]);
    expect((await of(clients.orders)).code).toBe(0);
    expect(await of(clients.stranger)).toMatchObject({ code: 1, out: '' });
  });

  it('keeps what a token got under the identity of that token, though its file is another one by then', async () => {
    const caller = await callerToken({ kind: 'token-file', tokenFile }).caller();
    const first = readFileSync(tokenFile, 'utf8').trim();
    writeFileSync(tokenFile, broker.token('stranger'));
    expect(await caller.token()).toBe(first);
    expect(caller.identity).toEqual(identityOfToken(first));
  });

  it('serves the same caller whatever token it has', async () => {
    await runHere();
    writeFileSync(tokenFile, broker.token('orders'));
    expect(await asked(() => runHere())).toBe(0);
  });

  it('belongs to its user alone, whatever the umask (T30)', async () => {
    await run([], { before: 'umask 000' });
    expect(statSync(cache).mode & 0o777).toBe(0o700);
    expect(statSync(onlyFile()).mode & 0o777).toBe(0o600);
    const text = readFileSync(onlyFile(), 'utf8');
    expect(text).not.toContain(readFileSync(tokenFile, 'utf8').trim());
  });

  const notRead: readonly (readonly [string, (file: string) => unknown])[] = [
    ['empty', (file) => writeFileSync(file, '')],
    ['cut off', (file) => writeFileSync(file, readFileSync(file).subarray(0, 200))],
    ['no JSON', (file) => writeFileSync(file, '\u0000garbage')],
    ['another document', (file) => writeFileSync(file, '{"format":1}')],
    ['enormous', (file) => writeFileSync(file, `${readFileSync(file)}${' '.repeat(1 << 20)}`)],
    ['readable for others', (file) => chmodSync(file, 0o640)],
    [
      'of another key',
      (file) => {
        const text = readFileSync(file, 'utf8');
        writeFileSync(file, text.replace(/"key":"../, '"key":"zz'));
      },
    ],
    [
      'a credential that lives for ever',
      (file) => {
        const text = readFileSync(file, 'utf8');
        writeFileSync(file, text.replace(/"expiration":"\d{4}/, '"expiration":"2999'));
      },
    ],
    [
      'a symbolic link',
      (file) => {
        const elsewhere = join(directory, 'elsewhere');
        copyFileSync(file, elsewhere);
        chmodSync(elsewhere, 0o600);
        rmSync(file);
        symlinkSync(elsewhere, file);
      },
    ],
    [
      'a pipe',
      async (file) => {
        rmSync(file);
        await runBash('mkfifo -m 600 "$FILE"', { cwd: directory, env: { FILE: file } });
      },
    ],
    // Only the superuser can make one.
    ...(process.getuid?.() === 0
      ? ([["somebody else's", (file: string) => chownSync(file, 65_534, 65_534)]] as const)
      : []),
  ];
  it.each(notRead)('does not read a file that is %s, and replaces it', async (_what, spoil) => {
    const first = await runHere();
    await spoil(onlyFile());
    let again: Awaited<ReturnType<typeof runHere>> | undefined;
    const requests = await asked(async () => {
      again = await runHere();
    });
    expect(requests).toBe(1);
    expect(again).toEqual({ code: 0, out: first.out, err: '' });
    expect(await asked(() => runHere())).toBe(0);
    expect(statSync(onlyFile()).mode & 0o777).toBe(0o600);
  });

  const notUsable: readonly (readonly [string, () => unknown, string?])[] = [
    ['is open to others', () => mkdirSync(cache, { mode: 0o755 })],
    ['is a file', () => writeFileSync(cache, '')],
    ['is a symbolic link', () => symlinkSync(tmpdir(), cache)],
    ['cannot be made', () => writeFileSync(join(directory, 'plain'), ''), 'plain/cache'],
    ['is on a disk that takes no byte', () => mkdirSync(cache, { mode: 0o700 })],
  ];
  it.each(notUsable)('is done without where its folder %s', async (what, prepare, at = 'cache') => {
    prepare();
    cache = join(directory, at);
    const full = what.includes('disk') ? { before: 'ulimit -f 0' } : {};
    const { code, out, err } = await run([], full);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual(printedCredentials);
    expect(err).toMatch(/^The cache in .* is not used: .+\n$/);
    expect(err.split('\n')).toHaveLength(2);
    if (existsSync(cache) && statSync(cache).isDirectory()) {
      expect(readdirSync(cache).filter((name) => /^[0-9a-f]{64}/.test(name))).toEqual([]);
    }
  });

  it('is not there with --no-cache', async () => {
    expect(await asked(() => run(['--no-cache']))).toBe(1);
    expect(await asked(() => run(['--no-cache']))).toBe(1);
    expect(existsSync(cache)).toBe(false);
  });

  it('forgets the credentials of users that are gone', async () => {
    await runHere();
    const old = join(cache, `${'0'.repeat(64)}.json`);
    renameSync(onlyFile(), old);
    await runBash('touch -d "14 hours ago" "$FILE"', { cwd: directory, env: { FILE: old } });
    await runHere();
    expect(onlyFile()).not.toBe(old);
  });
});

describe('the lock of the cache', () => {
  async function lockFile(): Promise<string> {
    await runHere();
    const file = onlyFile();
    rmSync(file);
    return file.replace(/\.json$/, '.lock');
  }

  it('is waited for no longer than the deadline, and left to its holder', async () => {
    const file = await lockFile();
    const held = `${hostname()} ${process.pid} 0123456789abcdef`;
    writeFileSync(file, held, { mode: 0o600 });
    expect(await run(['--timeout', '1'])).toMatchObject({ code: 0, err: '' });
    expect(readFileSync(file, 'utf8')).toBe(held);
  });

  it.each([
    // Above what Linux gives out.
    ['of a process that is gone', `${hostname()} 4194999 0123456789abcdef`, 'now'],
    ['that is far too old', 'another-host 1 0123456789abcdef', '10 minutes ago'],
    ['that is empty and far too old', '', '10 minutes ago'],
    ['whose clock was far ahead', 'another-host 1 0123456789abcdef', 'tomorrow'],
  ])(
    'is taken over from a holder %s',
    async (_what, content, when) => {
      const file = await lockFile();
      writeFileSync(file, content, { mode: 0o600 });
      await runBash(`touch -d '${when}' "$FILE"`, { cwd: directory, env: { FILE: file } });
      const startedAt = performance.now();
      // So long a wait would end this test.
      expect(await run(['--timeout', '30'])).toMatchObject({ code: 0, err: '' });
      expect(performance.now() - startedAt).toBeLessThan(20_000);
      expect(readdirSync(cache)).toEqual([expect.stringMatching(/\.json$/)]);
    },
    60_000,
  );
});

describe('while the broker does not issue', () => {
  let shared: BrokerFixture;
  beforeEach(async () => {
    shared = broker;
    broker = await startBrokerFixture();
    writeFileSync(tokenFile, broker.token('orders'));
  });
  afterEach(async () => {
    await broker.stop();
    broker = shared;
  });

  it('goes on with what lives for more than a minute', async () => {
    const first = await runHere();
    await broker.stopBroker();
    expect(await runHere({ laterMs: 58 * minutes })).toEqual(first);
    const { code, out, err } = await runHere({ laterMs: 59.5 * minutes });
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/^token-broker: http:\S+ does not answer \(ECONNREFUSED\)\.\n$/);
  });

  it.each([400, 401, 403, 404])(
    'goes on with that where something in its place answers %i that is no broker (T356)',
    async (status) => {
      let answer = answering(200, issuedDocument(new Date(Date.now() + 10 * minutes)));
      const odd = await startOddBroker((req, res) => answer(req, res));
      const first = await run(['--broker', odd.url]);
      answer = answering(status, { message: 'sign in to this network' });
      expect(await run(['--broker', odd.url])).toEqual(first);
      await odd.stop();
      expect([first.code, odd.requests.length]).toEqual([0, 2]);
    },
  );

  it('takes what another process was given meanwhile', async () => {
    let second: Promise<CommandResult> | undefined;
    const odd = await startOddBroker((req, res) => {
      if (second !== undefined) return answering(200, issuedDocument())(req, res);
      second = run(['--broker', odd.url, '--timeout', '1']);
      second.then(
        () => answering(503, { message: 'overloaded' })(req, res),
        () => req.destroy(),
      );
    });
    const first = await run(['--broker', odd.url, '--timeout', '60']);
    await odd.stop();
    expect(first).toMatchObject({ code: 0 });
    expect(first).toEqual(await second);
  });

  it('forgets what a caller got that is denied now', async () => {
    await runHere();
    const mapping = defaultMappings[0] as (typeof defaultMappings)[0];
    await broker.putMapping({ ...mapping, enabled: false });
    expect(await runHere({ laterMs: 41 * minutes })).toMatchObject({ code: 1, out: '' });
    await broker.stopBroker();
    expect(await runHere()).toMatchObject({ code: 1, out: '' });
    expect(readdirSync(cache)).toEqual([]);
  });

  it.each(brokenTokenFiles)(
    'does not hide a token file that %s (T157)',
    async (_case, spoilt, why) => {
      expect((await runHere()).code).toBe(0);
      writeFileSync(tokenFile, spoilt(Buffer.from(broker.token('orders'))));
      expect(await runHere()).toEqual({
        code: 1,
        out: '',
        err: `token-broker: ${tokenFile} ${why}\n`,
      });
    },
  );

  it('does not hide a token whose signature is gone (T157)', async () => {
    expect((await runHere()).code).toBe(0);
    writeFileSync(tokenFile, broker.token('orders').replace(/[^.]+$/, ''));
    expect(await runHere()).toMatchObject({ code: 1, out: '' });
  });

  it('does not hide that the token is no longer accepted', async () => {
    await runHere();
    const [header, payload] = broker.token('orders').split('.');
    writeFileSync(tokenFile, `${header}.${payload}.${'A'.repeat(342)}`);
    const { code, out } = await runHere({ laterMs: 41 * minutes });
    expect({ code, out }).toEqual({ code: 1, out: '' });
  });
});

describe('a broker where those variables are set', () => {
  it('does not take them for settings', async () => {
    const file = join(directory, 'config.yaml');
    writeFileSync(file, 'profile: development\n');
    const env = { TOKEN_BROKER_URL: 'https://broker.example.com', TOKEN_BROKER_NONSENSE: '1' };
    const { err } = await runCommand(['config', 'check', '--config', file], { env });
    expect(err).toContain('TOKEN_BROKER_NONSENSE');
    expect(err).not.toContain('TOKEN_BROKER_URL');
  });
});
