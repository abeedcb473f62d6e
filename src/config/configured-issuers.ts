/** The issuers of the configuration, each as its kind makes it. */

import type { EntryFault, ProviderKind, TrustedIssuer } from '../identity/providers/provider.ts';
import { providerKinds } from '../identity/providers/provider-kinds.ts';
import { contradiction } from '../identity/trusted-issuers.ts';
import type { Config } from './schema.ts';
import type { SettingFault } from './settings.ts';

interface ConfiguredIssuer {
  readonly trusted: TrustedIssuer;
  /** Dotted path of its entry. */
  readonly path: string;
  /** Why it may not be in a production configuration; settings are those of the entry. */
  readonly productionFaults: readonly EntryFault[];
}

export function trustedIssuersOf(identity: Config['identity']): readonly TrustedIssuer[] {
  return configuredIssuers(identity).map(({ trusted }) => trusted);
}

/** What no two entries may have in common, and that there is one at all. */
export function checkIssuers(identity: Config['identity']): SettingFault[] {
  const entries = configuredIssuers(identity);
  if (entries.length === 0) {
    const lists = Object.keys(providerKinds).join(', ');
    return [{ path: 'identity', detail: `needs at least one issuer: ${lists}` }];
  }
  const issuers = entries.map(({ trusted }) => trusted);
  return entries.flatMap(({ trusted, path }, index) => {
    const detail = contradiction(trusted, issuers.slice(0, index));
    return detail === undefined ? [] : [{ path, detail }];
  });
}

export function checkProductionIssuers(identity: Config['identity']): SettingFault[] {
  return configuredIssuers(identity).flatMap(({ path, productionFaults }) =>
    productionFaults.map(({ setting, detail }) => ({ path: `${path}.${setting}`, detail })),
  );
}

function configuredIssuers(identity: Config['identity']): readonly ConfiguredIssuer[] {
  const kinds: Readonly<Record<string, ProviderKind>> = providerKinds;
  return Object.entries(kinds).flatMap(([list, kind]) =>
    identity[list as keyof typeof providerKinds].map((settings, index) => ({
      trusted: kind.trust(settings),
      path: `identity.${list}.${index}`,
      productionFaults: kind.productionFaults(settings),
    })),
  );
}
