/** The console as the admin listener serves it: static files for anybody, and an API that stays as strict as it was. */

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { StartError } from '../../src/broker/start-error.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { consoleDirectory, startConsoleBroker } from '../support/console-broker.ts';
import { contract, operations } from '../support/contract.ts';

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
}

/** As it is sent: `fetch` would not send another Host or Origin. */
async function ask(url: string, { method = 'GET', headers = {} }: Asked = {}) {
  const req = httpRequest(url, { method, headers });
  req.end();
  const [res] = (await once(req, 'response')) as [import('node:http').IncomingMessage];
  let text = '';
  for await (const chunk of res.setEncoding('utf8')) text += String(chunk);
  return { status: res.statusCode, headers: res.headers, text };
}

const apiPolicy = "default-src 'none';frame-ancestors 'none'";

describe('without admin.console', () => {
  let broker: BrokerFixture;
  beforeAll(async () => {
    broker = await startBrokerFixture();
  });
  afterAll(() => broker.stop());

  it.each([
    '/console',
    '/console/',
    '/console/sign-in.json',
    '/console/index.html',
    '/console/api.html',
    '/console/openapi.yaml',
  ])('there is no %s', async (path) => {
    const { status, headers } = await ask(`${broker.urls.admin}${path}`);
    expect([status, headers['content-security-policy']]).toEqual([404, apiPolicy]);
  });

  it('T167: no origin at all may use the admin listener', async () => {
    const own = String(broker.urls.admin);
    const headers = { origin: own, authorization: `Bearer ${broker.token('admin')}` };
    expect((await ask(`${own}/v1/freezes`, { headers })).status).toBe(403);
  });
});

describe('with admin.console', () => {
  let broker: BrokerFixture;
  let origin: string;
  const page = (path = '') => `${origin}/console/${path}`;
  beforeAll(async () => {
    broker = await startConsoleBroker();
    origin = broker.urls.admin ?? '';
  });
  afterAll(() => broker.stop());

  it('the page names files that are there, and browsers may keep all but the page', async () => {
    const { status, headers, text } = await ask(page());
    expect([status, headers['content-type'], headers['cache-control']]).toEqual([
      200,
      'text/html; charset=utf-8',
      'no-store',
    ]);
    const names = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name]) => name ?? '');
    expect(names.map((name) => name.split('.')[1])).toEqual(['svg', 'css', 'js']);
    for (const name of names) {
      const file = await ask(page(name));
      expect([file.status, file.headers['cache-control']]).toEqual([
        200,
        'public, max-age=31536000, immutable',
      ]);
    }
  });

  it('T170: pages run scripts of their own files alone, and talk to the broker and the sign-in alone', async () => {
    const { headers } = await ask(page());
    const directives = Object.fromEntries(
      String(headers['content-security-policy'])
        .split(';')
        .map((one) => [one.split(' ')[0], one.split(' ').slice(1).join(' ')]),
    );
    expect(directives).toEqual({
      'default-src': "'none'",
      'script-src': "'self'",
      'style-src': "'self'",
      'img-src': "'self'",
      'connect-src': `'self' ${broker.issuer.origin}`,
      'form-action': "'none'",
      'base-uri': "'none'",
      'frame-ancestors': "'none'",
      'require-trusted-types-for': "'script'",
      'trusted-types': "'none'",
    });
    expect(headers).toMatchObject({
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    });
    expect(headers['set-cookie']).toBeUndefined();
  });

  it('is at most 40 KB of script and 5 KB of style over the wire, were it compressed', async () => {
    const bytes = (suffix: string) =>
      Buffer.concat(
        readdirSync(consoleDirectory)
          .filter((name) => name.endsWith(suffix))
          .map((name) => readFileSync(join(consoleDirectory, name))),
      );
    expect(gzipSync(bytes('.js')).length).toBeLessThanOrEqual(40 * 1024);
    expect(gzipSync(bytes('.css')).length).toBeLessThanOrEqual(5 * 1024);
  });

  it('has no inline script or style', async () => {
    const { text } = await ask(page());
    expect(text).not.toMatch(/<style|style=|\son\w+=|<script(?![^>]* src=)/);
  });

  it('T180: shows the API as a page without a script, form or place elsewhere, with the headers of the console', async () => {
    const { status, headers, text } = await ask(page('api.html'));
    const own = await ask(page());
    const alike = (all: Readonly<Record<string, unknown>>) =>
      Object.entries(all).filter(([name]) => !/date|length|request-id/.test(name));
    expect([status, alike(headers)]).toEqual([200, alike(own.headers)]);
    expect(text).not.toMatch(/<(?:script|form|iframe|img|object|style|base)\b|style=|\son\w+=/i);
    const links = [
      ...new Set([...text.matchAll(/(?:src|href)="([^"]+)"/g)].map((it) => it[1] ?? '')),
    ];
    const targets = [...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => `#${id}`);
    expect(targets).toEqual(expect.arrayContaining(links.filter((link) => link.startsWith('#'))));
    const files = links.filter((link) => !link.startsWith('#'));
    const found = await Promise.all(files.map(async (link) => (await ask(page(link))).status));
    expect(found).toEqual(files.map(() => 200));
    const schemas = Object.keys(contract.components.schemas).map((name) => `#schema-${name}`);
    expect(targets).toEqual(expect.arrayContaining(schemas));
  });

  it.each(operations)('shows $method $path with its statuses and codes', async (one) => {
    const { path, method, operation } = one;
    const { text } = await ask(page('api.html'));
    const [, rest = ''] = text.split(`<section id="${operation.operationId}">`);
    const [section = ''] = rest.split('</section>');
    expect(section).toContain(`<code>${method} ${path}</code>`);
    const shown = [
      ...operation['x-error-codes'].map((code) => `<code>${code}</code>`),
      ...Object.keys(operation.responses).map((status) => `<td>${status}</td>`),
    ];
    expect(shown.filter((it) => !section.includes(it))).toEqual([]);
  });

  it('gives the API as it is written to generators', async () => {
    const { status, headers, text } = await ask(page('openapi.yaml'));
    expect([status, headers['content-type'], headers['x-content-type-options']]).toEqual([
      200,
      'application/yaml; charset=utf-8',
      'nosniff',
    ]);
    expect(text).toBe(readFileSync('openapi.yaml', 'utf8'));
  });

  it('T180: texts of the document are text in the page', () => {
    const hostile = '<img src=x onerror=alert(1)> "\' `</code><script>` **</strong><b>**';
    const input = JSON.stringify(contract, (name, value: unknown) =>
      typeof value === 'string' && /description|summary|pattern/.test(name) ? hostile : value,
    );
    const program = `import { text } from 'node:stream/consumers';
      import { apiReference } from './console/api-reference.js';
      process.stdout.write(apiReference(await text(process.stdin), { style: 's.css', icon: 'i.svg' }));`;
    const made = execFileSync(process.execPath, ['--input-type=module', '-e', program], { input });
    expect(made.toString()).toContain('&lt;img');
    expect(made.toString()).not.toMatch(/<(?:script|img|b)\b/);
  });

  it('says where to sign in, and nothing that is secret', async () => {
    const { headers, text } = await ask(page('sign-in.json'));
    expect(headers['cache-control']).toBe('no-store');
    expect(JSON.parse(text)).toEqual({
      clientId: '6console0example0client0i',
      issuer: broker.issuer.url,
      authorizationEndpoint: `${broker.issuer.origin}/oauth2/authorize`,
      tokenEndpoint: broker.issuer.tokenEndpoint,
      logoutEndpoint: `${broker.issuer.origin}/logout`,
      scopes: {
        read: 'broker/admin.read',
        write: 'broker/admin.write',
        freeze: 'broker/admin.freeze',
      },
    });
  });

  it('leads from the path without its slash to the page', async () => {
    const { status, headers } = await ask(`${origin}/console`);
    expect([status, headers.location]).toEqual([308, '/console/']);
  });

  it.each(['nothing', 'app.js', '..%2fconfig.yaml', 'sign-in.json/', 'assets/app.js'])(
    'has no other files: %s',
    async (name) => {
      expect([400, 404]).toContain((await ask(page(name))).status);
    },
  );

  it.each(['POST', 'PUT', 'DELETE', 'PATCH'])('takes no %s', async (method) => {
    expect((await ask(page(), { method })).status).toBe(405);
  });

  it('is on the admin listener alone', async () => {
    for (const url of [broker.urls.api, broker.urls.ops]) {
      expect((await ask(`${url}/console/`)).status).toBe(404);
    }
  });

  it('leaves the headers of the API as they were', async () => {
    const { headers } = await ask(`${origin}/v1/freezes`);
    expect(headers['content-security-policy']).toBe(apiPolicy);
    expect(headers['cross-origin-opener-policy']).toBeUndefined();
  });

  it.each([
    ['http://127.0.0.1', 'without its port'],
    ['null', 'of a sandboxed page'],
    ['https://evil.example', 'of another site'],
    ['', 'empty'],
  ])('T167: does not take an Origin %s: %s', async (from) => {
    const headers = { origin: from, authorization: `Bearer ${broker.token('admin')}` };
    for (const path of ['/v1/freezes', '/console/']) {
      expect((await ask(origin + path, { headers })).status).toBe(403);
    }
  });

  it('T167: takes its own Origin alone, in its one spelling, and on this listener alone', async () => {
    const from = (header: string | string[]) =>
      ask(`${origin}/v1/freezes`, {
        headers: { origin: header, authorization: `Bearer ${broker.token('admin')}` },
      });
    const answer = await from(origin);
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([
      200,
      undefined,
    ]);
    const { port } = new URL(origin);
    for (const other of [
      `${origin}/`,
      origin.toUpperCase(),
      origin.replace('http:', 'https:'),
      `http://localhost:${port}`,
      `http://127.0.0.1:${Number(port) + 1}`,
      `${origin}.evil.example`,
      [origin, origin],
      [origin, 'https://evil.example'],
    ]) {
      expect([other, (await from(other)).status]).toEqual([other, 403]);
    }
    for (const url of [broker.urls.api, broker.urls.ops]) {
      const path = url === broker.urls.api ? '/v1/caller' : '/livez';
      expect((await ask(url + path, { headers: { origin } })).status).toBe(403);
    }
  });

  it('T167: is not shown under another name, which would be another origin', async () => {
    for (const host of ['evil.example', 'localhost:1', `localhost:${new URL(origin).port}`]) {
      const { status, text } = await ask(page(), { headers: { host } });
      expect([host, status]).toEqual([host, 421]);
      expect(JSON.parse(text).detail).toContain(page());
    }
  });

  it('T167: lets no page send a request that a preflight would have to allow', async () => {
    const headers = { origin: 'https://evil.example', 'access-control-request-method': 'PUT' };
    const answer = await ask(`${origin}/v1/freezes`, { method: 'OPTIONS', headers });
    expect(answer.status).toBe(403);
    expect(Object.keys(answer.headers).join()).not.toContain('access-control');
  });
});

describe('a configured origin', () => {
  let broker: BrokerFixture;
  afterEach(() => broker.stop());

  it('T167: is the one that counts, not the address that the broker listens on', async () => {
    const origin = 'https://broker.example.com';
    broker = await startConsoleBroker({
      configure: (config) => {
        const { admin } = config;
        if (admin?.console === undefined) throw new Error('no console is configured');
        return { ...config, admin: { ...admin, console: { ...admin.console, origin } } };
      },
    });
    const own = broker.urls.admin ?? '';
    const status = async (path: string, headers: Record<string, string>) =>
      (await ask(own + path, { headers })).status;
    expect(await status('/console/', { host: 'broker.example.com' })).toBe(200);
    expect(await status('/console/', { host: 'Broker.Example.com:443' })).toBe(200);
    expect(await status('/console/', {})).toBe(421);
    const authorization = `Bearer ${broker.token('admin')}`;
    expect(await status('/v1/freezes', { origin, authorization })).toBe(200);
    expect(await status('/v1/freezes', { origin: own, authorization })).toBe(403);
  });
});

describe('connections of those who look at the console', () => {
  const most = 16;
  const held: Socket[] = [];
  let broker: BrokerFixture;
  afterEach(async () => {
    for (const socket of held.splice(0)) socket.destroy();
    await broker.stop();
  });

  it.each(['/console/', '/console', '/console/sign-in.json'])(
    'T168: prove nothing by having got %s, and give way to administrators',
    async (path) => {
      broker = await startConsoleBroker({
        configure: (config) => ({
          ...config,
          listeners: {
            ...config.listeners,
            admin: { ...config.listeners?.admin, maxConnections: most },
          },
        }),
      });
      const { hostname, port, host } = new URL(broker.urls.admin ?? '');
      for (let number = 0; number < 3 * most; number += 1) {
        const socket = connect({ host: hostname, port: Number(port) });
        held.push(socket);
        socket.on('error', () => undefined);
        socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
        await Promise.race([once(socket, 'data'), once(socket, 'close')]);
      }
      const token = broker.token('admin');
      const { status } = await broker.call({ listener: 'admin', path: '/v1/freezes', token });
      expect(status).toBe(200);
    },
  );
});

describe('a console that the build has not made', () => {
  const directory = mkdtempSync(join(tmpdir(), 'token-broker-console-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  it('keeps the broker from starting, and says what to do', async () => {
    const start = startConsoleBroker({ consoleDirectory: directory });
    await expect(start).rejects.toBeInstanceOf(StartError);
  });

  it('is not served with files that are none of its own', async () => {
    writeFileSync(join(directory, 'index.html'), '<!doctype html>');
    writeFileSync(join(directory, 'private.key'), 'secret');
    const start = startConsoleBroker({ consoleDirectory: directory });
    await expect(start).rejects.toBeInstanceOf(StartError);
  });
});
