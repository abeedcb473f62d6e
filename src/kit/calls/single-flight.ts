/**
 * Makes equal work that is asked for at the same time happen once.
 *
 * Everyone who asks while the work runs gets its outcome, failures included. Nothing outlives the work: who
 * asks after it ended starts anew, so a failure is never shared beyond those who were waiting for it.
 */
export class SingleFlight<Key, Value> {
  readonly #running = new Map<Key, Promise<Value>>();

  get size(): number {
    return this.#running.size;
  }

  /** The work that runs under this key, if any. */
  running(key: Key): Promise<Value> | undefined {
    return this.#running.get(key);
  }

  /** Joins the work that runs under this key, or starts it. */
  run(key: Key, work: () => Promise<Value>): Promise<Value> {
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const started = this.#start(key, work);
    this.#running.set(key, started);
    return started;
  }

  async #start(key: Key, work: () => Promise<Value>): Promise<Value> {
    // One turn later, so that work which fails at once does not end before it is registered.
    await undefined;
    try {
      return await work();
    } finally {
      this.#running.delete(key);
    }
  }
}
