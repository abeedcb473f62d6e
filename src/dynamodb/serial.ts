/** Runs pieces of work one after the other, in the order in which they were asked for. */
export class Serial {
  #last: Promise<unknown> = Promise.resolve();

  /** The outcome of `work`; a failure does not keep the next piece from running. */
  run<Value>(work: () => Promise<Value>): Promise<Value> {
    const outcome = this.#last.then(work);
    this.#last = outcome.catch(() => {});
    return outcome;
  }
}
