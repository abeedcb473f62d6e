import { FileSigner } from './file-signer.ts';
import type { KmsObservation } from './kms-key.ts';
import { KmsSigner, type KmsSignerOptions } from './kms-signer.ts';
import type { Signer } from './signer.ts';

export interface ConfiguredKey {
  readonly kms?: Omit<KmsSignerOptions, 'requestTimeoutMs'> | undefined;
  readonly keyFile?: string | undefined;
}

/** Undefined where no key is configured. `timeoutMs` is for one signature, in both tries. */
export function configuredSigner(
  { kms, keyFile }: ConfiguredKey,
  timeoutMs: number,
  observe?: KmsObservation,
): Signer | undefined {
  if (kms !== undefined) return new KmsSigner({ ...kms, requestTimeoutMs: timeoutMs / 2, observe });
  return keyFile === undefined ? undefined : new FileSigner(keyFile);
}
