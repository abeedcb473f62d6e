/** Values that several settings are made of. */

import { z } from 'zod';
import { regionPattern } from '../../core/aws-names.ts';

export const url = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' });

export const plainUrl = url.refine((text) => !/[?#@]/.test(text), {
  error: 'must have no user information, query or fragment',
});

export const path = z
  .string()
  .regex(/^\//, 'must be an absolute path: a relative one depends on who starts the process');

export const port = z.int().min(0).max(65_535);

export const regionName = z
  .string()
  .regex(regionPattern, 'must be an AWS region such as us-east-1');

export const cidr = z.union([z.cidrv4(), z.cidrv6()], {
  error: 'must be an IPv4 or IPv6 CIDR block',
});

export function rate(perSecond: number, burst: number, of: string) {
  return z
    .strictObject({
      perSecond: z.number().min(1).max(1_000_000).default(perSecond).describe(`${of} per second.`),
      burst: z
        .int()
        .min(1)
        .max(1_000_000)
        .default(burst)
        .describe(`${of} at once, after a time without any.`),
    })
    .prefault({});
}

/** A key that signs: one of KMS, or a file in development. */
export const signingKey = {
  kms: z
    .strictObject({
      keyId: z
        .string()
        .min(1)
        .describe(
          'Id, ARN or alias of the key that signs: ECC_NIST_EDWARDS25519 or ECC_NIST_P256.',
        ),
      region: regionName.describe('Region of the key.'),
      endpoint: plainUrl.optional().describe('KMS endpoint, where it is not the regional one.'),
    })
    .optional(),
  keyFile: path
    .optional()
    .describe('PEM file with a private key (Ed25519 or P-256), for development.'),
};

/** As they stand in `cognito:groups`, which is read in this normal form only. */
export const groupName = z
  .string()
  .regex(
    /^[^\p{Cc}\p{Cs}*]{1,128}$/u,
    'must be the exact name of one group: there are no wildcards',
  )
  .refine((name) => name.normalize('NFC') === name, {
    error: 'must be in Unicode normalization form C',
  });
