/** What was changed outside of Git, of many role mappings at once. */

import type { LoadedMappings } from '../dynamodb/mapping-loader.ts';
import type { RoleMappingTable } from '../dynamodb/role-mapping-table.ts';
import { type HandEdits, handEditsOf } from '../mapping-files/hand-edits.ts';
import { comparable } from './mapping-table.ts';
import type { Terminal } from './terminal.ts';

export type HandEditsById = ReadonlyMap<string, HandEdits>;

const atOnce = 8;
/** Of one mapping; who edits by hand more often than that has left Git. */
const maxVersions = 50;

/** @throws BrokerError `table_unavailable` */
export async function handEditsIn(
  table: Pick<RoleMappingTable, 'versions'>,
  { ids: asked, loaded }: { readonly ids: readonly string[]; readonly loaded: LoadedMappings },
  terminal: Terminal,
): Promise<Map<string, HandEdits>> {
  const ids = withHistory(asked, loaded);
  const found = new Map<string, HandEdits>();
  try {
    for (let at = 0; at < ids.length; at += atOnce) {
      terminal.showProgress(`Reading histories … ${at} of ${ids.length}`);
      const some = ids.slice(at, at + atOnce);
      const looked = some.map((id) => table.versions(id, { limit: maxVersions }));
      for (const [index, versions] of (await Promise.all(looked)).entries()) {
        const edits = handEditsOf(
          versions.map((one) => ({ ...one, document: comparable(one.document) })),
        );
        if (edits !== undefined) found.set(some[index] as string, edits);
      }
    }
  } finally {
    terminal.showProgress('');
  }
  return found;
}

/** A row says by itself whether Git wrote it last; what is not there may have been deleted by hand. */
function withHistory(
  ids: readonly string[],
  { rows, quarantined, overridden }: LoadedMappings,
): readonly string[] {
  const unreadable = new Set(quarantined.map(({ id }) => id));
  const isThere = (id: string) => rows.get(id) !== undefined || unreadable.has(id);
  return ids.filter((id) => overridden.has(id) || !isThere(id));
}
