/** What a further kind of identity provider takes: one file and its line in the table, in a copy of the sources. */

import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { brokerConfig, linesIn, seededTable } from '../support/broker-fixture.ts';
import { type BrokerProcess, startBrokerProcess } from '../support/broker-process.ts';
import { send } from '../support/http-call.ts';
import {
  account,
  type OutsideWorld,
  roleNamed,
  startOutsideWorld,
  trustPolicy,
} from '../support/outside-world.ts';
import { rsaKeyPair } from '../support/rsa-keys.ts';
import { type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const audience = 'token-broker';
const subject = 'workload:billing/invoices';
const role = roleNamed('invoices');
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = rsaKeyPair();
const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'ES256' };

let copy: string;
let keys: ScriptedServer;
let outside: OutsideWorld;
let broker: BrokerProcess;
let closeTable: () => void;

/** The sources with the kind added to them, compiled: what was forgotten anywhere would not compile. */
function withFurtherKind(): string {
  mkdirSync(join(root, 'build'), { recursive: true });
  const directory = mkdtempSync(join(root, 'build', 'further-kind-'));
  for (const name of ['src', 'package.json', 'tsconfig.json', 'tsconfig.build.json']) {
    cpSync(join(root, name), join(directory, name), { recursive: true });
  }
  const kinds = join(directory, 'src/identity/providers');
  const kind = readFileSync(join(root, 'test/identity/workload-identity.ts'), 'utf8');
  writeFileSync(join(kinds, 'workload-identity.ts'), kind.replaceAll("'../../src/", "'../../"));
  const table = join(kinds, 'provider-kinds.ts');
  const mark = '  // Add new ones here';
  const parts = readFileSync(table, 'utf8').split(mark);
  expect(parts).toHaveLength(2);
  writeFileSync(
    table,
    `import { workloadIdentity } from './workload-identity.ts';\n${parts[0]}  workloads: workloadIdentity,\n${mark}${parts[1]}`,
  );
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: directory });
  return directory;
}

beforeAll(async () => {
  copy = withFurtherKind();
  keys = await startScriptedServer(() => ({ body: { keys: [jwk] } }));
  outside = await startOutsideWorld({ clock: systemClock, users: [], roles: [], stsLatencyMs: 0 });
  const { url: issuer } = keys;
  const jwksUri = `${issuer}/keys`;
  outside.sts.putProvider({ accountId: account, issuer, jwksUri, clientIds: [audience] });
  outside.sts.putRole({ arn: role, trustPolicy: trustPolicy(issuer, [audience]) });
  const { client } = await seededTable(outside, systemClock, [
    {
      id: 'invoices',
      principal: { pool: 'cluster', user: subject },
      effect: 'allow',
      role,
      owner: 'test-team',
    },
  ]);
  closeTable = () => client.destroy();
  const config = brokerConfig(outside, copy);
  const workloads = [{ name: 'cluster', issuer, jwksUri, audience }];
  const identity = { ...config.identity, workloads };
  broker = await startBrokerProcess(
    copy,
    { ...config, identity },
    { main: join(copy, 'dist/main.js') },
  );
}, 120_000);

afterAll(async () => {
  broker.signal('SIGKILL');
  await broker.exit;
  closeTable();
  await outside.stop();
  await keys.stop();
  rmSync(copy, { recursive: true, force: true });
});

interface Token {
  readonly alg?: string;
  readonly claims?: object;
}

function token({ alg = 'ES256', claims = {} }: Token = {}): string {
  const iat = Math.floor(systemClock.now() / 1000);
  const all = { iss: keys.url, sub: subject, aud: audience, iat, exp: iat + 600, ...claims };
  const encoded = [{ alg, kid: 'one' }, all].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  const input = Buffer.from(encoded.join('.'));
  const key = alg === 'ES256' ? privateKey : rsa.privateKey;
  const signature = sign('sha256', input, { key, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

const ask = (jwt: string) =>
  send(broker.urls.api, { method: 'POST', path: '/v1/credentials', token: jwt });

describe('a kind of provider that was added by one file and its line in the table', () => {
  it('is configured, verified, matched by the name of its issuer, exchanged and on record', async () => {
    expect(await ask(token())).toMatchObject({ status: 200, body: { role } });
    const records = linesIn(join(copy, 'audit')).map((line) => JSON.parse(line) as object);
    expect(records).toContainEqual(
      expect.objectContaining({
        outcome: 'issued',
        token: expect.objectContaining({ pool: 'cluster', subject, use: 'id' }),
      }),
    );
  });

  it.each<[string, Token, string]>([
    ['of another issuer', { claims: { iss: 'https://elsewhere.test' } }, 'token_issuer_unknown'],
    ['for somebody else', { claims: { aud: 'another' } }, 'token_client_refused'],
    ['that has expired', { claims: { iat: 1_700_000_000, exp: 1_700_000_600 } }, 'token_expired'],
    ['with the algorithm of another kind', { alg: 'RS256' }, 'token_malformed'],
  ])('T130: is held to what all kinds are held to: no token %s', async (_what, how, code) => {
    expect(await ask(token(how))).toMatchObject({ status: 401, body: { code } });
  });

  it('T130: does not lend its mappings: another subject has no role', async () => {
    const other = token({ claims: { sub: 'workload:billing/other' } });
    expect(await ask(other)).toMatchObject({ status: 403 });
  });
});
