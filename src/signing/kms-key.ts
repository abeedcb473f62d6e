import { createPublicKey, type KeyObject } from 'node:crypto';
import type { KMSClient, MessageType, SigningAlgorithmSpec } from '@aws-sdk/client-kms';
import { collectBounded } from '../aws/bounded-answers.ts';
import { type AwsEndpoint, hermeticSettings } from '../aws/hermetic-settings.ts';
import { requestTimeouts } from '../aws/request-timeouts.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { UnfitKeyError } from './signing-key.ts';

/** One call, with all tries of the SDK. */
export interface KmsCall {
  readonly region: string;
  readonly operation: 'GetPublicKey' | 'Sign';
  readonly durationMs: number;
  /** If it failed. */
  readonly error?: unknown;
}

export interface KmsObservation {
  readonly clock: Clock;
  readonly onCall: (call: KmsCall) => void;
}

export interface KmsKeyOptions extends AwsEndpoint {
  /** Id, ARN or alias of a key for SIGN_VERIFY. */
  readonly keyId: string;
  /** For the whole of one try. */
  readonly requestTimeoutMs: number;
  /** Tries of one call. Default 2. */
  readonly maxAttempts?: number;
  /** Connections. Default 50; whoever comes when all are in use waits for one. */
  readonly maxSockets?: number;
  readonly observe?: KmsObservation | undefined;
}

export interface KmsSignature {
  readonly message: Buffer;
  readonly messageType: MessageType;
  readonly algorithm: SigningAlgorithmSpec;
}

type Kms = typeof import('@aws-sdk/client-kms');

/**
 * A key of AWS KMS, which it never leaves. The SDK's client is loaded with the first call: nobody else pays for it.
 *
 * Every method throws the SDK's error, or UnfitKeyError for an answer without what was asked for.
 */
export class KmsKey {
  readonly #options: KmsKeyOptions;
  #loading: Promise<{ readonly kms: Kms; readonly client: KMSClient }> | undefined;
  #publicKey: KeyObject | undefined;

  constructor(options: KmsKeyOptions) {
    this.#options = options;
  }

  /** Asked of KMS once. */
  async publicKey(signal?: AbortSignal): Promise<KeyObject> {
    if (this.#publicKey !== undefined) return this.#publicKey;
    const { kms, client } = await this.#load();
    const { PublicKey } = await this.#observed(
      'GetPublicKey',
      client.send(new kms.GetPublicKeyCommand({ KeyId: this.#options.keyId }), options(signal)),
    );
    const der = Buffer.from(PublicKey ?? []);
    this.#publicKey = createPublicKey({ key: der, type: 'spki', format: 'der' });
    return this.#publicKey;
  }

  async sign(
    { message, messageType, algorithm }: KmsSignature,
    signal?: AbortSignal,
  ): Promise<Buffer> {
    const { kms, client } = await this.#load();
    const command = new kms.SignCommand({
      KeyId: this.#options.keyId,
      Message: message,
      MessageType: messageType,
      SigningAlgorithm: algorithm,
    });
    const { Signature } = await this.#observed('Sign', client.send(command, options(signal)));
    if (Signature === undefined) throw new UnfitKeyError('KMS answered without a signature');
    return Buffer.from(Signature);
  }

  stop(): void {
    this.#loading?.then(({ client }) => client.destroy()).catch(() => {});
  }

  async #observed<Output>(operation: KmsCall['operation'], call: Promise<Output>): Promise<Output> {
    const { observe, region } = this.#options;
    if (observe === undefined) return await call;
    const { clock, onCall } = observe;
    const startedAt = clock.monotonic();
    const report = (failure: { readonly error?: unknown }) =>
      onCall({ region, operation, durationMs: clock.monotonic() - startedAt, ...failure });
    try {
      const output = await call;
      report({});
      return output;
    } catch (error) {
      report({ error });
      throw error;
    }
  }

  #load() {
    this.#loading ??= import('@aws-sdk/client-kms').then((kms) => ({
      kms,
      client: clientOf(kms, this.#options),
    }));
    return this.#loading;
  }
}

function options(signal: AbortSignal | undefined) {
  return signal === undefined ? {} : { abortSignal: signal };
}

/** Never give this client a `logger`: the SDK logs whole requests and answers. */
function clientOf(
  { KMSClient }: Kms,
  { region, endpoint, requestTimeoutMs, maxAttempts = 2, maxSockets = 50 }: KmsKeyOptions,
) {
  const agent = { keepAlive: true, maxSockets };
  return new KMSClient({
    ...hermeticSettings({ region, endpoint }),
    maxAttempts,
    requestHandler: {
      ...requestTimeouts(requestTimeoutMs),
      httpAgent: agent,
      httpsAgent: agent,
    },
    streamCollector: collectBounded,
  });
}
