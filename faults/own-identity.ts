/** What a broker that issues its own web identity tokens stands on besides the world: a KMS, a host of documents. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type KmsServer, startKmsServer } from '../emulators/kms/kms-server.ts';
import { keySetPath, publicDocuments } from '../src/web-identity/documents.ts';
import { publishedKey } from '../src/web-identity/public-key.ts';
import { startDocumentHost } from '../test/support/document-host.ts';
import { type Front, startFront } from './front.ts';
import { account, region, type World } from './world.ts';

const audience = 'sts.amazonaws.com';

export interface SigningKey {
  readonly kms: KmsServer;
  readonly front: Front;
}

export interface OwnIdentity {
  readonly issuer: string;
  /** In front of the two public documents. */
  readonly documents: Front;
  readonly key: SigningKey;
  /** The section `webIdentity` of a broker. */
  readonly section: Readonly<Record<string, unknown>>;
  /** STS has no copy of the key set any more. */
  forgottenBy(world: World): void;
  stop(): Promise<void>;
}

export async function startOwnIdentity(): Promise<OwnIdentity> {
  const folder = mkdtempSync(join(tmpdir(), 'token-broker-documents-'));
  const host = await startDocumentHost(folder);
  const documents = await startFront({ upstream: host.url });
  const issuer = documents.url;
  const kms = await startKmsServer('rsa');
  const front = await startFront({ upstream: kms.endpoint });
  for (const { path, text } of publicDocuments(issuer, [publishedKey(kms.publicKey)])) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return {
    issuer,
    documents,
    key: { kms, front },
    section: {
      issuer,
      audience,
      keys: { current: { kms: { keyId: front.url, region, endpoint: front.url } } },
    },
    forgottenBy({ sts }) {
      const jwksUri = `${issuer}${keySetPath}`;
      sts.putProvider({ accountId: account, issuer, jwksUri, clientIds: [audience] });
    },
    async stop() {
      await Promise.all([front.stop(), kms.stop(), documents.stop(), host.stop()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** As `trust-policy` prints them, for any tags. */
export function ownTrustPolicy(issuer: string) {
  const provider = issuer.replace(/^https?:\/\//, '');
  const Principal = { Federated: `arn:aws:iam::${account}:oidc-provider/${provider}` };
  const StringEquals = { [`${provider}:aud`]: audience };
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal,
        Action: 'sts:AssumeRoleWithWebIdentity',
        Condition: { StringEquals, Bool: { 'sts:RoleAuthorizedByIdp': 'true' } },
      },
      {
        Effect: 'Allow',
        Principal,
        Action: ['sts:TagSession', 'sts:SetSourceIdentity'],
        Condition: { StringEquals },
      },
    ],
  };
}
