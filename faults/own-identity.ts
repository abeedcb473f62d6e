/** What a broker that issues its own web identity tokens stands on besides the world: a KMS, a host of documents. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type KmsServer, startKmsServer } from '../emulators/kms/kms-server.ts';
import { keySetPath, publicDocuments } from '../src/web-identity/documents.ts';
import { publishedKey } from '../src/web-identity/public-key.ts';
import type { KeyUse } from '../src/web-identity/token-issuer.ts';
import { startDocumentHost } from '../test/support/document-host.ts';
import { type Front, startFront } from './front.ts';
import { account, region, type World } from './world.ts';

export const audience = 'sts.amazonaws.com';

export interface IdentityKey {
  readonly kms: KmsServer;
  readonly front: Front;
}

type Keys = { readonly current: IdentityKey } & Partial<Record<KeyUse, IdentityKey>>;

export interface OwnIdentity {
  readonly issuer: string;
  /** In front of the two public documents. */
  readonly documents: Front;
  /** That signs in the beginning, and is published. */
  readonly key: IdentityKey;
  /** The section `webIdentity` of brokers that are started now. */
  readonly section: Readonly<Record<string, unknown>>;
  /** Makes one more key. The whole process waits for it. */
  anotherKey(): Promise<IdentityKey>;
  /** For brokers that are started from now on. */
  configure(keys: Keys): void;
  publish(keys: readonly IdentityKey[]): void;
  /** STS has no copy of the key set any more. */
  forgottenBy(world: Pick<World, 'sts'>): void;
  stop(): Promise<void>;
}

export async function startOwnIdentity(): Promise<OwnIdentity> {
  const folder = mkdtempSync(join(tmpdir(), 'token-broker-documents-'));
  const host = await startDocumentHost(folder);
  const documents = await startFront({ upstream: host.url });
  const issuer = documents.url;
  const made: IdentityKey[] = [];
  const anotherKey = async () => {
    const kms = await startKmsServer('rsa');
    const signingKey = { kms, front: await startFront({ upstream: kms.endpoint }) };
    made.push(signingKey);
    return signingKey;
  };
  const publish = (keys: readonly IdentityKey[]) => {
    const published = keys.map(({ kms }) => publishedKey(kms.publicKey));
    for (const { path, text } of publicDocuments(issuer, published)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
  };
  const key = await anotherKey();
  publish([key]);
  let configured: Keys = { current: key };
  return {
    issuer,
    documents,
    key,
    get section() {
      const keys = Object.entries(configured).map(([use, { front }]) => {
        return [use, { kms: { keyId: front.url, region, endpoint: front.url } }];
      });
      return { issuer, audience, keys: Object.fromEntries(keys) };
    },
    anotherKey,
    configure(keys) {
      configured = keys;
    },
    publish,
    forgottenBy({ sts }) {
      const jwksUri = `${issuer}${keySetPath}`;
      sts.putProvider({ accountId: account, issuer, jwksUri, clientIds: [audience] });
    },
    async stop() {
      const fronts = made.map(({ front }) => front);
      const servers = made.map(({ kms }) => kms);
      await Promise.all([...fronts, ...servers, documents, host].map((part) => part.stop()));
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
