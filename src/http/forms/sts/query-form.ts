/** Reads the form of a request of the AWS query protocol. */

import { BrokerError } from '../../../core/errors.ts';
import {
  parseQueryForm,
  QueryFormError,
  type QueryParameters,
} from '../../../sts-protocol/query-form.ts';
import type { AdmittedRequest } from '../../admission.ts';
import { readBodyBytes } from '../../body-bytes.ts';
import { requireMediaType } from '../../media-type.ts';

export interface QueryForm {
  readonly parameters: QueryParameters;
  /** As they came: a signature covers them. */
  readonly bytes: Buffer;
}

/** The largest token and the largest policy that STS takes fit several times. */
const maxBytes = 64 * 1024;

/** @throws BrokerError `media_type_unsupported`, `body_too_large` or `body_malformed`. */
export async function readQueryForm(req: AdmittedRequest): Promise<QueryForm> {
  requireMediaType(req.headers, 'application/x-www-form-urlencoded');
  const bytes = await readBodyBytes(req, maxBytes);
  try {
    return { parameters: parseQueryForm(bytes), bytes };
  } catch (error) {
    if (!(error instanceof QueryFormError)) throw error;
    throw new BrokerError('body_malformed', { detail: error.message });
  }
}
