/** The broker as an issuer that STS trusts, beside the issuers of its callers. */

import { z } from 'zod';
import { identityForms } from '../../core/session/session-settings.ts';
import { plainUrl, regionName } from './values.ts';

function tokenKey(what: string) {
  return z.strictObject({
    kms: z.strictObject({
      keyId: z
        .string()
        .min(1)
        .describe(`Id, ARN or alias of the key ${what}: RSA_2048, SIGN_VERIFY.`),
      region: regionName.describe('Region of the key.'),
      endpoint: plainUrl.optional().describe('KMS endpoint, where it is not the regional one.'),
    }),
  });
}

export const webIdentity = z
  .strictObject({
    issuer: z
      .string()
      .max(255, 'must have 255 characters at most, as IAM asks')
      .describe('`iss` of the tokens: an https URL without port, query and final slash.'),
    audience: z
      .string()
      .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 printable ASCII characters')
      .default('sts.amazonaws.com')
      .describe('`aud` of the tokens, which the IAM OIDC providers list as their client id.'),
    default: z
      .enum(identityForms)
      .default('caller')
      .describe('Whose token STS is shown for mappings without `session.identity`.'),
    lifetimeSeconds: z
      .int()
      .min(30)
      .max(300)
      .default(60)
      .describe('Lifetime of a token; a session may be longer.'),
    signTimeoutMs: z
      .int()
      .min(100)
      .max(10_000)
      .default(1500)
      .describe('A token not signed by then is given up.'),
    /** Without any, in development, tokens are signed by a key that the process makes and forgets. */
    keys: z
      .strictObject({
        current: tokenKey('that signs'),
        next: tokenKey('that is to sign').optional(),
        previous: tokenKey('that signed before').optional(),
      })
      .optional(),
    serveDocuments: z
      .boolean()
      .default(false)
      .describe('Serve the two public documents on a listener of their own.'),
  })
  .optional()
  .describe('The broker as an issuer that STS trusts; without it callers’ own tokens are shown.');
