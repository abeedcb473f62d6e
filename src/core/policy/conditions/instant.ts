import { z } from 'zod';
import { isRfc3339, rfc3339Form } from '../../../kit/timing/clock.ts';

/** RFC 3339 in UTC with whole seconds. */
export const instant = z
  .string()
  .regex(rfc3339Form, {
    error: 'must be like 2026-01-31T12:00:00Z',
    abort: true,
  })
  .refine(isRfc3339, 'must be a date that exists');
