import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { closeServer, listenOnLoopback } from '../../emulators/loopback-http.ts';
import { adding, topCommands } from '../../src/cli/admin/admin-commands.ts';
import {
  type AdminHarness,
  adminPool,
  callerClient,
  legacyClient,
  startAdmin,
  testMapping,
  testRole,
} from '../support/admin-harness.ts';
import { brokenTokenFiles } from '../support/broken-token-files.ts';
import { runCommandLine } from '../support/command-line.ts';
import { claimRef } from '../support/domain.ts';
import { temporaryFolders } from '../support/mapping-folder.ts';

const folders = temporaryFolders();
let admin: AdminHarness;

beforeAll(async () => {
  admin = await startAdmin();
  await admin.create(
    testMapping('orders', {
      conditions: { scopes: ['orders/write'] },
      session: { name: '{client}' },
    }),
  );
  await admin.create(
    testMapping('invoices', {
      principal: { pool: adminPool, client: legacyClient },
      session: {
        policy: {
          Version: '2012-10-17',
          Statement: [
            { Effect: 'Allow', Action: 's3:*', Resource: `arn:aws:s3:::x/${claimRef('sub')}` },
          ],
        },
      },
    }),
  );
});

afterAll(async () => {
  await admin.stop();
  folders.remove();
});

const tokenFile = (text: string) => join(folders.folder({ 'token.jwt': `${text}\n` }), 'token.jwt');
const callerToken = (scopes: readonly string[], clientId = callerClient) =>
  tokenFile(admin.issuer.issueAccessToken({ clientId, scopes }));

interface Asked {
  readonly adminUrl?: string;
  readonly adminTokenFile?: string;
  /** Null: none. */
  readonly tokenFile?: string | null;
  readonly role?: string;
  readonly duration?: number;
  readonly sourceIp?: string;
  readonly output?: string;
  readonly more?: readonly string[];
}

const explain = (asked: Asked = {}) => {
  const { more = [], ...options } = {
    adminUrl: admin.url,
    adminTokenFile: tokenFile(admin.token()),
    tokenFile: callerToken(['orders/write']),
    ...asked,
  };
  const words = Object.entries(options).flatMap(([name, value]) =>
    value === null ? [] : [`--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`, `${value}`],
  );
  return runCommandLine(adding(topCommands.explain), ['explain', ...words, ...more]);
};

describe('explain', () => {
  it('says what would be allowed, by which mapping, and what STS would be sent', async () => {
    const { code, out, err } = await explain({ role: 'orders', sourceIp: '10.0.0.7' });
    expect([code, err]).toEqual([0, '']);
    expect(out).toBe(`ALLOW
  asked for orders, from 10.0.0.7; policy revision ${await admin.table.head()}
  mapping orders (version 1, allow ${testRole}, owner orders-team)

STS would be sent, besides the token:
  roleArn: ${testRole}
  roleSessionName: ${callerClient}
  durationSeconds: 3600
  policyCharacters: 0
  policyCharactersAllowed: 2048

This caller could get now:
  orders (version 1, allow ${testRole}, owner orders-team)
`);
  });

  it('names the condition that failed, with what was wanted and what there is, and exits with 1', async () => {
    const { code, out } = await explain({
      role: testRole,
      tokenFile: callerToken(['orders/read']),
    });
    expect(code).toBe(1);
    expect(out).toMatch(/^DENY: scope_missing\n/);
    expect(out).toContain('conditions.scopes: wants ["orders/write"], is ["orders/read"]');
  });

  it('says of a mapping near by that it can match nobody (T96)', async () => {
    const principal = { pool: adminPool, client: 'nobody0has0this0client' };
    await admin.create(testMapping('waiting', { principal }));
    const { out } = await explain({ role: 'waiting' });
    expect(out).toContain('matches nobody: principal.client is none of the app clients');
  });

  it('prints the whole explanation as JSON', async () => {
    const { code, out } = await explain({ role: 'orders', duration: 7200, output: 'json' });
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      request: { role: 'orders', durationSeconds: 7200 },
      decision: { outcome: 'duration_not_allowed', allowed: { maxDurationSeconds: 3600 } },
    });
  });

  it('does not call allowed what STS would refuse, or a token that the broker refuses', async () => {
    const withoutAudience = await explain({ tokenFile: callerToken([], legacyClient) });
    expect([withoutAudience.code, withoutAudience.out]).toEqual([
      1,
      expect.stringMatching(/^REFUSED: token_audience_missing\n/),
    ]);
    const forged = await explain({ tokenFile: tokenFile('eyJhbGciOiJub25lIn0.e30.') });
    expect([forged.code, forged.out]).toEqual([1, expect.stringMatching(/^REFUSED: token_/)]);
  });

  it('says so when the administrator is refused, with the code and the request id', async () => {
    const { code, out, err } = await explain({ adminTokenFile: callerToken(['x/y']) });
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(
      /^The admin listener answers 403: .*; code access_denied; request [\w-]+\n$/,
    );
  });

  it('never prints a token', async () => {
    const secret = admin.issuer.issueAccessToken({ clientId: callerClient, scopes: [] });
    for (const output of ['json', 'table']) {
      const { out, err } = await explain({ tokenFile: tokenFile(secret), output });
      expect(out + err).not.toContain(secret.split('.')[2]);
    }
  });
});

describe('explain, of a caller that is described', () => {
  const described = (...more: readonly string[]) =>
    explain({ tokenFile: null, more: ['--pool', adminPool, ...more] });

  it('decides as it would for a token that says so', async () => {
    const more = ['--client', callerClient, '--role', 'orders'];
    expect((await described(...more, '--scope', 'orders/write')).out).toMatch(/^ALLOW\n/);
    const without = await described(...more);
    expect([without.code, without.out]).toEqual([1, expect.stringMatching(/^DENY: scope_missing/)]);
  });

  it('has claims, of texts and of others, and may be anybody of a group', async () => {
    const asked = async (...more: readonly string[]) =>
      JSON.parse((await described(...more, '-o', 'json')).out);
    const role = ['--role', 'orders', '--scope', 'orders/write'];
    const claims = ['--claim', 'custom:team=a', '--claim', 'custom:team=b'];
    const known = await asked('--client', callerClient, ...role, ...claims);
    expect(known.decision.outcome).toBe('allow');
    const group = await asked('--group', 'billing', ...role);
    expect(group.decision).toMatchObject({ outcome: 'deny', reason: 'no_mapping' });
    const unknown = await described('--client', callerClient, '--claim', 'custom:cost=1');
    expect(unknown.code).toBe(1);
    for (const claim of ['custom:team', '=x', 'custom:team:=x']) {
      const wrong = await described('--client', callerClient, '--claim', claim);
      expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('--claim')]);
    }
  });

  it('asks who it is where that is not said, or said twice', async () => {
    const nobody = await described();
    expect([nobody.code, nobody.err]).toEqual([2, expect.stringMatching(/^Say about whom: /)]);
    const both = await explain({ more: ['--pool', adminPool, '--client', callerClient] });
    expect([both.code, both.err]).toEqual([2, expect.stringContaining('not both')]);
  });
});

describe('explain refuses', () => {
  it.each([
    ['not a url', 'must be an http or https URL'],
    ['ftp://127.0.0.1', 'must be an http or https URL'],
    ['http://user:password@127.0.0.1', 'must be an http or https URL'],
    ['http://broker.example', 'must be https'],
    ['http://127.0.0.1.example', 'must be https'],
  ])('%s', async (url, expected) => {
    const { code, err } = await explain({ adminUrl: url });
    expect([code, err]).toEqual([2, expect.stringContaining(expected)]);
  });

  it.each(brokenTokenFiles)('T157: a token file that %s', async (_case, spoilt, why) => {
    const whole = Buffer.from(admin.token());
    const file = folders.folder({ 'token.jwt': '' });
    writeFileSync(join(file, 'token.jwt'), spoilt(whole));
    for (const member of ['tokenFile', 'adminTokenFile']) {
      const { code, err } = await explain({ [member]: join(file, 'token.jwt') });
      expect([code, err]).toEqual([2, `${join(file, 'token.jwt')} ${why}\n`]);
    }
  });

  it('a file that holds no token, without showing what it holds', async () => {
    for (const text of ['', 'not a token', 'a.b.c\nd.e.f', 'x'.repeat(20_000)]) {
      const { code, err } = await explain({ tokenFile: tokenFile(text) });
      expect([code, err]).toEqual([
        2,
        expect.stringMatching(/token\.jwt (?:must hold|is empty|cannot be read \(too large)/),
      ]);
      expect(err).not.toContain('not a token');
    }
    expect(await explain({ adminTokenFile: folders.path('absent') })).toMatchObject({
      code: 2,
      err: expect.stringContaining('ENOENT'),
    });
  });
});

describe('what answers in place of an admin listener', () => {
  const stranger = createServer((req, res) => {
    const path = req.url ?? '';
    if (path.startsWith('/redirect'))
      res.writeHead(307, { location: `${admin.url}/v1/explain` }).end();
    else if (path.startsWith('/html')) res.end('<p>Sign in</p>');
    else if (path.startsWith('/large')) res.end(`{"a":"${'x'.repeat(5 * 1024 * 1024)}"}`);
    else if (path.startsWith('/other')) res.end('{"policyRevision":"\\u001b[2J"}');
    else if (path.startsWith('/rude')) res.writeHead(500).end('{"detail":"\\u001b[2Jrude"}');
    else res.destroy();
  });
  let base: string;
  beforeAll(async () => {
    base = await listenOnLoopback(stranger);
  });
  afterAll(() => closeServer(stranger));

  it.each([
    ['redirect', 'does not answer'],
    ['html', 'answers 200, and not as an admin listener would'],
    ['large', 'answers 200, and not as an admin listener would'],
    ['rude', '500: \\u{1b}[2Jrude'],
    ['silent', 'does not answer'],
  ])('is reported: %s', async (kind, expected) => {
    const { code, out, err } = await explain({ adminUrl: `${base}/${kind}` });
    expect([code, out, err]).toEqual([1, '', expect.stringContaining(expected)]);
  });

  it('never gets the tokens by a path that names another host', async () => {
    const { code, out, err } = await explain({ adminUrl: `${base}//${new URL(admin.url).host}` });
    expect([code, out, err]).toEqual([1, '', expect.stringContaining(`${base} does not answer`)]);
  });

  it('is not taken for an explanation because it is JSON', async () => {
    const { code, out } = await explain({ adminUrl: `${base}/other` });
    expect([code, out]).toEqual([1, expect.stringContaining('cannot read the explanation')]);
  });

  it('is reported when nothing listens there', async () => {
    const closed = createServer();
    const adminUrl = await listenOnLoopback(closed);
    await closeServer(closed);
    const { code, err } = await explain({ adminUrl });
    expect([code, err]).toEqual([1, expect.stringContaining('ECONNREFUSED')]);
  });
});
