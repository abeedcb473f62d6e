/** How the local S3 misbehaves. */
export type S3Fault = {
  /** Only these operations (`PutObject`). Default: all. */
  readonly operations?: readonly string[];
  /** So many requests, then none. Default: until the fault is taken away. */
  readonly times?: number;
} & (
  | { /** Never answers and does nothing. */ readonly kind: 'hang' }
  | { /** Cuts the connection and does nothing. */ readonly kind: 'reset' }
  | {
      /** Does as asked, then cuts the connection instead of answering. */ readonly kind: 'loseAnswer';
    }
  | { /** Answers with bytes without end. */ readonly kind: 'endless' }
  | {
      /** Answers with this error and does nothing. */
      readonly kind: 'error';
      readonly status: number;
      readonly code: string;
    }
  | { /** Says that it has what it was given, and has nothing. */ readonly kind: 'forget' }
  | { /** Keeps something else than it was given. */ readonly kind: 'alter' }
  | { /** Keeps what it was given, without the lock. */ readonly kind: 'leaveOpen' }
);

/** The fault in force, and how many more requests it hits. */
export class BucketFaultSwitch {
  #fault: S3Fault | undefined;
  #hitsLeft = 0;

  set(fault: S3Fault | undefined): void {
    this.#fault = fault;
    this.#hitsLeft = fault?.times ?? Number.POSITIVE_INFINITY;
  }

  /** The fault that hits this request, which thereby counts. */
  take(operation: string): S3Fault | undefined {
    const fault = this.#fault;
    if (!fault || this.#hitsLeft === 0) return undefined;
    if (fault.operations && !fault.operations.includes(operation)) return undefined;
    this.#hitsLeft -= 1;
    return fault;
  }
}
