/** Whom callers are told to ask who were denied a role. */

import { z } from 'zod';
import { distinctList } from '../../kit/json/distinct-list.ts';

const contact = z
  .string()
  .regex(/^[^\p{C}\p{Zl}\p{Zp}]{1,200}$/u, 'must be one line of 1 to 200 printable characters');

const requested = z
  .string()
  .regex(
    /^[\x21-\x29\x2b-\x7e]{1,512}\*?$/,
    'must be the ARN of a role or the id of a role mapping; "*" may stand at the end',
  );

export const accessHelp = z
  .strictObject({
    contact: contact
      .optional()
      .describe('Whom a denied caller is told to ask, such as a channel or the address of a page.'),
    owners: z
      .array(
        z.strictObject({
          owner: z
            .string()
            .min(1)
            .max(128)
            .describe('The `owner` of role mappings; that it stands here allows to name it.'),
          contact: contact.describe('Whom to ask instead.'),
          roles: distinctList(requested)
            .max(100)
            .default([])
            .describe(
              'What callers ask for when this owner is the one to ask: ARNs of roles and ids of role mappings; `*` at the end stands for anything. The first owner that has it counts.',
            ),
        }),
      )
      .max(200)
      .default([])
      .describe('Owners who want to be asked themselves.'),
  })
  .prefault({});
