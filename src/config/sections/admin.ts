/** Who may use the admin listener. */

import { z } from 'zod';
import { asciiName } from '../../core/exact-text.ts';
import { issuerName } from '../../core/policy/role-mapping.ts';
import { distinctList } from '../../kit/json/distinct-list.ts';
import { groupName, plainUrl } from './values.ts';

const bareOrigin = plainUrl.refine((text) => URL.canParse(text) && new URL(text).origin === text, {
  error:
    'must be a scheme, a name and perhaps a port, in lower case and without a slash at the end',
});

export const admin = z
  .strictObject({
    pool: issuerName.describe('Pool of the administrators, as `identity` calls it.'),
    clients: distinctList(z.string().min(1))
      .min(1)
      .describe('App clients that administrators use; being one of their users is not enough.'),
    groups: distinctList(groupName)
      .default([])
      .describe('People: groups of the pool whose members are administrators.'),
    users: distinctList(asciiName)
      .default([])
      .describe('People: users of the pool who are administrators, by their `sub`.'),
    machines: z
      .boolean()
      .default(false)
      .describe(
        'Machines: the listed app clients are administrators themselves, by the client-credentials grant.',
      ),
    maxTokenAgeSeconds: z
      .int()
      .min(60)
      .max(86_400)
      .default(3600)
      .describe('Oldest token (since `iat`) that is accepted.'),
    maxSignInAgeSeconds: z
      .int()
      .min(60)
      .max(86_400)
      .optional()
      .describe('How long ago people may have signed in (`auth_time`).'),
    requiredAmr: distinctList(z.string().min(1).max(128))
      .default([])
      .describe('Values that the `amr` claim of people must all have, such as `mfa`.'),
    readScope: z.string().min(1).default('broker/admin.read').describe('Scope for reading.'),
    writeScope: z
      .string()
      .min(1)
      .default('broker/admin.write')
      .describe('Scope for editing, and for lifting a freeze.'),
    freezeScope: z.string().min(1).default('broker/admin.freeze').describe('Scope for freezing.'),
    console: z
      .strictObject({
        client: z
          .string()
          .min(1)
          .describe('Public app client by which people sign in; one of `admin.clients`.'),
        signInUrl: bareOrigin.describe(
          'Where they do: the domain of the pool that answers `/oauth2/authorize` and `/oauth2/token`.',
        ),
        origin: bareOrigin
          .optional()
          .describe(
            'Where browsers find the admin listener, such as `https://broker.example.com`; default: the address that it listens on.',
          ),
      })
      .optional()
      .describe('Serves the console at `/console/` of the admin listener.'),
  })
  .optional()
  .describe('Who may use the admin listener; without it the listener is not started.');
