/** How far a table has come, and with which change log: what seals go on from, and what is not gone back behind (T325, T326). */

import type { Chain } from './entry-chain.ts';
import { chainAfter, emptyChain } from './entry-chain.ts';
import type { LoadedMappings } from './mapping-loader.ts';
import { judgeReload, type PolicyTable, type SealCheck } from './policy-steps.ts';

export type Anchor = Omit<Chain, 'name'>;

export type AnchorFound =
  | { readonly kind: 'found'; readonly anchor: Anchor; readonly mappings: number }
  | { readonly kind: 'empty' }
  /** The log is not sealed as it must be. */
  | { readonly kind: 'unproven' }
  /** It does not lead to the rows that were read, or not from its beginning. */
  | { readonly kind: 'gap' }
  | { readonly kind: 'unexplained'; readonly ids: readonly string[] };

/**
 * By reading everything: the log is followed from its beginning, and the rows must be what it says.
 *
 * @param seal what counts as proven
 * @throws BrokerError `table_unavailable`
 */
export async function readAnchor(
  table: PolicyTable,
  loaded: LoadedMappings,
  seal: SealCheck,
): Promise<AnchorFound> {
  const next = await judgeReload(table, { loaded, base: undefined, revisionBefore: 0, seal });
  if (next.kind === 'refused' && next.alarm === 'seal_broken') return { kind: 'unproven' };
  if (next.kind !== 'next') return { kind: 'gap' };
  const { state, unexplained: ids = [] } = next;
  if (ids.length > 0) return { kind: 'unexplained', ids };
  const { chain, rows } = state;
  if (chain === undefined || chain.revision === 0) return { kind: 'empty' };
  const { revision, digest } = chain;
  return { kind: 'found', anchor: { revision, digest }, mappings: rows.size };
}

/** Takes whatever follows on from each other: somebody has looked. */
export function unprovenSeal(name: string): SealCheck {
  return {
    empty: emptyChain(name),
    isOurs: (_chain): _chain is never => false,
    following: (from, links) => chainAfter(from, links, () => true),
  };
}
