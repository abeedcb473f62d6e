/** `PUT` and `DELETE /v1/role-mappings/{id}`: the precondition tells a creation from a replacement. */

import type { Request } from 'express';
import { z } from 'zod';
import type { EditMapping, EditSteps } from '../../core/mapping-edit.ts';
import type { Admission } from '../admission.ts';
import { bearerToken } from '../bearer-token.ts';
import type { RouteHandler } from '../instrument.ts';
import { readJsonBody } from '../json-body.ts';
import { readQuery } from '../query.ts';
import { askedFor } from '../record-access.ts';
import { changeReason } from './change-reason.ts';
import type { AnswerEdit } from './edit-answer.ts';
import { flagParameter } from './flag-parameter.ts';
import { expectedVersion, matchedVersion } from './preconditions.ts';

export interface EditRoleMappingOptions {
  readonly edit: EditMapping;
  readonly answer: AnswerEdit;
  readonly admit: Admission;
  readonly maxBodyBytes: number;
}

const editQuery = z.strictObject({ dryRun: flagParameter, override: flagParameter });

export function putRoleMapping(options: EditRoleMappingOptions): RouteHandler {
  const { edit, answer, admit, maxBodyBytes } = options;
  return async function put(req, res, context) {
    const id = String(req.params['id']);
    const action = req.headers['if-match'] === undefined ? 'create' : 'replace';
    const result = await edit(
      context,
      { action, id, permission: 'write' },
      {
        open: () => open(req, admit),
        read: async () => {
          const reason = changeReason(req);
          const expected = expectedVersion(req.headers);
          const { override } = readQuery(req, editQuery);
          const body = await readJsonBody(req, {
            schema: z.unknown(),
            maxBytes: maxBodyBytes,
            numbers: 'as_written',
          });
          const change = { kind: 'put', document: body } as const;
          return { id, change, expectedVersion: expected, reason, override };
        },
      },
    );
    answer(res, result, context.requestId);
  };
}

export function deleteRoleMapping(
  options: Omit<EditRoleMappingOptions, 'maxBodyBytes'>,
): RouteHandler {
  const { edit, answer, admit } = options;
  return async function remove(req, res, context) {
    const id = String(req.params['id']);
    const result = await edit(
      context,
      { action: 'delete', id, permission: 'write' },
      {
        open: () => open(req, admit),
        read: () => {
          const reason = changeReason(req);
          const version = matchedVersion(req.headers['if-match']);
          const { override } = readQuery(req, editQuery);
          return { id, change: { kind: 'delete' }, expectedVersion: version, reason, override };
        },
      },
    );
    answer(res, result, context.requestId);
  };
}

function open(req: Request, admit: Admission): ReturnType<EditSteps['open']> {
  admit(req);
  const { dryRun } = readQuery(req, editQuery);
  return {
    token: bearerToken(req.headers.authorization),
    preview: dryRun ? askedFor(req.url) : undefined,
  };
}
