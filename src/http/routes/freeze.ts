/** `POST /v1/freezes` and `DELETE /v1/freezes/{id}`: the kill switch, in one call each. */

import type { Request } from 'express';
import { z } from 'zod';
import { BrokerError } from '../../core/errors.ts';
import {
  type Freeze,
  freezeBody,
  freezeId,
  freezeMapping,
  isFreezeId,
  revokeSessionsPolicy,
} from '../../core/freeze.ts';
import type { EditMapping, EditSteps } from '../../core/mapping-edit.ts';
import type { RoleMappingStore } from '../../core/ports.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import type { Admission } from '../admission.ts';
import { bearerToken } from '../bearer-token.ts';
import { changeReason } from '../change-reason.ts';
import type { AnswerEdit } from '../edit-answer.ts';
import { flagParameter } from '../flag-parameter.ts';
import type { RouteHandler } from '../instrument.ts';
import { readJsonBody } from '../json-body.ts';
import { readQuery } from '../query.ts';

export interface FreezeOptions {
  readonly edit: EditMapping;
  readonly answer: AnswerEdit;
  readonly store: RoleMappingStore;
  readonly admit: Admission;
  readonly maxBodyBytes: number;
  readonly clock: Clock;
}

const freezeQuery = z.strictObject({ dryRun: flagParameter });

/** Each loses a race against somebody who froze the same thing at the same moment. */
const maxAttempts = 10;

export function freeze(options: FreezeOptions): RouteHandler {
  const { edit, answer, store, admit, maxBodyBytes, clock } = options;
  return async function freezeNow(req, res, context) {
    let body: Promise<Freeze> | undefined;
    const steps: EditSteps = {
      open: () => open(req, admit),
      read: async () => {
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
        };
      },
    };
    const result = await untilNoRace(() =>
      edit(context, { action: 'create', id: undefined, permission: 'freeze' }, steps),
    );
    answer(res, result, context.requestId, {
      revokeSessions: { role: result.edit.after?.role, policy: revokeSessionsPolicy(clock.now()) },
    });
  };
}

async function untilNoRace<Result>(attempt: () => Promise<Result>): Promise<Result> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await attempt();
    } catch (error) {
      const lost = error instanceof BrokerError && error.code === 'precondition_failed';
      if (!lost || attempts === maxAttempts) throw error;
    }
  }
}

export function unfreeze(
  options: Pick<FreezeOptions, 'edit' | 'answer' | 'store' | 'admit'>,
): RouteHandler {
  const { edit, answer, store, admit } = options;
  return async function unfreezeNow(req, res, context) {
    const id = String(req.params['id']);
    const result = await edit(
      context,
      // Giving roles back is the dangerous direction: permission to freeze is not enough.
      { action: 'delete', id, permission: 'write' },
      {
        open: () => open(req, admit),
        read: async () => {
          const reason = changeReason(req);
          const current = isFreezeId(id) ? await store.get(id) : undefined;
          if (current === undefined) throw notFrozen();
          const expectedVersion = current.version;
          return { id, change: { kind: 'delete' }, expectedVersion, reason, override: true };
        },
      },
    );
    answer(res, result, context.requestId);
  };
}

function open(req: Request, admit: Admission): ReturnType<EditSteps['open']> {
  admit(req);
  const { dryRun } = readQuery(req, freezeQuery);
  return { token: bearerToken(req.headers.authorization), dryRun };
}

function notFrozen(): BrokerError {
  return new BrokerError('mapping_not_found', {
    detail: 'There is no freeze with this id; GET /v1/role-mappings?owner=freeze lists them.',
  });
}
