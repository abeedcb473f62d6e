/** One role mapping and its history, from the table itself. */

import { z } from 'zod';
import type { RoleMappingStore } from '../../core/editing/ports.ts';
import { BrokerError } from '../../core/errors.ts';
import type { PolicySource, RecentDecisions } from '../../core/ports.ts';
import type { AdmittedRequest } from '../admission.ts';
import type { RouteHandler } from '../arrival.ts';
import { readQuery, requireNoQuery } from '../query.ts';
import type { AdminLook } from './look.ts';
import { currentDocument, versionDocument } from './mapping-document.ts';
import { cursorParameter, decodeCursor, encodeCursor, limitParameter, nextLink } from './paging.ts';
import { entityTag } from './preconditions.ts';

export interface ReadRoleMappingOptions {
  readonly store: RoleMappingStore;
  /** Of this instance. */
  readonly policy: PolicySource;
  readonly decisions: RecentDecisions;
  readonly look: AdminLook;
}

const versionsQuery = z.strictObject({ limit: limitParameter, cursor: cursorParameter });
const versionPattern = /^[1-9]\d{0,9}$/;

/** `GET /v1/role-mappings/{id}` */
export function readRoleMapping({
  store,
  policy,
  decisions,
  look,
}: ReadRoleMappingOptions): RouteHandler {
  return look(async ({ req }) => {
    requireNoQuery(req);
    const current = await store.get(pathParameter(req, 'id'));
    if (current === undefined) throw notFound();
    const headers = ['ETag', entityTag(current.version)];
    const document = currentDocument(current, policy, decisions);
    return { document, headers };
  });
}

/** `GET /v1/role-mappings/{id}/versions`: newest first, deletions included. */
export function listVersions({ store, look }: ReadRoleMappingOptions): RouteHandler {
  return look(async ({ req }, context) => {
    const { limit, cursor } = readQuery(req, versionsQuery);
    const before = decodeCursor(cursor, versionPattern);
    const id = pathParameter(req, 'id');
    const found = await store.versions(id, {
      limit: limit + 1,
      before: before === undefined ? undefined : Number(before),
    });
    if (found.length === 0 && before === undefined) throw notFound();
    const items = found.slice(0, limit);
    const last = items.at(-1);
    const nextCursor =
      found.length > limit && last !== undefined ? encodeCursor(String(last.version)) : undefined;
    return {
      document: { items: items.map(versionDocument), nextCursor },
      headers: nextLink(context.route.replace('{id}', id), { limit }, nextCursor),
    };
  });
}

/** `GET /v1/role-mappings/{id}/versions/{version}` */
export function readVersion({ store, look }: ReadRoleMappingOptions): RouteHandler {
  return look(async ({ req }) => {
    requireNoQuery(req);
    const version = pathParameter(req, 'version');
    if (!versionPattern.test(version)) throw notFound();
    const found = await store.version(pathParameter(req, 'id'), Number(version));
    return { document: versionDocument(found) };
  });
}

function pathParameter(req: AdmittedRequest, name: string): string {
  return String(req.params[name]);
}

function notFound(): BrokerError {
  return new BrokerError('mapping_not_found', {
    detail: 'Check the id; GET /v1/role-mappings lists those that there are.',
  });
}
