/** Names that role mappings know already, so that nobody has to type them from another window. */

import { useEffect, useState } from 'preact/hooks';
import type { RoleMapping } from './documents.ts';
import { readAllMappings } from './mapping-edits.ts';

export interface Names {
  readonly pools: readonly string[];
  readonly clients: readonly string[];
  readonly users: readonly string[];
  readonly groups: readonly string[];
  /** ARNs. */
  readonly roles: readonly string[];
  readonly owners: readonly string[];
}

export type PrincipalKind = 'client' | 'user' | 'group' | 'any';

export const suggestedNames: Readonly<Record<PrincipalKind, (names: Names) => readonly string[]>> =
  {
    client: ({ clients }) => clients,
    user: ({ users }) => users,
    group: ({ groups }) => groups,
    any: () => [],
  };

const none: Names = { pools: [], clients: [], users: [], groups: [], roles: [], owners: [] };
/** Of mappings: more than anybody picks from. */
const mostRead = 1_000;

/** Empty until they are there, and where they cannot be read: they help, and nothing depends on them. */
export function useNames(): Names {
  const [names, setNames] = useState<Names>(none);
  useEffect(() => {
    let wanted = true;
    readNames(() => wanted).then(
      (read) => wanted && setNames(read),
      () => undefined,
    );
    return () => {
      wanted = false;
    };
  }, []);
  return names;
}

/** Where there is one pool, nobody has to say which. */
export function useOnlyPool<Asked extends { readonly pool: string }>(
  { pools }: Names,
  change: (next: (before: Asked) => Asked) => void,
): void {
  useEffect(() => {
    const [only, ...others] = pools;
    // Not while somebody is in a field: it would change under their hands.
    if (document.activeElement instanceof HTMLInputElement) return;
    if (only === undefined || others.length > 0) return;
    change((before) => (before.pool === '' ? { ...before, pool: only } : before));
  }, [pools]);
}

async function readNames(isWanted: () => boolean): Promise<Names> {
  const mappings: RoleMapping[] = [];
  await readAllMappings(
    ({ items }) => void mappings.push(...items.map(({ mapping }) => mapping)),
    () => isWanted() && mappings.length < mostRead,
  );
  const principals = mappings.map(({ principal }) => principal);
  return {
    pools: distinct(principals.map(({ pool }) => pool).filter((pool) => pool !== '*')),
    clients: distinct(principals.flatMap((one) => ('client' in one ? [one.client] : []))),
    users: distinct(principals.flatMap((one) => ('user' in one ? [one.user] : []))),
    groups: distinct(principals.flatMap((one) => ('group' in one ? [one.group] : []))),
    roles: distinct(mappings.map(({ role }) => role).filter((role) => role !== '*')),
    owners: distinct(mappings.map(({ owner }) => owner)),
  };
}

function distinct(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort((one, other) => (one < other ? -1 : 1));
}
