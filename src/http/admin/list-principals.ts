/**
 * `GET /v1/principals?role=`: who can get this role, and whom a deny keeps from it. The role is a parameter
 * because ARNs hold slashes.
 */

import { z } from 'zod';
import { roleArnPattern } from '../../core/aws-names.ts';
import type { CompiledMapping } from '../../core/policy/compiled-mapping.ts';
import { mappingStatus } from '../../core/policy/permissions.ts';
import { roleKey } from '../../core/policy/role-key.ts';
import type { LivePolicy } from '../../core/ports.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import type { RouteHandler } from '../arrival.ts';
import { readQuery } from '../query.ts';
import type { AdminLook } from './look.ts';
import { cursorParameter, limitParameter, nextLink } from './paging.ts';
import { snapshotPage } from './snapshot-page.ts';

export interface ListPrincipalsOptions {
  readonly policy: LivePolicy;
  readonly look: AdminLook;
  readonly clock: Clock;
}

const principalsQuery = z.strictObject({
  role: z.string('is required').max(2048).regex(roleArnPattern, 'must be the ARN of one IAM role'),
  limit: limitParameter,
  cursor: cursorParameter,
});

export function listPrincipals({ policy, look, clock }: ListPrincipalsOptions): RouteHandler {
  return look(async ({ req }, context) => {
    const { role, limit, cursor } = readQuery(req, principalsQuery);
    const { revision, byId } = policy.current();
    const now = clock.now();
    const wanted = roleKey(role);
    const { items, nextCursor } = await snapshotPage({
      byId,
      limit,
      cursor,
      pick: (compiled) =>
        compiled.roleKey === wanted || compiled.mapping.role === '*'
          ? entry(compiled, now)
          : undefined,
    });
    return {
      document: { revision, role, items, nextCursor },
      headers: nextLink(context.route, { role, limit }, nextCursor),
    };
  });
}

function entry(compiled: CompiledMapping, now: number) {
  const { mapping, version } = compiled;
  const { id, principal, effect, conditions, owner } = mapping;
  return {
    principal,
    effect,
    status: mappingStatus(compiled, now),
    conditions,
    id,
    version,
    owner,
  };
}
