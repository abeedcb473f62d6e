type Work = () => Promise<void>;

/** Runs pieces of work one after the other, in the order in which they were asked for; urgent ones before all others. */
export class Serial {
  readonly #urgent: Work[] = [];
  readonly #waiting: Work[] = [];
  #last: Promise<void> = Promise.resolve();

  /** The outcome of `work`; a failure does not keep the next piece from running. */
  run<Value>(
    work: () => Promise<Value>,
    { urgent = false }: { readonly urgent?: boolean } = {},
  ): Promise<Value> {
    return new Promise((resolve, reject) => {
      (urgent ? this.#urgent : this.#waiting).push(() => work().then(resolve, reject));
      // One turn for each piece, and whoever is first when it comes has it.
      this.#last = this.#last.then(() => (this.#urgent.shift() ?? this.#waiting.shift())?.());
    });
  }
}
