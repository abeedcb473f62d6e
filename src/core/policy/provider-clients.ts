/**
 * Every app client that tokens come from is an audience of the pool's OIDC provider in the account of the role: how many
 * there are already, asked for one mapping or for each of a policy, so found for all that are asked about in one walk.
 */

import { eachInPieces, type PiecesOfWork } from '../../kit/timing/in-turns.ts';
import type { PolicySnapshot } from './policy-snapshot.ts';
import type { RoleMapping } from './role-mapping.ts';
import { ShardedSet } from './sharded-set.ts';

/** App clients that one provider would have to take with this mapping; undefined if the mapping adds none. */
export type ProviderClients = (mapping: RoleMapping) => number | undefined;

const perPiece = 500;

export function* providerClients(
  asked: readonly RoleMapping[],
  { byId }: PolicySnapshot,
): PiecesOfWork<ProviderClients> {
  const counts = new Map<string, number>();
  yield* eachInPieces(asked, perPiece, (mapping) => {
    const audience = audienceOf(mapping);
    if (audience !== undefined) counts.set(audience.provider, 0);
  });
  const known = new ShardedSet();
  if (counts.size > 0) {
    yield* eachInPieces(byId.values(), perPiece, ({ mapping }) => {
      const audience = audienceOf(mapping);
      const count = audience && counts.get(audience.provider);
      if (audience === undefined || count === undefined || known.has(keyOf(audience))) return;
      known.add(keyOf(audience));
      counts.set(audience.provider, count + 1);
    });
  }
  return (mapping) => {
    const audience = audienceOf(mapping);
    if (audience === undefined) return undefined;
    const count = counts.get(audience.provider) ?? 0;
    return known.has(keyOf(audience)) ? count : count + 1;
  };
}

interface Audience {
  readonly provider: string;
  readonly client: string;
}

function audienceOf({ effect, enabled, principal, role }: RoleMapping): Audience | undefined {
  if (effect !== 'allow' || !enabled || !('client' in principal)) return undefined;
  const account = /^arn:[^:]+:iam::\d+:/.exec(role)?.[0];
  if (account === undefined) return undefined;
  return { provider: `${account}\n${principal.pool}`, client: principal.client };
}

function keyOf({ provider, client }: Audience): string {
  return `${provider}\n${client}`;
}
