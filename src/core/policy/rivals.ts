/** Mappings in force of the same effect for the same principal and role. */

import { sortedInPieces } from '../../kit/order/sorted-in-pieces.ts';
import { eachInPieces, type PiecesOfWork } from '../../kit/timing/in-turns.ts';
import { type PolicySnapshot, principalKey } from './policy-snapshot.ts';
import { roleKey } from './role-key.ts';
import type { RoleMapping } from './role-mapping.ts';

/** Their ids, sorted, without its own. */
export type RivalsOf = (mapping: RoleMapping) => readonly string[];

const perPiece = 500;

/** For one mapping or for each of a policy: those of each principal are looked at once. */
export function* rivals(
  asked: readonly RoleMapping[],
  { byPrincipal }: PolicySnapshot,
): PiecesOfWork<RivalsOf> {
  const wanted = new Map<string, string[]>();
  const principals = new Set<string>();
  yield* eachInPieces(asked, perPiece, (mapping) => {
    wanted.set(keyOf(mapping), []);
    principals.add(principalKey(mapping.principal));
  });
  for (const principal of principals) {
    yield* eachInPieces(byPrincipal.get(principal) ?? [], perPiece, ({ mapping }) => {
      wanted.get(keyOf(mapping))?.push(mapping.id);
    });
  }
  const sorted = new Map<string, readonly string[]>();
  for (const [key, ids] of wanted) {
    sorted.set(key, yield* sortedInPieces(ids, (a, b) => (a < b ? -1 : 1)));
  }
  return (mapping) => sorted.get(keyOf(mapping))?.filter((id) => id !== mapping.id) ?? [];
}

function keyOf({ effect, role, principal }: RoleMapping): string {
  return `${effect}\n${roleKey(role)}\n${principalKey(principal)}`;
}
