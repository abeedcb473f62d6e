/**
 * Many readers or one writer, in order of arrival: what comes after a waiting writer waits for it too, so
 * a stream of readers cannot keep it out.
 */
export class AccessLock {
  readonly #readers = new Set<Promise<void>>();
  #lastWriter: Promise<void> = Promise.resolve();

  shared<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#lastWriter.then(work);
    const ended = settled(result).then(() => void this.#readers.delete(ended));
    this.#readers.add(ended);
    return result;
  }

  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = Promise.all([this.#lastWriter, ...this.#readers]).then(work);
    this.#lastWriter = settled(result);
    return result;
  }
}

function settled(work: Promise<unknown>): Promise<void> {
  return work.then(
    () => {},
    () => {},
  );
}
