/** `GET /v1/decisions`: the last decisions of this instance that are on record, newest first. */

import { z } from 'zod';
import type { RecentDecisions } from '../../core/ports.ts';
import type { ExchangeRecord } from '../../core/records/exchange-record.ts';
import type { RouteHandler } from '../arrival.ts';
import { readQuery } from '../query.ts';
import type { AdminLook } from './look.ts';
import { limitParameter } from './paging.ts';

export interface ListDecisionsOptions {
  readonly decisions: RecentDecisions;
  readonly look: AdminLook;
}

const exactly = z.string().min(1).max(2048).optional();

const decisionsQuery = z.strictObject({
  limit: limitParameter,
  outcome: z.enum(['issued', 'denied', 'failed'], 'must be issued, denied or failed').optional(),
  client: exactly,
  user: exactly,
  mapping: exactly,
  role: exactly,
  requestId: exactly,
  accessKeyId: exactly,
});
type Filters = Omit<z.output<typeof decisionsQuery>, 'limit'>;

export function listDecisions({ decisions, look }: ListDecisionsOptions): RouteHandler {
  return look(({ req }) => {
    const { limit, ...filters } = readQuery(req, decisionsQuery);
    const items: object[] = [];
    let remembered = 0;
    let since: string | undefined;
    for (const record of decisions.newestFirst()) {
      remembered += 1;
      since = record.time;
      if (items.length < limit && matches(record, filters)) items.push(decisionDocument(record));
    }
    // Null: nothing is remembered, so an empty list says nothing.
    const document = { items, remembered, since: since ?? null };
    return { document };
  });
}

function matches(record: ExchangeRecord, filters: Filters): boolean {
  const { token, mapping, session, request, credentials, repeats } = record;
  const is = (filter: string | undefined, ...values: readonly (string | undefined)[]) =>
    filter === undefined || values.includes(filter);
  return (
    is(filters.outcome, record.outcome) &&
    is(filters.client, token?.clientId) &&
    is(filters.user, token?.subject) &&
    is(filters.mapping, mapping?.id) &&
    is(filters.role, session?.role, request?.role) &&
    is(filters.requestId, record.requestId, ...(repeats?.requestIds ?? [])) &&
    is(filters.accessKeyId, credentials?.accessKeyId)
  );
}

/** What an administrator may know of it, which is what is on record but for digests. */
function decisionDocument(record: ExchangeRecord) {
  const { time, outcome, code, reason, requestId, route, sourceIp, policyRevision } = record;
  const { token, request, mapping, session, credentials, repeats } = record;
  return {
    time,
    outcome,
    code,
    reason,
    requestId,
    route,
    sourceIp,
    policyRevision,
    pool: token?.pool,
    client: token?.clientId,
    user: token?.subject,
    asked: request?.role,
    mapping: mapping?.id,
    mappingVersion: mapping?.version,
    role: session?.role,
    sessionName: session?.name,
    accessKeyId: credentials?.accessKeyId,
    expiration: credentials?.expiration,
    cached: credentials?.cached,
    // Further refusals that were like it.
    repeats: repeats?.count,
  };
}
