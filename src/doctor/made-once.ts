/** What is made once for each key, failures included: checks that ask the same thing in one run get the same answer. */
export class MadeOnce<Made> {
  readonly #made = new Map<string, Promise<Made>>();

  get(key: string, make: () => Promise<Made>): Promise<Made> {
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#made.set(key, made);
    return made;
  }

  all(): Iterable<Promise<Made>> {
    return this.#made.values();
  }
}
