import { z } from 'zod';

/** A query parameter that is `true` or `false`; absent means false. */
export const flagParameter = z
  .enum(['true', 'false'], 'must be true or false')
  .default('false')
  .transform((text) => text === 'true');
