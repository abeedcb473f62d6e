/** Exchanges at STS, and the sessions that are kept. */

import { z } from 'zod';
import { plainUrl, rate, regionName } from './values.ts';

export const sts = z.strictObject({
  endpoints: z
    .array(
      z.strictObject({
        region: regionName.describe('Region of the endpoint.'),
        endpoint: plainUrl.optional().describe('URL, where it is not the regional one.'),
      }),
    )
    .min(1)
    .describe('STS endpoints in the order in which they are tried.'),
  connectTimeoutMs: z
    .int()
    .min(50)
    .max(10_000)
    .default(1000)
    .describe('Deadline of one connection.'),
  requestTimeoutMs: z.int().min(50).max(10_000).default(2000).describe('Deadline of one try.'),
  totalTimeoutMs: z
    .int()
    .min(50)
    .max(30_000)
    .default(3000)
    .describe('Deadline of all tries together.'),
  maxConcurrent: z
    .int()
    .min(1)
    .max(10_000)
    .default(200)
    .describe('Exchanges in flight at once; half of them for one caller.'),
  perAccount: rate(50, 100, 'Exchanges for the roles of one account'),
});

export const cache = z
  .strictObject({
    maxEntries: z.int().min(1).max(1_000_000).default(10_000).describe('Sessions to keep.'),
    maxEntriesPerCaller: z
      .int()
      .min(1)
      .max(1000)
      .default(16)
      .describe('Sessions to keep for one caller: roles, durations, names and policies.'),
    maxBytes: z
      .int()
      .min(65_536)
      .default(100_663_296)
      .describe(
        'Memory for sessions, and for what is kept with each of them, in bytes, estimated.',
      ),
    maxBackgroundRefreshes: z
      .int()
      .min(1)
      .max(1000)
      .default(20)
      .describe('Sessions renewed ahead of time at once.'),
  })
  .prefault({});
