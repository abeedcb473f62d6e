/**
 * `GET /v1/role-mappings`: the policy in force here, by id. Listed from memory, so it may be seconds behind an
 * edit made elsewhere: what is read by id comes from the table.
 */

import { z } from 'zod';
import type { CompiledMapping } from '../../core/policy/compiled-mapping.ts';
import { roleKey } from '../../core/policy/role-key.ts';
import type { LivePolicy, RecentDecisions } from '../../core/ports.ts';
import type { RouteHandler } from '../arrival.ts';
import { readQuery } from '../query.ts';
import type { AdminLook } from './look.ts';
import { cursorParameter, limitParameter, nextLink } from './paging.ts';
import { snapshotPage } from './snapshot-page.ts';

export interface ListRoleMappingsOptions {
  readonly policy: LivePolicy;
  readonly decisions: RecentDecisions;
  readonly look: AdminLook;
}

const exactly = z.string().min(1).max(2048).optional();

const listQuery = z.strictObject({
  limit: limitParameter,
  cursor: cursorParameter,
  pool: exactly,
  client: exactly,
  user: exactly,
  group: exactly,
  any: z.literal('true', 'must be true').optional(),
  role: exactly,
  owner: exactly,
  effect: z.enum(['allow', 'deny'], 'must be allow or deny').optional(),
  managedBy: z.enum(['git', 'api'], 'must be git or api').optional(),
  enabled: z.enum(['true', 'false'], 'must be true or false').optional(),
});
type Filters = Omit<z.output<typeof listQuery>, 'limit' | 'cursor'>;

const maxQuarantinedShown = 100;

export function listRoleMappings(options: ListRoleMappingsOptions): RouteHandler {
  const { policy, decisions, look } = options;
  return look(async ({ req }, context) => {
    const { limit, cursor, ...filters } = readQuery(req, listQuery);
    const wanted = { ...filters, role: filters.role && roleKey(filters.role) };
    const { revision, byId } = policy.current();
    const quarantined = policy.quarantined();
    // What stands in for a row that cannot be read is nothing that anybody wrote.
    const unreadable = new Set(quarantined.map(({ id }) => id));
    const { items, nextCursor } = await snapshotPage({
      byId,
      limit,
      cursor,
      pick: (compiled, id) => {
        const { mapping, version } = compiled;
        if (!matches(compiled, wanted) || unreadable.has(id)) return undefined;
        return { version, mapping, lastIssuedAt: decisions.lastIssued(id) ?? null };
      },
    });
    return {
      document: {
        revision,
        issuedSince: decisions.since,
        items,
        quarantined: quarantined.slice(0, maxQuarantinedShown),
        nextCursor,
      },
      headers: nextLink(context.route, { ...filters, limit }, nextCursor),
    };
  });
}

function matches(compiled: CompiledMapping, filters: Filters): boolean {
  const { mapping } = compiled;
  const { principal } = mapping;
  const wanted: readonly (readonly [string | undefined, string | undefined])[] = [
    [filters.pool, principal.pool],
    [filters.client, 'client' in principal ? principal.client : undefined],
    [filters.user, 'user' in principal ? principal.user : undefined],
    [filters.group, 'group' in principal ? principal.group : undefined],
    [filters.any, 'any' in principal ? 'true' : undefined],
    [filters.role, compiled.roleKey],
    [filters.owner, mapping.owner],
    [filters.effect, mapping.effect],
    [filters.managedBy, mapping.managedBy],
    [filters.enabled, String(mapping.enabled)],
  ];
  return wanted.every(([filter, value]) => filter === undefined || filter === value);
}
