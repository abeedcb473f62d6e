import type { BrokerErrorCode, ErrorReason } from '../errors.ts';
import type { AuditedRequest } from './audited-request.ts';
import type { AuditedCredentials, AuditedMapping, AuditedSession } from './audited-session.ts';
import type { AuditedToken } from './audited-token.ts';
import type { RecordedRequest } from './recorded-request.ts';

export interface ExchangeRecord extends RecordedRequest {
  readonly type: 'exchange';
  /** `denied`: the request was refused on its merits; `failed`: something that the broker needs did not work. */
  readonly outcome: 'issued' | 'denied' | 'failed';
  readonly code?: BrokerErrorCode | undefined;
  /** What the caller is not told: why a decision was a denial. */
  readonly reason?: ErrorReason | undefined;
  readonly token?: AuditedToken | undefined;
  readonly request?: AuditedRequest | undefined;
  readonly policyRevision?: number | undefined;
  readonly mapping?: AuditedMapping | undefined;
  readonly session?: AuditedSession | undefined;
  readonly credentials?: AuditedCredentials | undefined;
}

/** Of the record of an exchange: what tells one request from the next that is like it. */
export type ExchangeStart = Pick<
  ExchangeRecord,
  'type' | 'time' | 'requestId' | 'traceId' | 'route' | 'sourceIp' | 'peerIp' | 'userAgent'
>;

type EndName = Exclude<keyof ExchangeRecord, keyof ExchangeStart | 'repeats'>;

/** The same for requests that are alike and come to the same. A member that is left out would not compile. */
export type ExchangeEnd = { readonly [Name in EndName]-?: ExchangeRecord[Name] };

const namesOfEnd: { readonly [Name in EndName]: true } = {
  outcome: true,
  code: true,
  reason: true,
  token: true,
  request: true,
  policyRevision: true,
  mapping: true,
  session: true,
  credentials: true,
};

/** In the order in which records have them. */
export const exchangeEndNames = Object.keys(namesOfEnd) as readonly EndName[];
