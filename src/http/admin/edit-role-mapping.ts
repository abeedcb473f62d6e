/** `PUT` and `DELETE /v1/role-mappings/{id}`: the precondition tells a creation from a replacement. */

import { z } from 'zod';
import type { EditMapping, EditSteps } from '../../core/editing/mapping-edit.ts';
import { isFreezeId } from '../../core/policy/freeze.ts';
import type { AdmittedRequest } from '../admission.ts';
import type { RouteHandler } from '../arrival.ts';
import { bearerToken } from '../bearer-token.ts';
import { readJsonBody } from '../json-body.ts';
import { flagParameter, readQuery } from '../query.ts';
import { askedFor } from '../record-access.ts';
import { changeReason } from './change-reason.ts';
import type { AnswerEdit } from './edit-answer.ts';
import { expectedVersion, matchedVersion } from './preconditions.ts';

export interface EditRoleMappingOptions {
  readonly edit: EditMapping;
  readonly answer: AnswerEdit;
  readonly maxBodyBytes: number;
}

const editQuery = z
  .strictObject({
    dryRun: flagParameter,
    override: flagParameter,
    breakGlass: flagParameter,
    propose: flagParameter,
  })
  .refine(({ breakGlass, propose }) => !(breakGlass && propose), {
    path: ['propose'],
    error: 'asks for a second administrator, and breakGlass does without: send one of them',
  });
/** Somebody would believe that access is taken away, and it goes on until another administrator is found (T318). */
const freezeQuery = editQuery.refine(({ propose }) => !propose, {
  path: ['propose'],
  error: 'is not for freezes: they need no second administrator and act at once, without it',
});

export function putRoleMapping(options: EditRoleMappingOptions): RouteHandler {
  const { edit, answer, maxBodyBytes } = options;
  return async function put(arrival, context) {
    const id = arrival.parameter('id');
    const action = arrival.has('if-match') ? 'replace' : 'create';
    const result = await edit(
      context,
      { action, id, permission: 'write' },
      {
        open: () => open(arrival.admit()),
        read: async () => {
          const req = arrival.admit();
          const reason = changeReason(req);
          const expected = expectedVersion(req.headers);
          const query = isFreezeId(id) ? freezeQuery : editQuery;
          const { override, breakGlass, propose } = readQuery(req, query);
          const body = await readJsonBody(req, {
            schema: z.unknown(),
            maxBytes: maxBodyBytes,
            numbers: 'as_written',
          });
          const change = { kind: 'put', document: body } as const;
          const how = { override, breakGlass, propose };
          return { id, change, expectedVersion: expected, reason, ...how };
        },
      },
    );
    await answer(arrival.admit().res, result, context.requestId);
  };
}

export function deleteRoleMapping(
  options: Omit<EditRoleMappingOptions, 'maxBodyBytes'>,
): RouteHandler {
  const { edit, answer } = options;
  return async function remove(arrival, context) {
    const id = arrival.parameter('id');
    const result = await edit(
      context,
      { action: 'delete', id, permission: 'write' },
      {
        open: () => open(arrival.admit()),
        read: () => {
          const req = arrival.admit();
          const reason = changeReason(req);
          const version = matchedVersion(req.headers['if-match']);
          const { override, breakGlass, propose } = readQuery(req, editQuery);
          const change = { kind: 'delete' } as const;
          const how = { override, breakGlass, propose };
          return { id, change, expectedVersion: version, reason, ...how };
        },
      },
    );
    await answer(arrival.admit().res, result, context.requestId);
  };
}

function open(req: AdmittedRequest): ReturnType<EditSteps['open']> {
  const { dryRun } = readQuery(req, editQuery);
  return {
    token: bearerToken(req.headers.authorization),
    preview: dryRun ? askedFor(req.url) : undefined,
  };
}
