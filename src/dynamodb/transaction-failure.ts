/** What a failed transaction means for the edit that it was to make. */

import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { placeInTransaction } from './transaction-items.ts';

export type TransactionFailure =
  /** Not done: another edit moved the head, or the table is busy. The same edit may be tried again. */
  | 'try_again'
  /** Not done by this attempt: the row changed, perhaps by an earlier attempt whose answer was lost. */
  | 'row_moved'
  /** May have been done, or may still be. */
  | 'unknown'
  /** Not done: the proposal that it applies waits no more. */
  | 'proposal_closed'
  /** Not done, and trying again will not help. */
  | 'refused';

export function classifyFailure(error: unknown): TransactionFailure {
  if (error instanceof TransactionCanceledException) return classifyCancellation(error);
  const { name, status, tries } = describe(error);
  if (name === 'CredentialsProviderError') return 'refused';
  // The SDK's first try may have been done and only the second refused.
  if (status === undefined || status >= 500 || tries > 1) return 'unknown';
  if (name === 'TransactionInProgressException') return 'unknown';
  return throttlingNames.has(name) ? 'try_again' : 'refused';
}

const throttlingNames: ReadonlySet<string> = new Set([
  'ThrottlingException',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
]);

/** https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html */
const passingReasons: ReadonlySet<string> = new Set([
  'None',
  'ConditionalCheckFailed',
  'TransactionConflict',
  'ThrottlingError',
  'ProvisionedThroughputExceeded',
]);

function classifyCancellation(error: TransactionCanceledException): TransactionFailure {
  const codes = (error.CancellationReasons ?? []).map(({ Code: code }) => code ?? 'None');
  if (codes.length === 0 || codes.some((code) => !passingReasons.has(code))) return 'refused';
  const moved = ['ConditionalCheckFailed', 'TransactionConflict'];
  const { current, version, proposal } = placeInTransaction;
  if ([current, version].some((place) => moved.includes(codes[place] ?? ''))) return 'row_moved';
  return codes[proposal] === 'ConditionalCheckFailed' ? 'proposal_closed' : 'try_again';
}

function describe(error: unknown) {
  const { name = '', $metadata } = error as {
    name?: string;
    $metadata?: { httpStatusCode?: number; attempts?: number };
  };
  return { name, status: $metadata?.httpStatusCode, tries: $metadata?.attempts ?? 1 };
}
