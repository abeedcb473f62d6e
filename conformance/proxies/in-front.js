/**
 * The configurations of docs/deployment.md, word for word but for addresses and files, in front of three brokers: TLS, each
 * wire form, forged addresses of callers, and a broker that ends.
 */

import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { roleNamed, startWorld } from '../../build/faults/world.js';
import { outcomeOf } from '../commands.js';
import { Fleet } from '../fleet.js';
import { freePorts } from '../free-ports.js';
import { thisTree } from '../release.js';
import { withProxy } from './proxy-process.js';

const page = readFileSync(
  fileURLToPath(new URL('../../docs/deployment.md', import.meta.url)),
  'utf8',
);
const places = ['a', 'b', 'c'];
const requestMs = 20_000;
/** The proxies come from 127.0.0.1, which the brokers trust, and callers from here. */
const callersAddress = '127.0.0.2';
const forged = '203.0.113.9';
const askedWhileOneEnds = 60;

/** The one block of that language on the page. */
export function configurationOf(language) {
  const [block, another] = [
    ...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms')),
  ];
  assert(block !== undefined && another === undefined, `not one block of ${language}`);
  return block[1];
}

/** Each of `changes` must be there: what the page says otherwise is not what runs. */
export function adapted(text, changes) {
  let changed = text;
  for (const [from, to] of changes) {
    assert(changed.includes(from), `docs/deployment.md does not say "${from}"`);
    changed = changed.replaceAll(from, to);
  }
  return changed;
}

/**
 * `configuration({ port, tls, brokers, directory })` gives the file of `command`: `tls` has the names of three files, `brokers` host and port of
 * api and ops of each.
 */
export async function tryInFront({ command, args, configuration }) {
  const directory = mkdtempSync(join(tmpdir(), 'token-broker-proxies-'));
  const world = await startWorld();
  const fleet = new Fleet(world, directory, { http: { trustedProxies: ['127.0.0.1/32'] } });
  try {
    for (const place of places) await fleet.start(place, thisTree);
    const brokers = fleet.inTurn.map(({ urls }) => ({
      api: new URL(urls.api).host,
      ops: new URL(urls.ops).host,
    }));
    const tls = makeCertificate(directory);
    const [port] = await freePorts(1);
    await withProxy({
      command,
      args,
      configuration: (place) => configuration({ port, tls, brokers, directory: place }),
      listensOn: port,
      use: async () => {
        const ask = asker(world, port, readFileSync(tls.certificate));
        await eachForm(ask);
        await believesNoCaller(ask, fleet);
        await whileOneEnds(ask, fleet);
      },
    });
  } finally {
    await fleet.stop();
    await world.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

const role = roleNamed('orders');
const forms = {
  REST: { method: 'POST', path: '/v1/credentials', type: 'application/json', body: () => '{}' },
  'container credentials': { method: 'GET', path: '/v1/credentials' },
  STS: {
    method: 'POST',
    path: '/sts',
    type: 'application/x-www-form-urlencoded',
    body: (token) =>
      new URLSearchParams({
        Action: 'AssumeRoleWithWebIdentity',
        Version: '2011-06-15',
        RoleSessionName: 'proxies',
        RoleArn: role,
        WebIdentityToken: token,
      }).toString(),
  },
};

function asker(world, port, ca) {
  const { token } = world.service('orders');
  return function ask(form) {
    const { method, path, type, body } = forms[form];
    const sent = body?.(token) ?? '';
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          host: '127.0.0.1',
          port,
          ca,
          servername: 'broker.example.com',
          localAddress: callersAddress,
          method,
          path,
          agent: false,
          timeout: requestMs,
          headers: {
            host: 'broker.example.com',
            'x-forwarded-for': forged,
            ...(form === 'STS' ? {} : { authorization: `Bearer ${token}` }),
            ...(type === undefined ? {} : { 'content-type': type }),
          },
        },
        (response) => {
          const parts = [];
          response.on('data', (part) => parts.push(part));
          response.once('error', reject);
          response.once('end', () => {
            const { statusCode: status, headers } = response;
            resolve({ status, headers, text: Buffer.concat(parts).toString() });
          });
        },
      );
      asked.once('timeout', () => asked.destroy(new Error(`${form}: no answer`)));
      asked.once('error', reject);
      asked.end(sent);
    });
  };
}

async function eachForm(ask) {
  for (const form of Object.keys(forms)) {
    const { status, headers, text } = await ask(form);
    assert.equal(status, 200, `${form}: ${status} ${text}`);
    assert.match(headers['strict-transport-security'] ?? '', /max-age=\d+/, `${form}: no HSTS`);
  }
}

/** What the brokers have on record of where requests came from. */
async function believesNoCaller(ask, fleet) {
  await ask('REST');
  const find = ['audit', 'find', '--directory', ...fleet.auditDirectories, '--outcome', 'issued'];
  const { out } = await outcomeOf(process.execPath, [thisTree.main, ...find, '--json'], {
    cwd: tmpdir(),
    timeoutMs: requestMs,
  });
  const records = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const sources = new Set(records.map((record) => record.sourceIp));
  assert.deepEqual([...sources], [callersAddress]);
}

async function whileOneEnds(ask, fleet) {
  const statuses = {};
  const asking = async () => {
    for (let times = 0; times < askedWhileOneEnds; times += 1) {
      const { status } = await ask(Object.keys(forms)[times % 3]);
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  };
  await Promise.all([asking(), fleet.end('b')]);
  await asking();
  assert.deepEqual(statuses, { 200: askedWhileOneEnds * 2 });
}

function makeCertificate(directory) {
  const place = join(directory, 'tls');
  mkdirSync(place);
  const [certificate, key, both] = ['tls.crt', 'tls.key', 'tls.pem'].map((name) =>
    join(place, name),
  );
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-days', '1', '-subj', '/CN=broker.example.com'],
      ...['-addext', 'subjectAltName=DNS:broker.example.com'],
      ...['-keyout', key, '-out', certificate],
    ],
    { stdio: 'ignore' },
  );
  writeFileSync(both, `${readFileSync(certificate)}${readFileSync(key)}`, { mode: 0o600 });
  return { certificate, key, both };
}
