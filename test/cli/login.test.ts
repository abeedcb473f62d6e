import {
  chmodSync,
  copyFileSync,
  existsSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { closeServer, listenOnLoopback } from '../../emulators/loopback-http.ts';
import { adding, topCommands } from '../../src/cli/admin/admin-commands.ts';
import { addLoginCommand } from '../../src/cli/admin/login/login.ts';
import { addLogoutCommand } from '../../src/cli/admin/login/logout.ts';
import type { AddCommand } from '../../src/cli/edge.ts';
import { type Clock, systemClock } from '../../src/kit/timing/clock.ts';
import type { BrokerFixture } from '../support/broker-fixture.ts';
import { runCommandLine, startCommandLine } from '../support/command-line.ts';
import { ada, startConsoleBroker } from '../support/console-broker.ts';
import { hostileFiles } from '../support/hostile-files.ts';
import { type Ran, temporaryFolders } from '../support/mapping-folder.ts';
import { clients } from '../support/outside-world.ts';
import { createTestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';

const folders = temporaryFolders();
let broker: BrokerFixture;

beforeAll(async () => {
  broker = await startConsoleBroker();
});

afterAll(async () => {
  await broker.stop();
  folders.remove();
});

const portOf = async (server: Server) => Number(new URL(await listenOnLoopback(server)).port);

/** One that nobody listens on, as far as anybody can say. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await portOf(server);
  await closeServer(server);
  return port;
}

interface LoginOptions {
  readonly adminUrl?: string;
  readonly clock?: Clock;
  readonly file?: string;
  readonly port?: number;
  readonly more?: readonly string[];
}

interface Login {
  readonly port: number;
  readonly redirectUri: string;
  readonly file: string;
  readonly env: Readonly<Record<string, string>>;
  /** The page that somebody is asked to open. */
  page(): Promise<URL>;
  readonly done: Promise<Ran>;
}

async function begin(options: LoginOptions = {}): Promise<Login> {
  const { adminUrl = broker.urls.admin, clock = systemClock, more = [] } = options;
  const port = options.port ?? (await freePort());
  const redirectUri = `http://localhost:${port}/callback`;
  broker.issuer.allowCallback(clients.console.clientId, redirectUri);
  const file = options.file ?? join(folders.folder(), 'session', 'session.json');
  const env = { TOKEN_BROKER_SESSION_FILE: file };
  const args = ['login', '--admin-url', adminUrl ?? '', '--port', String(port), ...more];
  const login: AddCommand = (program, edge) => addLoginCommand(program, edge, clock);
  const { ran, done } = startCommandLine(login, args, { env });
  const page = async () => {
    await until(() => /^http.*\n/m.test(ran.err) || ran.code >= 0);
    return new URL(/^http.*$/m.exec(ran.err)?.[0] ?? `nothing but ${ran.err}`);
  };
  return { port, redirectUri, file, env, page, done: done.then(() => ran) };
}

/** What the browser of somebody who chooses Ada is sent to. */
async function answerFor(page: URL): Promise<URL> {
  const form = new URLSearchParams(page.searchParams);
  form.set('user', ada.username);
  const answer = await fetch(page.origin + page.pathname, {
    method: 'POST',
    body: form,
    redirect: 'manual',
  });
  return new URL(answer.headers.get('location') ?? 'nowhere');
}

const changed = (url: URL, change: (parameters: URLSearchParams) => void): URL => {
  const other = new URL(url);
  change(other.searchParams);
  return other;
};

const freezes = (args: readonly string[], env: Readonly<Record<string, string>>) =>
  runCommandLine(adding(topCommands.freezes), ['freezes', ...args], { env });

async function signedIn(file?: string): Promise<Login> {
  const login = await begin(file === undefined ? {} : { file });
  await fetch(await answerFor(await login.page()));
  expect(await login.done).toMatchObject({ code: 0 });
  return login;
}

describe('login', () => {
  it('signs a person in, and the commands after it need neither a URL nor a token', async () => {
    const login = await begin();
    const page = await login.page();
    expect(page.searchParams.get('code_challenge_method')).toBe('S256');
    const shown = await fetch(await answerFor(page));
    expect([shown.status, await shown.text()]).toEqual([200, expect.stringContaining('close')]);
    const { code, out } = await login.done;
    expect([code, out]).toEqual([0, expect.stringContaining(login.file)]);
    expect((statSync(login.file).mode & 0o777).toString(8)).toBe('600');
    expect(await freezes([], login.env)).toMatchObject({ code: 0, err: '' });
  });

  it('gets a token for a machine by its client and secret', async () => {
    const secret = join(folders.folder({ secret: clients.admin.clientSecret }), 'secret');
    const machine = ['--token-endpoint', broker.issuer.tokenEndpoint];
    const more = [
      ...machine,
      '--client-id',
      clients.admin.clientId,
      '--client-secret-file',
      secret,
    ];
    const login = await begin({ more });
    expect(await login.done).toMatchObject({ code: 0 });
    expect(await freezes([], login.env)).toMatchObject({ code: 0 });
    const half = await begin({ more: machine });
    expect(await half.done).toMatchObject({ code: 2 });
  });

  it('shows nothing of the token or the code', async () => {
    const login = await begin();
    const answer = await answerFor(await login.page());
    await fetch(answer);
    const { out, err } = await login.done;
    const { token } = JSON.parse(readFileSync(login.file, 'utf8'));
    for (const secret of [token, answer.searchParams.get('code')]) {
      expect(out + err).not.toContain(secret);
    }
  });

  it('ends by itself when nobody signs in, and when the issuer says no', async () => {
    const clock = createTestClock();
    const login = await begin({ clock });
    await login.page();
    await clock.advance(5 * 60_000);
    expect(await login.done).toMatchObject({ code: 1, err: expect.stringContaining('5 minutes') });
    const refused = await begin();
    const state = (await refused.page()).searchParams.get('state') ?? '';
    await fetch(`${refused.redirectUri}?${new URLSearchParams({ error: 'no\u001b[2J', state })}`);
    const { code, err } = await refused.done;
    expect([code, err]).toEqual([1, expect.stringContaining('refused: no\\u{1b}[2J')]);
  });

  it('says so where another program has the port', async () => {
    const other = createServer();
    const port = await portOf(other);
    const login = await begin({ port });
    expect(await login.done).toMatchObject({ code: 1, err: expect.stringContaining('--port') });
    await closeServer(other);
  });
});

describe('what comes to the loopback port', () => {
  it('T219: is taken only if it answers this sign-in, and a stranger does not end the waiting', async () => {
    const login = await begin();
    const answer = await answerFor(await login.page());
    const otherState = 'A'.repeat(43);
    const strange = [
      changed(answer, (parameters) => parameters.set('state', otherState)),
      changed(answer, (parameters) => parameters.delete('state')),
      changed(answer, (parameters) => parameters.append('state', otherState)),
      changed(answer, (parameters) => parameters.set('iss', 'https://issuer.example')),
      changed(answer, (parameters) => parameters.set('error', 'access_denied')),
      changed(answer, (parameters) => parameters.append('code', 'another')),
      changed(answer, (parameters) => parameters.delete('code')),
      new URL(`${login.redirectUri}/x${answer.search}`),
    ];
    for (const url of strange)
      expect([url.href, (await fetch(url)).status]).toEqual([url.href, 400]);
    expect((await fetch(answer, { method: 'POST' })).status).toBe(400);
    // A page of somebody else's, whose name leads to this machine.
    const path = answer.pathname + answer.search;
    const rebound = await statusFor(login.port, path, `broker.example:${login.port}`);
    expect(rebound).toBe(400);
    expect(existsSync(login.file)).toBe(false);
    expect((await fetch(answer)).status).toBe(200);
    expect(await login.done).toMatchObject({ code: 0 });
  });

  it.each(['//', 'http://[', String.raw`/\\`, '*', '/callback?%', '/callback?state=%ff'])(
    'T352: does not end the command where it is no URL: %s',
    async (target) => {
      const login = await begin();
      const answer = await answerFor(await login.page());
      const host = `localhost:${login.port}`;
      expect(await statusFor(login.port, target, host)).toBe(400);
      expect((await fetch(answer)).status).toBe(200);
      expect(await login.done).toMatchObject({ code: 0 });
    },
  );

  it('T219: is one answer: nothing is there for a second', async () => {
    const login = await begin();
    const answer = await answerFor(await login.page());
    const statuses = await Promise.allSettled([fetch(answer), fetch(answer)]);
    expect(statuses.filter((one) => one.status === 'fulfilled' && one.value.ok)).toHaveLength(1);
    await login.done;
    await expect(fetch(answer)).rejects.toThrow();
  });
});

describe('a code', () => {
  it('T220: that was issued for another sign-in gives nothing, although it comes with the right state', async () => {
    const login = await begin();
    const page = await login.page();
    const theirs = changed(page, (parameters) => parameters.set('code_challenge', 'B'.repeat(43)));
    await fetch(await answerFor(theirs));
    const { code, err } = await login.done;
    expect([code, err]).toEqual([1, expect.stringContaining('gives no token')]);
    expect(existsSync(login.file)).toBe(false);
  });
});

describe('what is secret', () => {
  const sent: string[] = [];
  let stranger: Server;
  let url: string;
  let settings: object;
  beforeAll(async () => {
    stranger = createServer((req, res) => {
      sent.push(req.url ?? '');
      if (req.url === '/token') res.writeHead(307, { location: `${url}/elsewhere` }).end();
      else res.end(JSON.stringify(settings));
    });
    url = await listenOnLoopback(stranger);
  });
  afterAll(() => closeServer(stranger));
  const from = (endpoints: object) => {
    const page = `${url}/authorize`;
    const scopes = { read: 'r' };
    settings = {
      clientId: 'c',
      issuer: url,
      authorizationEndpoint: page,
      tokenEndpoint: url,
      scopes,
      ...endpoints,
    };
  };

  it.each([
    ['authorizationEndpoint', 'http://sign-in.example/'],
    ['authorizationEndpoint', 'javascript:alert(1)'],
    ['tokenEndpoint', 'http://sign-in.example/'],
    ['tokenEndpoint', 'http://127.0.0.1.example/'],
    ['tokenEndpoint', 'https://user:password@sign-in.example/'],
    ['tokenEndpoint', 'https://:password@sign-in.example/'],
    ['authorizationEndpoint', 'https://:sign-in.example@elsewhere.example/'],
  ])('T221: goes nowhere in the clear: %s %s', async (name, value) => {
    from({ [name]: value });
    const login = await begin({ adminUrl: url });
    const { code, err } = await login.done;
    expect([code, err]).toEqual([1, expect.stringContaining('does not say where people sign in')]);
  });

  it.each(['http://ada:secret@127.0.0.1:1', 'http://:secret@127.0.0.1:1'])(
    'T221: is not kept as part of a URL: %s',
    async (adminUrl) => {
      const { code, out, err } = await (await begin({ adminUrl })).done;
      expect([code, out, err]).toEqual([2, '', expect.stringContaining('user information')]);
    },
  );

  it('T221: does not follow a token endpoint that sends it elsewhere', async () => {
    from({ tokenEndpoint: `${url}/token` });
    const login = await begin({ adminUrl: url });
    const state = (await login.page()).searchParams.get('state') ?? '';
    await fetch(`${login.redirectUri}?${new URLSearchParams({ code: 'c', state })}`);
    expect(await login.done).toMatchObject({ code: 1, err: expect.stringContaining('redirects') });
    expect(sent).not.toContain('/elsewhere');
    expect(existsSync(login.file)).toBe(false);
  });

  it('T221: is shown to the broker that it is for, and to no other', async () => {
    const login = await signedIn();
    sent.length = 0;
    const { code, err } = await freezes(['--admin-url', url], login.env);
    expect([code, err, sent]).toEqual([2, expect.stringContaining('not signed in at'), []]);
  });
});

describe('the file with the token', () => {
  it.each([
    ...hostileFiles,
    ['readable by everybody', (file: string) => chmodSync(file, 0o604)] as const,
    ['readable by a group', (file: string) => chmodSync(file, 0o640)] as const,
  ])('T222: is not used where it is %s', async (_case, swap) => {
    const login = await signedIn();
    swap(login.file);
    const { code, out, err } = await freezes([], login.env);
    expect([code, out, err]).toEqual([2, '', expect.stringContaining('session.json')]);
  });

  it('T222: is not written into a folder that others can look into, and nobody signs in first', async () => {
    const open = folders.folder();
    chmodSync(open, 0o755);
    const login = await begin({ file: join(open, 'session.json') });
    const { code, err } = await login.done;
    expect([code, err]).toEqual([1, expect.stringContaining('0700')]);
    expect(err).not.toContain('http');
    expect(existsSync(login.file)).toBe(false);
  });

  it('T222: is not written into a folder that was opened to others in the meantime', async () => {
    const login = await begin();
    const answer = await answerFor(await login.page());
    chmodSync(dirname(login.file), 0o755);
    await fetch(answer);
    expect(await login.done).toMatchObject({ code: 1, err: expect.stringContaining('0700') });
    expect(existsSync(login.file)).toBe(false);
  });
});

function statusFor(port: number, path: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, headers: { host } }, (res) => {
      res.resume();
      resolve(res.statusCode);
    });
    sent.once('error', reject);
    sent.end();
  });
}

describe('logout', () => {
  const logout = (file: string) =>
    runCommandLine(addLogoutCommand, ['logout'], { env: { TOKEN_BROKER_SESSION_FILE: file } });

  it('forgets the token, and says so once', async () => {
    const { file, env } = await signedIn();
    const { code, out } = await logout(file);
    expect([code, out]).toEqual([0, expect.stringContaining(`${file} is deleted`)]);
    expect(existsSync(file)).toBe(false);
    expect(await freezes([], env)).toMatchObject({ code: 2 });
    expect(await logout(file)).toMatchObject({ code: 0, out: 'Nobody is signed in.\n' });
  });

  it('T353: forgets what a login left that was killed while it wrote', async () => {
    const { file } = await signedIn();
    const draft = `${file}.0123456789abcdef.tmp`;
    copyFileSync(file, draft);
    expect(await logout(file)).toMatchObject({ code: 0 });
    expect(existsSync(draft)).toBe(false);
    writeFileSync(draft, 'of the first login that there was', { mode: 0o600 });
    expect(await logout(file)).toMatchObject({ code: 0, out: 'Nobody is signed in.\n' });
    expect(existsSync(draft)).toBe(false);
  });

  it('T353: does not say that nobody is signed in where the file may hold a token', async () => {
    const { file } = await signedIn();
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), more: 1 }));
    const { code, out, err } = await logout(file);
    expect([code, out, err]).toEqual([1, '', expect.stringContaining(`${file} is not`)]);
  });

  it('deletes nothing that login did not make', async () => {
    const other = join(folders.folder({ notes: 'mine' }), 'notes');
    chmodSync(other, 0o600);
    const kept = await logout(other);
    expect([kept.code, kept.err]).toEqual([1, expect.stringContaining('Nothing was deleted')]);
    const { file } = await signedIn();
    chmodSync(file, 0o644);
    const refused = await logout(file);
    expect([refused.code, refused.err]).toEqual([
      1,
      expect.stringContaining('Nothing was deleted'),
    ]);
    for (const path of [other, file]) expect(existsSync(path)).toBe(true);
  });
});
