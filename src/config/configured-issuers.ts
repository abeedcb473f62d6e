/** The issuers of the configuration, each as its kind makes it. */

import type { EntryFault, ProviderKind, TrustedIssuer } from '../identity/providers/provider.ts';
import { providerKinds } from '../identity/providers/provider-kinds.ts';
import { contradiction } from '../identity/trusted-issuers.ts';
import type { SettingFault } from './fault.ts';
import type { Config } from './schema.ts';
import { whereSettled } from './settled.ts';

interface ConfiguredIssuer {
  readonly trusted: TrustedIssuer;
  /** Dotted path of its entry. */
  readonly path: string;
  /** Why it may not be in a production configuration; settings are those of the entry. */
  readonly productionFaults: readonly EntryFault[];
}

export function trustedIssuersOf(identity: Config['identity']): readonly TrustedIssuer[] {
  return entriesOf(identity).map((entry) => entry().trusted);
}

/** That there is one at all, and what no two entries may have in common. */
export function checkIssuers({ identity }: Config): SettingFault[] {
  const entries = entriesOf(identity);
  if (entries.length === 0) {
    const lists = Object.keys(providerKinds).join(', ');
    return [{ path: 'identity', detail: `needs at least one issuer: ${lists}` }];
  }
  const known = whereSettled(entries, (entry) => [entry()]);
  const issuers = known.map(({ trusted }) => trusted);
  return known.flatMap(({ trusted, path }, index) => {
    const detail = contradiction(trusted, issuers.slice(0, index));
    return detail === undefined ? [] : [{ path, detail }];
  });
}

export function checkProductionIssuers({ identity }: Config): SettingFault[] {
  return whereSettled(entriesOf(identity), (entry) => {
    const { path, productionFaults } = entry();
    return productionFaults.map(({ setting, detail }) => ({ path: `${path}.${setting}`, detail }));
  });
}

/** Each is read when it is asked for. */
function entriesOf(identity: Config['identity']): readonly (() => ConfiguredIssuer)[] {
  const kinds: Readonly<Record<string, ProviderKind>> = providerKinds;
  return Object.entries(kinds).flatMap(([list, kind]) => {
    const entries: readonly unknown[] = identity[list as keyof typeof providerKinds];
    return Array.from(entries.keys(), (index) => () => ({
      trusted: kind.trust(entries[index]),
      path: `identity.${list}.${index}`,
      productionFaults: kind.productionFaults(entries[index]),
    }));
  });
}
