/** STS as configuration describes it: the calls, and what stands between them and the cache. */

import { webIdentityRules } from '../../config/mapping-rules.ts';
import type { Config } from '../../config/schema.ts';
import type { CredentialIssuer, IssuerKeyView } from '../../core/ports.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import { AccountLimit } from '../../sts/account-limit.ts';
import { CallerShare } from '../../sts/caller-share.ts';
import { CallersOwnToken } from '../../sts/callers-own-token.ts';
import { RememberedRefusals } from '../../sts/remembered-refusals.ts';
import { StsWebIdentityAdapter } from '../../sts/web-identity-adapter.ts';
import {
  WebIdentityForms,
  type WebIdentityFormsOptions,
} from '../../web-identity/web-identity-forms.ts';
import type { Observers } from '../observers.ts';

export interface ConfiguredStsOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly observe: Pick<Observers, 'sts' | 'refusedBy'>;
}

export function configuredSts(
  { config, clock, observe }: ConfiguredStsOptions,
  keys: IssuerKeyView,
): StsWebIdentityAdapter {
  const { endpoints, connectTimeoutMs, requestTimeoutMs, totalTimeoutMs, maxConcurrent } =
    config.sts;
  const [first, ...others] = endpoints;
  if (first === undefined) throw new TypeError('configuration must name an STS endpoint');
  return new StsWebIdentityAdapter({
    endpoints: [first, ...others],
    clock,
    connectTimeoutMs,
    requestTimeoutMs,
    totalTimeoutMs,
    maxInFlight: maxConcurrent,
    keys,
    observer: observe.sts,
  });
}

/** What is behind the cache: what refuses without STS, what spends its quota, and the token that it is shown. */
export function configuredIssuer(
  { config, clock, observe }: ConfiguredStsOptions,
  forms: Pick<WebIdentityFormsOptions, 'sts' | 'tokens' | 'audit'>,
): CredentialIssuer {
  const { byDefault } = webIdentityRules(config);
  return new CallersOwnToken({
    byDefault,
    issuer: new RememberedRefusals({
      issuer: new CallerShare({
        issuer: new AccountLimit({
          issuer: new WebIdentityForms({ ...forms, byDefault, clock }),
          rate: config.sts.perAccount,
          clock,
          onRefused: () => observe.refusedBy('sts_account'),
        }),
        maxInFlight: config.sts.maxConcurrent,
        onRefused: () => observe.refusedBy('sts_caller'),
      }),
      clock,
    }),
  });
}
