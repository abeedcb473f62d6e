import { createServer } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it } from '@jest/globals';
import { closeServer, listenOnLoopback } from '../../../emulators/loopback-http.ts';
import { boundedFetch } from '../../../src/kit/net/bounded-fetch.ts';
import { systemClock } from '../../../src/kit/timing/clock.ts';
import { resultOf, spawnNode } from '../../support/command.ts';
import {
  type Script,
  type ScriptedServer,
  startScriptedServer,
} from '../../support/scripted-server.ts';
import { createTestClock } from '../../support/test-clock.ts';

const limits = { clock: systemClock, timeoutMs: 10_000, maxBytes: 1024 };
const secret = 'a-secret-that-nobody-repeats';

let server: ScriptedServer | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

async function serve(script: Script): Promise<string> {
  server = await startScriptedServer(script);
  return server.url;
}

describe('one bounded fetch (T127)', () => {
  it('gives whatever the other side answers, with any status', async () => {
    const url = await serve(() => ({ status: 503, headers: { 'retry-after': '7' }, body: 'no' }));
    const { status, headers, body } = await boundedFetch(url, limits);
    expect([status, headers.get('retry-after'), String(body)]).toEqual([503, '7', 'no']);
  });

  it.each([
    ['of exactly the size that is allowed is whole', 1024, 1024],
    ['one byte larger is left out', 1025, undefined],
  ])('a body %s', async (_what, size, expected) => {
    const url = await serve(() => ({ body: 'x'.repeat(size) }));
    const { status, body } = await boundedFetch(url, limits);
    expect([status, body?.byteLength]).toEqual([200, expected]);
  });

  it('reads no further than it may of a body without end', async () => {
    const { body } = await boundedFetch(await serve(() => 'endless'), limits);
    expect(body).toBeUndefined();
  });

  // Node 20 knows no proxies of the environment.
  if (process.allowedNodeEnvironmentFlags.has('--use-env-proxy')) {
    it('takes what is not encrypted through no proxy of the environment (T355)', async () => {
      const url = await serve(() => ({ body: 'direct' }));
      const proxied: string[] = [];
      const proxy = createServer().on('connect', (req, socket) => {
        proxied.push(req.url ?? '');
        socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
      });
      const address = await listenOnLoopback(proxy);
      const built = (path: string) =>
        JSON.stringify(new URL(`../../../dist/kit/${path}`, import.meta.url));
      const program = `
        import { boundedFetch } from ${built('net/bounded-fetch.js')};
        import { systemClock as clock } from ${built('timing/clock.js')};
        for (const url of process.argv.slice(1)) {
          const ask = boundedFetch(url, { clock, timeoutMs: 10_000, maxBytes: 1024 });
          console.log(await ask.then(({ body }) => String(body), () => 'nothing'));
        }`;
      const env = { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: address, HTTPS_PROXY: address };
      // What is encrypted shows that the proxy is there.
      const asked = [url, url.replace('127.0.0.1', 'localhost'), 'https://broker.example'];
      const child = spawnNode(['--input-type=module', '-e', program, ...asked], { env });
      const { out, err } = await resultOf(child);
      await closeServer(proxy);
      expect([out, err, proxied]).toEqual([
        'direct\ndirect\nnothing\n',
        '',
        ['broker.example:443'],
      ]);
    });
  }

  it.each([301, 302, 303, 307, 308])('does not follow a redirect (%i)', async (status) => {
    const url = await serve(() => ({ status, headers: { location: '/elsewhere' } }));
    const headers = { authorization: `Bearer ${secret}` };
    const refused = boundedFetch(url, { ...limits, method: 'POST', headers, body: secret });
    await expect(refused).rejects.toMatchObject({ reason: 'redirect', message: 'it redirects' });
    expect(server?.requests.map(({ path }) => path)).toEqual(['/']);
  });

  it('ends at its deadline, on the clock that it was given', async () => {
    const clock = createTestClock();
    const url = await serve(() => 'hang');
    const asked = boundedFetch(url, { ...limits, clock, timeoutMs: 5_000 });
    await expect(clock.outlast(asked)).rejects.toMatchObject({
      reason: 'timeout',
      message: 'no answer within 5 s',
    });
  });

  it('ends before its time with the reason for which it was given up', async () => {
    const stopping = new AbortController();
    const url = await serve(() => {
      stopping.abort(new Error('the service stops'));
      return 'hang';
    });
    const given = boundedFetch(url, { ...limits, givenUp: stopping.signal });
    await expect(given).rejects.toThrow('the service stops');
  });

  it.each([
    ['a connection that is dropped', () => serve(() => 'reset'), {}],
    ['a port without a server', () => Promise.resolve('http://127.0.0.1:1'), {}],
    ['a header that cannot be sent', () => serve(() => ({})), { x: `${secret}\nx` }],
  ])('%s is told without a word of the request', async (_what, start, headers) => {
    const request = { ...limits, headers: { ...headers, authorization: secret }, method: 'GET' };
    const error = await boundedFetch(await start(), request).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'NoAnswerError', reason: 'unreachable' });
    for (let at = error; at instanceof Error; at = at.cause) expect(at.message).not.toMatch(secret);
  });

  it('a body that stalls is given up at the deadline, whatever the garbage collector takes away', async () => {
    setFlagsFromString('--expose-gc');
    const stalling = createServer((_req, res) => void res.writeHead(200).write('{'));
    const url = await listenOnLoopback(stalling);
    const collecting = setInterval(runInNewContext('gc') as () => void, 20);
    try {
      const stalled = boundedFetch(url, { ...limits, timeoutMs: 400 });
      await expect(stalled).rejects.toMatchObject({ reason: 'timeout' });
    } finally {
      clearInterval(collecting);
      await closeServer(stalling);
    }
  });
});
