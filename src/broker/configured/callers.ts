/** Who is let in, as configuration describes it: keys, tokens, and how many refused ones an address may bring. */

import type { Config } from '../../config/schema.ts';
import { JwksSource } from '../../identity/keys/jwks-source.ts';
import type { TrustedIssuer } from '../../identity/providers/provider.ts';
import { CognitoTokenValidator } from '../../identity/token-validator.ts';
import type { TrustedIssuers } from '../../identity/trusted-issuers.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import { FailedTokenLimit } from '../../limits/failed-token-limit.ts';
import type { Observers } from '../observers.ts';
import { liveRate, type RunningSettings } from '../running-settings.ts';

export interface ConfiguredCallersOptions {
  readonly config: Config;
  readonly running: RunningSettings;
  readonly clock: Clock;
  readonly observe: Pick<Observers, 'keys' | 'refusedBy'>;
}

export function configuredJwks(
  { config, clock, observe }: ConfiguredCallersOptions,
  issuers: TrustedIssuers,
): JwksSource {
  const { refreshSeconds, maxAgeSeconds, cooldownSeconds, timeoutMs, directory } = config.keys;
  return new JwksSource({
    issuers: [...issuers.values()].map(([issuer]) => issuer),
    clock,
    observer: observe.keys,
    refreshIntervalMs: refreshSeconds * 1000,
    maxAgeMs: maxAgeSeconds * 1000,
    missCooldownMs: cooldownSeconds * 1000,
    fetchTimeoutMs: timeoutMs,
    directory,
  });
}

export function configuredValidator(
  { config: { identity, audit }, clock }: ConfiguredCallersOptions,
  issuers: readonly TrustedIssuer[],
  keys: JwksSource,
): CognitoTokenValidator {
  return new CognitoTokenValidator({
    issuers,
    keys,
    clock,
    matchableClaims: new Set(identity.matchableClaims),
    describe: new Set(audit.describe),
    maxTokenBytes: identity.maxTokenBytes,
    maxTokenAgeSeconds: identity.maxTokenAgeSeconds,
    clockToleranceSeconds: identity.clockToleranceSeconds,
    maxVerifiedTokens: identity.maxVerifiedTokens,
  });
}

export function failedTokenLimit(
  { running, clock, observe }: ConfiguredCallersOptions,
  validator: CognitoTokenValidator,
): FailedTokenLimit {
  return new FailedTokenLimit({
    validator,
    rate: liveRate(running, 'failedTokensPerAddress'),
    blocks: {
      get ipv4() {
        return running.now.config.limits.addressBitsIpv4;
      },
      get ipv6() {
        return running.now.config.limits.addressBitsIpv6;
      },
    },
    clock,
    onRefused: () => observe.refusedBy('failed_tokens'),
  });
}
