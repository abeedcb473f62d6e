/**
 * `not_stored`: the storage was away, or refused. `not_locked`: what is there can be overwritten or deleted.
 * `contradicts`: it has something else at this position.
 */
export const copyFailures = ['not_stored', 'not_locked', 'contradicts'] as const;
export type CopyFailure = (typeof copyFailures)[number];

/** What the storage has, or how it has it, is no evidence. */
export class LockedBucketError extends Error {
  override readonly name = 'LockedBucketError';
  readonly failure: CopyFailure;
  readonly code: string;

  constructor(failure: CopyFailure, code: string, message: string) {
    super(message);
    this.failure = failure;
    this.code = code;
  }
}
