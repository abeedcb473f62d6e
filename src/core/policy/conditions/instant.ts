import { z } from 'zod';

/** RFC 3339 in UTC with whole seconds. */
export const instant = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/, {
    error: 'must be like 2026-01-31T12:00:00Z',
    abort: true,
  })
  .refine(isExistingInstant, 'must be a date that exists');

/** Date.parse reads 30 February as 2 March, and hour 24 as the next day. */
function isExistingInstant(text: string): boolean {
  const epochMs = Date.parse(text);
  return !Number.isNaN(epochMs) && new Date(epochMs).toISOString() === text.replace('Z', '.000Z');
}
