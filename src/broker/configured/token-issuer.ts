/** The broker's own issuer as configuration describes it: for the broker, and for commands about its documents. */

import type { Config } from '../../config/schema.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import type { KmsKeyOptions, KmsObservation } from '../../signing/kms-key.ts';
import { EphemeralTokenSigner } from '../../web-identity/ephemeral-token-signer.ts';
import { KmsTokenSigner } from '../../web-identity/kms-token-signer.ts';
import { TokenIssuer, type TokenIssuerOptions } from '../../web-identity/token-issuer.ts';

type WebIdentity = NonNullable<Config['webIdentity']>;

/** Undefined where the configuration has none. */
export function configuredTokenIssuer(
  { webIdentity, sts }: Config,
  clock: Clock,
  observer?: TokenIssuerOptions['observer'],
  onKmsCall?: KmsObservation['onCall'],
): TokenIssuer | undefined {
  if (webIdentity === undefined) return undefined;
  const { issuer, audience, lifetimeSeconds, signTimeoutMs } = webIdentity;
  return new TokenIssuer({
    terms: { issuer, audience, lifetimeSeconds },
    signers: signersOf(webIdentity, {
      maxSockets: sts.maxConcurrent,
      observe: onKmsCall && { clock, onCall: onKmsCall },
    }),
    clock,
    timeoutMs: signTimeoutMs,
    maxInFlight: sts.maxConcurrent,
    observer,
  });
}

function signersOf(
  { keys }: WebIdentity,
  options: Pick<KmsKeyOptions, 'maxSockets' | 'observe'>,
): TokenIssuerOptions['signers'] {
  if (keys === undefined) return { current: new EphemeralTokenSigner() };
  const signer = ({ kms }: NonNullable<typeof keys.next>) =>
    new KmsTokenSigner({ ...kms, ...options });
  const { current, next, previous } = keys;
  return {
    current: signer(current),
    ...(next === undefined ? {} : { next: signer(next) }),
    ...(previous === undefined ? {} : { previous: signer(previous) }),
  };
}
