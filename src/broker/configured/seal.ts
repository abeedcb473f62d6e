/** The seal of the change log as configuration describes it: for the broker, and for commands that edit. */

import type { Config } from '../../config/schema.ts';
import { TableSeal } from '../../dynamodb/table-seal.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import { configuredSigner } from '../../signing/configured-signer.ts';
import type { KmsObservation } from '../../signing/kms-key.ts';

/** Undefined where the configuration has none. */
export function configuredSeal(
  { policy }: Config,
  clock: Clock,
  onKmsCall?: KmsObservation['onCall'],
): TableSeal | undefined {
  const { seal, table } = policy;
  if (seal === undefined) return undefined;
  const { name = table, publicKeyFiles, signTimeoutMs } = seal;
  const anchor = seal.anchor && { revision: seal.anchor.revision, digest: seal.anchor.chain };
  const signer = configuredSigner(seal, signTimeoutMs, onKmsCall && { clock, onCall: onKmsCall });
  return new TableSeal({ name, anchor, publicKeyFiles, signer, signTimeoutMs, clock });
}
