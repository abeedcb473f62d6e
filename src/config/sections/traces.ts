/** Where traces go, and how many. */

import { z } from 'zod';
import { isSecureUrl } from '../../kit/net/secure-url.ts';
import { plainUrl } from './values.ts';

export const traces = z
  .strictObject({
    endpoint: plainUrl
      .refine((text) => !URL.canParse(text) || isSecureUrl(new URL(text)), {
        error: 'must be https, or http on loopback: a collector beside the broker',
      })
      .describe(
        'OTLP receiver that spans are sent to, by HTTP in JSON: its whole URL, such as `https://collector.example.com/v1/traces`, or `http://127.0.0.1:4318/v1/traces` beside the broker.',
      ),
    maxPerSecond: z
      .int()
      .min(1)
      .max(1000)
      .default(10)
      .describe(
        'Requests that are traced per second, however many callers say in `traceparent` that theirs is sampled.',
      ),
    timeoutMs: z
      .int()
      .min(100)
      .max(10_000)
      .default(2000)
      .describe(
        'Deadline of one request to the receiver, and of all that is left at the end. No request of a caller waits for it.',
      ),
  })
  .optional();
