/**
 * What a reload may change, as it is at this moment. Whoever needs some of it asks anew each time: it is replaced as a
 * whole, so nobody ever meets half of a change.
 */

import { adminAccess } from '../config/admin-access.ts';
import { trustedIssuersOf } from '../config/configured-issuers.ts';
import { writingRules } from '../config/mapping-rules.ts';
import type { Config } from '../config/schema.ts';
import type { AdminAccess } from '../core/admin-access.ts';
import type { WritingRules } from '../core/policy/mapping-check.ts';
import { type ClientIp, clientIp } from '../http/client-ip.ts';
import type { TrustedIssuer } from '../identity/providers/provider.ts';
import type { Rate } from '../kit/rates/token-bucket.ts';

export interface Settings {
  readonly config: Config;
  readonly issuers: readonly TrustedIssuer[];
  readonly clientIp: ClientIp;
  /** Undefined where the configuration names no administrators. */
  readonly access: AdminAccess | undefined;
  readonly rules: WritingRules;
}

export interface RunningSettings {
  now: Settings;
}

export function settingsOf(config: Config): Settings {
  return {
    config,
    issuers: trustedIssuersOf(config.identity),
    clientIp: clientIp(config.http.trustedProxies),
    access: config.admin && adminAccess(config.admin),
    rules: writingRules(config),
  };
}

type Limits = Config['limits'];

/** A rate that is what the configuration says at the moment at which it is read. */
export function liveRate(
  running: RunningSettings,
  name: 'perCaller' | 'failedTokensPerAddress',
): Rate {
  const limits = (): Limits => running.now.config.limits;
  return {
    get perSecond() {
      return limits()[name].perSecond;
    },
    get burst() {
      return limits()[name].burst;
    },
  };
}

/** Where requests come from, by the proxies that are trusted at the moment. */
export function liveClientIp(running: RunningSettings): ClientIp {
  return (peer, forwardedFor) => running.now.clientIp(peer, forwardedFor);
}
