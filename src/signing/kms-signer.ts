import { createPublicKey, type KeyObject } from 'node:crypto';
import type { KMSClient, SigningAlgorithmSpec } from '@aws-sdk/client-kms';
import { collectBounded } from '../aws/bounded-answers.ts';
import { type AwsEndpoint, hermeticSettings } from '../aws/hermetic-settings.ts';
import type { Signer } from './signer.ts';
import { kindOf, type SignatureKind, UnfitKeyError } from './signing-key.ts';

export interface KmsSignerOptions extends AwsEndpoint {
  /** Id, ARN or alias of a key for SIGN_VERIFY: ECC_NIST_EDWARDS25519 or ECC_NIST_P256. */
  readonly keyId: string;
  /** For the whole of one try; there are two. */
  readonly requestTimeoutMs: number;
}

type Kms = typeof import('@aws-sdk/client-kms');

/** Both take the text itself: the other algorithm for Ed25519 (PH) makes other signatures. */
const algorithms: Readonly<Record<SignatureKind, SigningAlgorithmSpec>> = {
  ed25519: 'ED25519_SHA_512',
  p256: 'ECDSA_SHA_256',
};

/** A key of AWS KMS. The SDK's client is loaded with the first call: nobody else pays for it. */
export class KmsSigner implements Signer {
  readonly #options: KmsSignerOptions;
  #loading: Promise<{ readonly kms: Kms; readonly client: KMSClient }> | undefined;
  #publicKey: KeyObject | undefined;

  constructor(options: KmsSignerOptions) {
    this.#options = options;
  }

  async publicKey(): Promise<KeyObject> {
    if (this.#publicKey !== undefined) return this.#publicKey;
    const { kms, client } = await this.#load();
    const { PublicKey } = await client.send(
      new kms.GetPublicKeyCommand({ KeyId: this.#options.keyId }),
    );
    const key = createPublicKey({
      key: Buffer.from(PublicKey ?? []),
      type: 'spki',
      format: 'der',
    });
    kindOf(key);
    this.#publicKey = key;
    return key;
  }

  async sign(text: string): Promise<Buffer> {
    const { kms, client } = await this.#load();
    const { Signature } = await client.send(
      new kms.SignCommand({
        KeyId: this.#options.keyId,
        Message: Buffer.from(text),
        MessageType: 'RAW',
        SigningAlgorithm: algorithms[kindOf(await this.publicKey())],
      }),
    );
    if (Signature === undefined) throw new UnfitKeyError('KMS answered without a signature');
    return Buffer.from(Signature);
  }

  stop(): void {
    this.#loading?.then(({ client }) => client.destroy()).catch(() => {});
  }

  #load() {
    this.#loading ??= import('@aws-sdk/client-kms').then((kms) => ({
      kms,
      client: clientOf(kms, this.#options),
    }));
    return this.#loading;
  }
}

/** Never give this client a `logger`: the SDK logs whole requests and answers. */
function clientOf({ KMSClient }: Kms, { region, endpoint, requestTimeoutMs }: KmsSignerOptions) {
  return new KMSClient({
    ...hermeticSettings({ region, endpoint }),
    maxAttempts: 2,
    requestHandler: {
      connectionTimeout: Math.min(1_000, requestTimeoutMs),
      requestTimeout: requestTimeoutMs,
      // Without this the SDK only warns when a request times out.
      throwOnRequestTimeout: true,
    },
    streamCollector: collectBounded,
  });
}
