/** What a failed transaction means for the edit that it was to make. */

import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { FailedTransaction } from './table-calls.ts';
import { type PlaceInTransaction, placeInTransaction } from './transaction-items.ts';

export type TransactionFailure =
  /** Not done: another edit moved the head. The same edit may be tried again. */
  | 'try_again'
  /** Not done: the table takes no more at present. The same edit may be tried again, and less may go sooner. */
  | 'throttled'
  /** Not done by this attempt: the row changed, perhaps by an earlier attempt whose answer was lost. */
  | 'row_moved'
  /** May have been done, or may still be. */
  | 'unknown'
  /** Not done: the proposal that it applies waits no more. */
  | 'proposal_closed'
  /** Not done, and trying again will not help. */
  | 'refused';

/** @param edits how many the transaction was to make */
export function classifyFailure(error: unknown, edits = 1): TransactionFailure {
  const { cause, earlier = [] } = error instanceof FailedTransaction ? error : { cause: error };
  // By its token the service knows a transaction again that it has done already, and cancels none of them.
  if (cause instanceof TransactionCanceledException) return classifyCancellation(cause, edits);
  const isOpen = [...earlier, cause].some((one) => classifyAnswer(one) === 'unknown');
  return isOpen ? 'unknown' : classifyAnswer(cause);
}

function classifyAnswer(error: unknown): TransactionFailure {
  const { name = '', $metadata } = error as Answer;
  if (name === 'CredentialsProviderError') return 'refused';
  const status = $metadata?.httpStatusCode;
  if (status === undefined || status >= 500 || name === 'TransactionInProgressException') {
    return 'unknown';
  }
  return throttlingNames.has(name) ? 'throttled' : 'refused';
}

interface Answer {
  readonly name?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

const throttlingNames: ReadonlySet<string> = new Set([
  'ThrottlingException',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
]);

/** https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html */
const throttlingReasons: ReadonlySet<string> = new Set([
  'ThrottlingError',
  'ProvisionedThroughputExceeded',
]);
const passingReasons: ReadonlySet<string> = new Set([
  ...['None', 'ConditionalCheckFailed', 'TransactionConflict'],
  ...throttlingReasons,
]);

function classifyCancellation(
  error: TransactionCanceledException,
  edits: number,
): TransactionFailure {
  const codes = (error.CancellationReasons ?? []).map(({ Code: code }) => code ?? 'None');
  if (codes.length === 0 || codes.some((code) => !passingReasons.has(code))) return 'refused';
  const isAt = (place: PlaceInTransaction, code: string) =>
    codes.some((one, index) => one === code && placeInTransaction(index, edits) === place);
  const hasMoved = (place: PlaceInTransaction) =>
    isAt(place, 'ConditionalCheckFailed') || isAt(place, 'TransactionConflict');
  if (hasMoved('current') || hasMoved('version')) return 'row_moved';
  if (isAt('proposal', 'ConditionalCheckFailed')) return 'proposal_closed';
  return codes.some((code) => throttlingReasons.has(code)) ? 'throttled' : 'try_again';
}
