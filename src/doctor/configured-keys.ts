import type { AwsEndpoint } from '../aws/hermetic-settings.ts';
import type { Config } from '../config/schema.ts';

export interface ConfiguredKmsKey {
  /** Dotted path of the setting. */
  readonly path: string;
  readonly keyId: string;
  readonly at: AwsEndpoint;
  /** Any of these KeySpecs of KMS. */
  readonly specs: readonly string[];
}

const textKeys = ['ECC_NIST_EDWARDS25519', 'ECC_NIST_P256'];
const tokenKeys = ['RSA_2048'];

/** The keys of KMS that the broker signs with. */
export function configuredKeys({
  webIdentity,
  audit,
  policy,
}: Config): readonly ConfiguredKmsKey[] {
  const { current, next, previous } = webIdentity?.keys ?? {};
  const places = [
    ['webIdentity.keys.current', current, tokenKeys],
    ['webIdentity.keys.next', next, tokenKeys],
    ['webIdentity.keys.previous', previous, tokenKeys],
    ['audit.checkpoints', audit.checkpoints, textKeys],
    ['policy.seal', policy.seal, textKeys],
  ] as const;
  return places.flatMap(([path, place, specs]) => {
    if (place?.kms === undefined) return [];
    const { keyId, region, endpoint } = place.kms;
    return [{ path: `${path}.kms`, keyId, at: { region, endpoint }, specs }];
  });
}
