/** Every setting, with its type, default and meaning; the larger ones stand in sections/. docs/configuration.md is held against this. */

import { z } from 'zod';
import { accessHelp } from './sections/access-help.ts';
import { admin } from './sections/admin.ts';
import { audit } from './sections/audit.ts';
import { identity, keys } from './sections/identity.ts';
import { http, limits, listeners } from './sections/listeners.ts';
import { guardrails, policy } from './sections/policy.ts';
import { cache, sts } from './sections/sts.ts';
import { traces } from './sections/traces.ts';
import { webIdentity } from './sections/web-identity.ts';

export const configSchema = z.strictObject({
  profile: z
    .enum(['production', 'development'])
    .describe(
      '`production` refuses unsafe settings; `development` refuses to listen beyond loopback.',
    ),
  listeners,
  http,
  limits,
  identity,
  guardrails,
  keys,
  policy,
  sts,
  webIdentity,
  cache,
  audit,
  admin,
  accessHelp,
  traces,
  log: z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info')
        .describe('Least severe log level written, to standard error.'),
    })
    .prefault({}),
});

export type Config = z.output<typeof configSchema>;
export type ListenerConfig = Config['listeners']['api'];
