import type { WebIdentityAnswer } from '../../src/sts-protocol/answers.ts';

/** A way for the local STS to fail. Without `times` it lasts until another fault, or none, is set. */
export type StsFault = { readonly times?: number } & (
  | { readonly kind: 'hang' }
  | { readonly kind: 'reset' }
  | {
      readonly kind: 'error';
      readonly status: number;
      readonly code: string;
      readonly message: string;
    }
  /** Sent verbatim: HTML of a proxy, an empty or a truncated answer. */
  | {
      readonly kind: 'body';
      readonly status: number;
      readonly contentType: string;
      readonly body: string;
    }
  /** A lying success: sees the fields of a true answer, returns those to send. */
  | { readonly kind: 'answer'; readonly rewrite: (answer: WebIdentityAnswer) => WebIdentityAnswer }
);

export type AnswerFault = Extract<StsFault, { kind: 'answer' }>;
export type RequestFault = Exclude<StsFault, AnswerFault>;

/** Holds the fault in force and counts how often it has struck. */
export class StsFaultSwitch {
  #fault: StsFault | undefined;
  #remaining = 0;

  set(fault: StsFault | undefined): void {
    this.#fault = fault;
    this.#remaining = fault?.times ?? Number.POSITIVE_INFINITY;
  }

  /** The fault that hits the request that has just arrived. */
  takeRequestFault(): RequestFault | undefined {
    return this.#fault?.kind === 'answer' ? undefined : this.#take(this.#fault);
  }

  /** The fault that hits a success that is about to be sent. */
  takeAnswerFault(): AnswerFault | undefined {
    return this.#fault?.kind === 'answer' ? this.#take(this.#fault) : undefined;
  }

  #take<Fault extends StsFault>(fault: Fault | undefined): Fault | undefined {
    if (this.#remaining <= 0) return undefined;
    this.#remaining -= 1;
    return fault;
  }
}
