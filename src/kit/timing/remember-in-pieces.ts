/**
 * As `remember`, for what takes many pieces of work: whoever comes while it is computed goes on with it, instead of
 * computing it once more.
 */

import type { PiecesOfWork } from './in-turns.ts';

export function rememberInPieces<Key extends object, Value>(
  compute: (key: Key) => PiecesOfWork<Value>,
): (key: Key) => PiecesOfWork<Value> {
  const known = new WeakMap<Key, Shared<Value>>();
  return function* (key) {
    const shared = known.get(key) ?? new Shared(compute(key));
    known.set(key, shared);
    while (!shared.isDone()) yield;
    return shared.value;
  };
}

class Shared<Value> {
  readonly #work: PiecesOfWork<Value>;
  #end: (() => Value) | undefined;

  constructor(work: PiecesOfWork<Value>) {
    this.#work = work;
  }

  /** @throws whatever the work threw, to all who share it */
  get value(): Value {
    if (this.#end === undefined) throw new Error('the work is not done');
    return this.#end();
  }

  /** Does one piece, where one is left. */
  isDone(): boolean {
    if (this.#end !== undefined) return true;
    try {
      const step = this.#work.next();
      if (step.done === true) {
        const { value } = step;
        this.#end = () => value;
      }
    } catch (error) {
      this.#end = () => {
        throw error;
      };
    }
    return this.#end !== undefined;
  }
}
