/** The audit log and its checkpoints. */

import { z } from 'zod';
import { describingClaims } from '../../core/caller.ts';
import { distinctList } from '../../kit/json/distinct-list.ts';
import { path, plainUrl, regionName, signingKey } from './values.ts';

/** Where checkpoints are kept out of reach. */
const lockedBucket = z.strictObject({
  bucket: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/, 'must be the name of a bucket, without dots')
    .describe('Bucket with Object Lock that gets each checkpoint, in compliance mode.'),
  bucketOwner: z
    .string()
    .regex(/^\d{12}$/, 'must be an AWS account id of 12 digits')
    .describe('Account that owns the bucket; no other one gets a checkpoint.'),
  region: regionName.describe('Region of the bucket.'),
  endpoint: plainUrl.optional().describe('S3 endpoint, where it is not the regional one.'),
  prefix: z
    .string()
    .regex(/^(?:[A-Za-z0-9._-]+\/)*$/, 'must be empty, or names that each end in a slash')
    .max(512)
    .default('checkpoints/')
    .describe('What the keys of its objects begin with.'),
  retentionDays: z
    .int()
    .min(1)
    .max(36_500)
    .describe('How long nobody can delete or overwrite a checkpoint there.'),
  deadlineMs: z
    .int()
    .min(100)
    .max(30_000)
    .default(5000)
    .describe('A copy that is not there by then is tried again later; no request waits for it.'),
});

export const audit = z.strictObject({
  directory: path
    .optional()
    .describe('Where the audit log is written; its records are synced to disk.'),
  stdout: z
    .boolean()
    .default(false)
    .describe('Write audit records to standard output, where the platform collects them.'),
  deadlineMs: z
    .int()
    .min(50)
    .max(10_000)
    .default(1000)
    .describe('A record not accepted by then refuses the request.'),
  describe: distinctList(z.enum(describingClaims))
    .default([])
    .describe(
      'Claims that records have of callers and editors beside `sub`, so that people find each other by name: `username`, `email` (if it is verified), `groups` (the first twenty). Personal data that nobody can take out of the log again.',
    ),
  rotateBytes: z
    .int()
    .min(65_536)
    .default(67_108_864)
    .describe('Size at which an audit file is closed and the next begun.'),
  rotateAfterSeconds: z
    .int()
    .min(60)
    .max(31_622_400)
    .optional()
    .describe(
      'Age at which an audit file is closed as well, by its first record, when the next record comes: 86400 for a file a day.',
    ),
  reserveBytes: z
    .int()
    .min(0)
    .default(67_108_864)
    .describe(
      'End of the disk that is kept for administrators; a quarter of it at most. The last half is theirs alone.',
    ),
  maxQueuedRecords: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(10_000)
    .describe('Records waiting for the disk; beyond that requests are refused.'),
  checkpoints: z
    .strictObject({
      origin: z
        .string()
        .regex(/^[A-Za-z0-9.-]+(?:\/[A-Za-z0-9._-]+)*$/, 'must be a name such as example.com/audit')
        .max(200)
        .describe(
          'Name of the logs in their checkpoints, such as `example.com/audit`; each chain adds its id.',
        ),
      ...signingKey,
      intervalSeconds: z
        .int()
        .min(1)
        .max(3600)
        .default(60)
        .describe('How often a checkpoint is signed, while records come.'),
      everyRecords: z
        .int()
        .min(1)
        .max(1_000_000)
        .default(10_000)
        .describe('Records after which one is signed before its time.'),
      deadlineMs: z
        .int()
        .min(100)
        .max(30_000)
        .default(5000)
        .describe('A checkpoint not signed by then is given up; no request waits for it.'),
      s3: lockedBucket.optional(),
    })
    .optional(),
});
