/** Records of somebody who looked, and changed nothing. */

import type { BrokerErrorCode } from '../errors.ts';
import type { AuditedRequest } from './audited-request.ts';
import type { AuditedToken } from './audited-token.ts';
import type { RecordedRequest } from './recorded-request.ts';

/** An administrator had a caller's token explained. */
export interface ExplainRecord extends RecordedRequest {
  readonly type: 'explain';
  /** The administrator's. */
  readonly token: AuditedToken;
  /** The token that was explained. */
  readonly explained: AuditedToken;
  readonly request: AuditedRequest;
  readonly outcome: 'allow' | 'deny' | 'ambiguous' | 'duration_not_allowed' | 'refused';
  readonly code?: BrokerErrorCode | undefined;
}

/**
 * Somebody looked, or tried to: an administrator at the policy, or a caller at what it may ask for. Durable before
 * the answer, or counted in a record that repeats one that is.
 */
export interface AccessRecord extends RecordedRequest {
  readonly type: 'access';
  readonly listener: 'admin' | 'api';
  /** `permitted`: whoever asked may see it; the answer may still say that there is no such thing. */
  readonly outcome: 'permitted' | 'refused' | 'failed';
  readonly code?: BrokerErrorCode | undefined;
  readonly token?: AuditedToken | undefined;
  /** Path and query, of those who may look. */
  readonly asked?: string | undefined;
}
