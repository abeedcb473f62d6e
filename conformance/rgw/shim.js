/**
 * Mends where the STS of Ceph RGW differs from that of AWS, and nothing else, so that the broker, which is for AWS, can be judged
 * by it: the name of one element, the role's path in an ARN, the envelope of errors, and where keys are read from.
 */

import { createPublicKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { run } from '../commands.js';

const requestMs = 20_000;

/**
 * `{ url, publish(documents), lastForm(), stop() }`. At `url` is the STS at `rgw`, and the host of the two documents of the
 * broker: `publish` takes them from there and returns the thumbprint that RGW pins.
 */
export async function startShim({ rgw, directory }) {
  const published = new Map();
  let lastForm = '';
  const server = createServer(async (req, res) => {
    const document = published.get(req.url);
    if (document !== undefined) {
      res.writeHead(200, { 'content-type': 'application/json' }).end(document);
      return;
    }
    try {
      lastForm = await text(req);
      const { status, body } = await exchange(rgw, lastForm);
      res.writeHead(status, { 'content-type': 'text/xml' }).end(body);
    } catch (error) {
      res.destroy(error);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    async publish(documents) {
      const [discovery, keySet] = await Promise.all(
        ['openid-configuration', 'jwks.json'].map((name) => fetched(documents, name)),
      );
      const { keys } = JSON.parse(keySet);
      const certificate = await certificateOf(keys[0], directory);
      const x5c = [certificate.raw.toString('base64')];
      published.set('/.well-known/openid-configuration', discovery);
      published.set('/.well-known/jwks.json', JSON.stringify({ keys: [{ ...keys[0], x5c }] }));
      return certificate.fingerprint.replaceAll(':', '');
    },
    /** What the broker sent to STS last. */
    lastForm: () => lastForm,
    async stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** One call of STS, with the answer as AWS would write it. */
export async function exchange(rgw, form) {
  const response = await fetch(rgw, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form,
    signal: AbortSignal.timeout(requestMs),
  });
  return { status: response.status, body: mended(await response.text()) };
}

function mended(xml) {
  return xml
    .replaceAll('AssumeRoleId>', 'AssumedRoleId>')
    .replace(/(:assumed-role\/)(?:[^<]+\/)?([^/<]+\/[^/<]+<\/Arn>)/, '$1$2')
    .replace(/^(<\?xml[^>]*\?>)?(<Error>.*<\/Error>)$/s, '$1<ErrorResponse>$2</ErrorResponse>');
}

async function fetched(origin, name) {
  const url = new URL(`/.well-known/${name}`, origin);
  const response = await fetch(url, { signal: AbortSignal.timeout(requestMs) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response.text();
}

/** RGW takes a key from a certificate alone, whoever signed that: it pins its SHA-1. */
async function certificateOf(jwk, directory) {
  const file = (name) => join(directory, name);
  const openssl = (...args) => run('openssl', args, { cwd: directory, timeoutMs: requestMs });
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  writeFileSync(file('broker.pem'), key.export({ type: 'spki', format: 'pem' }));
  const ca = ['-subj', '/CN=conformance', '-days', '2', '-nodes'];
  await openssl(
    ...['req', '-x509', '-newkey', 'rsa:2048', ...ca],
    ...['-keyout', file('ca.key'), '-out', file('ca.crt')],
  );
  await openssl(
    ...['x509', '-new', '-force_pubkey', file('broker.pem'), '-subj', '/CN=broker', '-days', '2'],
    ...['-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-out', file('broker.crt')],
  );
  return new X509Certificate(readFileSync(file('broker.crt')));
}
