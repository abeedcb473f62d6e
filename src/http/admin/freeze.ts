/** `/v1/freezes`: the kill switch, in one call, what is frozen, and its end. */

import { z } from 'zod';
import type { EditMapping, EditSteps } from '../../core/editing/mapping-edit.ts';
import type { RoleMappingStore } from '../../core/editing/ports.ts';
import { BrokerError, type BrokerErrorCode } from '../../core/errors.ts';
import type { Fault } from '../../core/fault.ts';
import {
  type Freeze,
  freezeBody,
  freezeId,
  freezeMapping,
  isFreezeId,
  revokeSessionsPolicy,
} from '../../core/policy/freeze.ts';
import { type TakenAway, takingAway } from '../../core/policy/taken-away.ts';
import type { LivePolicy } from '../../core/ports.ts';
import { snapshotInForce } from '../../core/snapshot-in-force.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import { inTurns } from '../../kit/timing/in-turns.ts';
import type { AdmittedRequest } from '../admission.ts';
import type { RouteHandler } from '../arrival.ts';
import { bearerToken } from '../bearer-token.ts';
import { readJsonBody } from '../json-body.ts';
import { flagParameter, readQuery } from '../query.ts';
import { askedFor } from '../record-access.ts';
import { changeReason } from './change-reason.ts';
import type { AnswerEdit } from './edit-answer.ts';
import type { AdminLook } from './look.ts';
import { cursorParameter, limitParameter, nextLink } from './paging.ts';
import { snapshotPage } from './snapshot-page.ts';

export interface FreezeOptions {
  readonly edit: EditMapping;
  readonly answer: AnswerEdit;
  readonly store: RoleMappingStore;
  readonly policy: LivePolicy;
  readonly maxBodyBytes: number;
  readonly clock: Clock;
}

const listQuery = z.strictObject({ limit: limitParameter, cursor: cursorParameter });
const freezeQuery = z.strictObject({ dryRun: flagParameter });
const liftQuery = z.strictObject({ dryRun: flagParameter, breakGlass: flagParameter });

/** Each loses a race against somebody who edits the same freeze at the same moment. */
const maxAttempts = 10;
/** Against another who froze it, or who lifted it. */
const lostRaces: ReadonlySet<BrokerErrorCode> = new Set([
  'precondition_failed',
  'mapping_not_found',
]);

export function freeze(options: FreezeOptions): RouteHandler {
  const { edit, answer, store, policy, maxBodyBytes, clock } = options;
  return async function freezeNow(arrival, context) {
    let body: Promise<Freeze> | undefined;
    const steps: EditSteps = {
      open: () => open(arrival.admit()),
      read: async () => {
        const req = arrival.admit();
        const reason = changeReason(req);
        body ??= readJsonBody(req, { schema: freezeBody, maxBytes: maxBodyBytes });
        const frozen = await body;
        const id = freezeId(frozen);
        const current = await store.get(id);
        return {
          id,
          change: { kind: 'put', document: freezeMapping(frozen, reason) },
          // In an emergency nobody reads first; frozen is frozen, whatever stood there before.
          expectedVersion: current?.version ?? 'absent',
          reason,
          override: true,
          breakGlass: false,
          propose: false,
        };
      },
    };
    const result = await untilNoRace(() =>
      edit(context, { action: 'create', id: undefined, permission: 'freeze' }, steps),
    );
    const now = clock.now();
    const { after } = result.edit;
    const snapshot = snapshotInForce(policy);
    const [taken] = after && snapshot ? await inTurns(takingAway([after], snapshot, now)) : [];
    await answer(arrival.admit().res, result, context.requestId, {
      revokeSessions: { role: after?.role, policy: revokeSessionsPolicy(now) },
      // Null: this instance has no policy in which it could look.
      takesAway: taken ?? null,
      warnings: taken === undefined ? [] : warnOfNothing(taken),
    });
  };
}

/** A slip in a name looks like success otherwise (T95). */
function warnOfNothing({ mappings }: TakenAway): Fault[] {
  if (mappings > 0) return [];
  const detail =
    'holds nothing: no role mapping in force names it for this role, so nothing but what it may hold by other mappings is taken away. Check the name';
  return [{ pointer: '/principal', detail }];
}

export function listFreezes({
  look,
  policy,
  clock,
}: Pick<FreezeOptions, 'policy' | 'clock'> & {
  readonly look: AdminLook;
}): RouteHandler {
  return look(async ({ req }, context) => {
    const { limit, cursor } = readQuery(req, listQuery);
    const snapshot = policy.current();
    const quarantined = policy.quarantined().filter(({ id }) => isFreezeId(id));
    const unreadable = new Set(quarantined.map(({ id }) => id));
    const now = clock.now();
    const { items: freezes, nextCursor } = await snapshotPage({
      byId: snapshot.byId,
      limit,
      cursor,
      pick: ({ mapping, version }, id) =>
        isFreezeId(id) && !unreadable.has(id) ? { version, mapping } : undefined,
    });
    const mappings = freezes.map(({ mapping }) => mapping);
    const taken = await inTurns(takingAway(mappings, snapshot, now));
    const items = freezes.map((item, index) => ({ ...item, takesAway: taken[index] }));
    return {
      document: {
        revision: snapshot.revision,
        items,
        quarantined,
        nextCursor,
      },
      headers: nextLink(context.route, { limit }, nextCursor),
    };
  });
}

async function untilNoRace<Result>(attempt: () => Promise<Result>): Promise<Result> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await attempt();
    } catch (error) {
      const lost = error instanceof BrokerError && lostRaces.has(error.code);
      if (!lost || attempts === maxAttempts) throw error;
    }
  }
}

export function unfreeze(options: Pick<FreezeOptions, 'edit' | 'answer' | 'store'>): RouteHandler {
  const { edit, answer, store } = options;
  return async function unfreezeNow(arrival, context) {
    const id = arrival.parameter('id');
    const result = await edit(
      context,
      // Giving roles back is the dangerous direction: permission to freeze is not enough.
      { action: 'delete', id, permission: 'write' },
      {
        open: () => open(arrival.admit(), liftQuery),
        read: async () => {
          const req = arrival.admit();
          const reason = changeReason(req);
          const current = isFreezeId(id) ? await store.get(id) : undefined;
          if (current === undefined) throw notFrozen();
          const expectedVersion = current.version;
          const { breakGlass } = readQuery(req, liftQuery);
          const change = { kind: 'lift' } as const;
          return {
            id,
            change,
            expectedVersion,
            reason,
            override: true,
            breakGlass,
            propose: false,
          };
        },
      },
    );
    await answer(arrival.admit().res, result, context.requestId);
  };
}

function open(
  req: AdmittedRequest,
  query: typeof freezeQuery | typeof liftQuery = freezeQuery,
): ReturnType<EditSteps['open']> {
  const { dryRun } = readQuery(req, query);
  return {
    token: bearerToken(req.headers.authorization),
    preview: dryRun ? askedFor(req.url) : undefined,
  };
}

function notFrozen(): BrokerError {
  return new BrokerError('mapping_not_found', {
    detail: 'There is no freeze with this id; GET /v1/freezes lists them.',
  });
}
