/** `GET /v1/changes`: the change log of the table from a revision on, without gaps. */

import { z } from 'zod';
import type { RoleMappingStore } from '../../core/editing/ports.ts';
import type { RouteHandler } from '../arrival.ts';
import { readQuery } from '../query.ts';
import type { AdminLook } from './look.ts';
import { changeDocument } from './mapping-document.ts';
import { limitParameter } from './paging.ts';

export interface ListChangesOptions {
  readonly store: RoleMappingStore;
  readonly look: AdminLook;
}

const changesQuery = z.strictObject({
  limit: limitParameter,
  since: z
    .string()
    .regex(/^(?:0|[1-9]\d{0,14})$/, 'must be a revision: a whole number from 0')
    .transform(Number)
    .default(0),
});

export function listChanges({ store, look }: ListChangesOptions): RouteHandler {
  return look(async ({ req }, context) => {
    const { since, limit } = readQuery(req, changesQuery);
    const revision = await store.head();
    const changes = await store.changesSince(since, { through: revision, limit });
    const through = changes.at(-1)?.revision ?? since;
    const more = through < revision;
    return {
      document: { revision, through, items: changes.map(changeDocument) },
      headers: more
        ? ['Link', `<${context.route}?since=${through}&limit=${limit}>; rel="next"`]
        : [],
    };
  });
}
