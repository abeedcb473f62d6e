/** docs/web-identity.md, pasted one command after the other; a bucket and CloudFormation are played by functions of the shell. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { configText } from '../../emulators/config-text.ts';
import { type KmsServer, startKmsServer } from '../../emulators/kms/kms-server.ts';
import { roleMappingSchema } from '../../src/core/policy/role-mapping.ts';
import {
  discoveryPath,
  documentsCacheControl,
  keySetPath,
} from '../../src/web-identity/documents.ts';
import { signingFailures } from '../../src/web-identity/signing-failure.ts';
import { readTemplate } from '../deployment/stack-template.ts';
import {
  type AdminHarness,
  adminPool,
  callerClient,
  startAdmin,
} from '../support/admin-harness.ts';
import { main } from '../support/command.ts';
import { type DocumentHost, startDocumentHost } from '../support/document-host.ts';
import { claimRef } from '../support/domain.ts';
import { kmsKey } from '../support/issuing-broker.ts';
import { codeBlocks, readDocument, tableRows } from '../support/markdown.ts';
import { signingKeys } from '../support/outside-world.ts';
import { runBash } from '../support/shell.ts';
import { accountId, startStsHarness } from '../support/sts-harness.ts';

/** The blocks of its steps are indented. */
const page = readDocument('web-identity.md').replace(/^ {3}/gm, '');
const blocks = codeBlocks(page, 'sh');
const mark = '----- next block -----';
const role = 'arn:aws:iam::111122223333:role/broker/orders-writer';

/** What the reader has in the place of AWS: each call is noted, a copy into the bucket is one into a folder. */
const shell = `
token-broker() { node "$MAIN" "$@"; }
aws() {
  printf '%s\\n' "$*" >> "$CALLS"
  if [ "$1 $2" = 's3 cp' ]; then cp -r "$3/." "$BUCKET"; fi
}
`;

let admin: AdminHarness;
let kms: KmsServer;
let host: DocumentHost;
let directory: string;
let outputs: readonly string[];
let calls: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'token-broker-docs-'));
  const bucket = join(directory, 'bucket');
  mkdirSync(bucket);
  host = await startDocumentHost(bucket);
  kms = await startKmsServer('rsa', signingKeys().current.access.privateKeyPem);
  admin = await startAdmin();
  await admin.table.write({
    id: 'orders-writer',
    expectedVersion: 'absent',
    mapping: roleMappingSchema.parse({
      id: 'orders-writer',
      principal: { pool: adminPool, client: callerClient },
      effect: 'allow',
      role,
      session: { ...parse(codeBlocks(page, 'yaml')[1] ?? '').session, tags: { tenant: 'acme' } },
      owner: 'orders',
    }),
    actor: 'test',
    reason: 'for the page',
  });
  writeConfig();
  const printed = await runBash(`${shell}\n${blocks.join(`\necho '${mark}'\n`)}`, {
    cwd: directory,
    env: {
      MAIN: main,
      BUCKET: bucket,
      CALLS: join(directory, 'calls'),
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
    },
  });
  outputs = printed.split(mark);
  calls = readFileSync(join(directory, 'calls'), 'utf8');
}, 90_000);
afterAll(async () => {
  await Promise.all([admin.stop(), kms.stop(), host.stop()]);
  rmSync(directory, { recursive: true, force: true });
});

/** The section of the page, with a host and a KMS that there are. */
function writeConfig(): void {
  const { webIdentity } = parse(codeBlocks(page, 'yaml')[0] ?? '');
  const { keyId } = webIdentity.keys.current.kms;
  const current = { kms: { ...kmsKey(kms).kms, keyId } };
  const config = {
    profile: 'development',
    identity: {
      userPools: [{ pool: adminPool, issuer: admin.issuer.url, clients: [callerClient] }],
    },
    policy: { table: 'admin-test', region: 'us-east-1', endpoint: admin.dynamodb.url },
    sts: { endpoints: [{ region: 'us-east-1', endpoint: 'http://127.0.0.1:1' }] },
    audit: { stdout: true },
    webIdentity: { ...webIdentity, issuer: host.url, keys: { current }, signTimeoutMs: 10_000 },
  };
  writeFileSync(join(directory, 'config.yaml'), configText(config));
}

const outputOf = (words: string) =>
  outputs[blocks.findIndex((block) => block.includes(words))] ?? '';

describe('the commands of docs/web-identity.md, pasted one after the other', () => {
  it('name parameters that the stack has', () => {
    const [, given = ''] = /deploy .*--parameter-overrides (.+)/.exec(calls) ?? [];
    const names = given.split(' ').map((one) => one.split('=')[0]);
    const { Parameters = {} } = readTemplate('web-identity') as { readonly Parameters?: object };
    expect(names.length).toBeGreaterThan(2);
    expect(names.filter((name) => !Object.keys(Parameters).includes(name ?? ''))).toEqual([]);
    const needed = Object.entries(Parameters).filter(([, one]) => !('Default' in one));
    expect(names).toEqual(expect.arrayContaining(needed.map(([name]) => name)));
  });

  it('render the two documents, publish them as STS bears them, and find them in order', () => {
    const output = outputOf('web-identity render');
    for (const path of [discoveryPath, keySetPath]) expect(output).toContain(`documents${path}`);
    expect(output).toContain(`${host.url}: as STS needs it`);
    expect(output).not.toMatch(/doubtful|wrong|unreachable/);
    expect(calls).toContain(
      `--recursive --content-type application/json --cache-control ${documentsCacheControl}`,
    );
  });

  it('print a trust policy that STS believes, for the mappings of the table, and one for all accounts', async () => {
    const [policy = '', organization = ''] = outputOf('trust-policy')
      .trim()
      .split(/(?<=^\})\n/m);
    expect(JSON.parse(policy).Statement.map(({ Action }: { Action: string }) => Action)).toEqual([
      'sts:AssumeRoleWithWebIdentity',
      'sts:TagSession',
      'sts:SetSourceIdentity',
    ]);
    const sts = await startStsHarness();
    try {
      const here = role.replace('111122223333', accountId);
      const trustPolicy = JSON.parse(
        policy
          .replaceAll('111122223333', accountId)
          .replaceAll(host.url.slice(7), sts.providerName),
      );
      const { url: issuer, jwksUri } = sts.issuer;
      sts.sts.putProvider({ accountId, issuer, jwksUri, clientIds: ['sts.amazonaws.com'] });
      sts.sts.putRole({ arn: here, trustPolicy });
      const token = (name: string) =>
        sts.token({
          aud: 'sts.amazonaws.com',
          'https://aws.amazon.com/roles': [name],
          'https://aws.amazon.com/tags': {
            principal_tags: { tenant: ['acme'] },
            transitive_tag_keys: ['tenant'],
          },
          'https://aws.amazon.com/source_identity': 'ada',
        });
      const shown = (name: string) =>
        sts.exchange({ RoleArn: here, WebIdentityToken: token(name) }).then(
          () => 'ok',
          (error: Error) => error.name,
        );
      expect(await shown(here)).toBe('ok');
      expect(await shown(`${here}-other`)).toBe('InvalidIdentityTokenException');
    } finally {
      await sts.stop();
    }
    expect(JSON.parse(organization).Statement[0]).toMatchObject({ Effect: 'Deny', Principal: '*' });
  });
});

describe('docs/web-identity.md', () => {
  it('names every reason for which nothing is signed, and what is seen of each', () => {
    const [row] = tableRows(page, '| what is seen | what it is |').filter(([seen = '']) =>
      seen.includes('web_identity_unavailable'),
    );
    for (const reason of signingFailures) expect(row?.[1]).toContain(`\`${reason}\``);
  });

  it('shows attribution that a mapping takes as it stands', () => {
    const { session } = parse(codeBlocks(page, 'yaml')[1] ?? '');
    expect(session.tags.team).toBe(claimRef('custom:team'));
    const mapping = {
      id: 'orders-writer',
      principal: { pool: adminPool, client: callerClient },
      effect: 'allow',
      role,
      owner: 'orders',
      session,
    };
    expect(roleMappingSchema.safeParse(mapping).success).toBe(true);
  });
});
