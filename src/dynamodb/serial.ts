/** Runs pieces of work one after the other, in the order in which they were asked for; urgent ones before all others. */
export class Serial {
  readonly #urgent: (() => Promise<void>)[] = [];
  readonly #waiting: (() => Promise<void>)[] = [];
  #isRunning = false;

  /** The outcome of `work`; a failure does not keep the next piece from running. */
  run<Value>(
    work: () => Promise<Value>,
    { urgent = false }: { readonly urgent?: boolean } = {},
  ): Promise<Value> {
    return new Promise((resolve) => {
      (urgent ? this.#urgent : this.#waiting).push(async () => {
        const outcome = Promise.resolve().then(work);
        resolve(outcome);
        await outcome.catch(() => {});
      });
      if (!this.#isRunning) void this.#runAll();
    });
  }

  async #runAll(): Promise<void> {
    this.#isRunning = true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) await next();
    this.#isRunning = false;
  }

  #next(): (() => Promise<void>) | undefined {
    return this.#urgent.shift() ?? this.#waiting.shift();
  }
}
