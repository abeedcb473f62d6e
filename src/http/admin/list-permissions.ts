/**
 * `GET /v1/permissions?pool=&client=&user=&group=`, with any number of groups: what a caller with these names can get, and what denies keep
 * from them. For one exact request, with scopes and claims, there is `POST /v1/explain`.
 */

import { z } from 'zod';
import { BrokerError } from '../../core/errors.ts';
import type { CompiledMapping } from '../../core/policy/compiled-mapping.ts';
import {
  type DescribedPrincipal,
  type Permissions,
  permissionsOf,
} from '../../core/policy/permissions.ts';
import type { LivePolicy } from '../../core/ports.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import type { RouteHandler } from '../arrival.ts';
import { readQuery } from '../query.ts';
import type { AdminLook } from './look.ts';
import { cursorParameter, limitParameter, nextLink } from './paging.ts';
import { snapshotPage } from './snapshot-page.ts';

export interface ListPermissionsOptions {
  readonly policy: LivePolicy;
  readonly look: AdminLook;
  /** By pool: only callers of these pools are accepted. */
  readonly issuers: ReadonlyMap<string, string>;
  readonly clock: Clock;
}

const name = z.string().min(1).max(128);
/** A user of Cognito is in a hundred at most. */
const maxGroups = 100;

const permissionsQuery = z.strictObject({
  pool: z.string('is required').min(1).max(128),
  client: name.optional(),
  user: name.optional(),
  group: z.array(name).max(maxGroups, `may be there ${maxGroups} times at most`).default([]),
  limit: limitParameter,
  cursor: cursorParameter,
});

export function listPermissions(options: ListPermissionsOptions): RouteHandler {
  const { policy, look, issuers, clock } = options;
  return look(async ({ req }, context) => {
    const { limit, cursor, group: groups, ...names } = readQuery(req, permissionsQuery);
    const principal = { ...names, groups };
    requirePrincipal(principal, issuers);
    const snapshot = policy.current();
    const permissions = permissionsOf(snapshot, principal, clock.now());
    const { items, nextCursor } = await snapshotPage({
      byId: snapshot.byId,
      limit,
      cursor,
      pick: (compiled) =>
        permissions.concerns(compiled) ? entry(compiled, permissions) : undefined,
    });
    return {
      document: {
        revision: snapshot.revision,
        principal,
        items,
        nextCursor,
      },
      headers: nextLink(context.route, { ...names, group: groups, limit }, nextCursor),
    };
  });
}

/** An empty list must mean that there is nothing, never that a name was misspelt. */
function requirePrincipal(principal: DescribedPrincipal, issuers: ReadonlyMap<string, string>) {
  const { pool, client, user, groups = [] } = principal;
  if (!issuers.has(pool)) {
    throw new BrokerError('query_invalid', {
      detail: 'Name a pool whose tokens are accepted here.',
      faults: [{ pointer: '/pool', detail: 'is not a pool whose tokens are accepted here' }],
    });
  }
  if (client !== undefined || user !== undefined || groups.length > 0) return;
  throw new BrokerError('query_invalid', {
    detail: 'Say whose permissions: a client, a user or groups of the pool, or several of them.',
  });
}

function entry(compiled: CompiledMapping, permissions: Permissions) {
  const { mapping, version } = compiled;
  const { id, role, effect, principal, conditions, session, owner } = mapping;
  const status = permissions.statusOf(compiled);
  const { maxDurationSeconds } = session;
  return {
    role,
    effect,
    status,
    conditions,
    maxDurationSeconds: effect === 'allow' ? maxDurationSeconds : undefined,
    principal,
    id,
    version,
    owner,
  };
}
