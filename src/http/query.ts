import type { Request } from 'express';
import { BrokerError } from '../core/errors.ts';

/** @throws BrokerError `query_invalid`. */
export function requireNoQuery(req: Request): void {
  if (req.url.includes('?')) {
    throw new BrokerError('query_invalid', { detail: 'This path takes no query.' });
  }
}
