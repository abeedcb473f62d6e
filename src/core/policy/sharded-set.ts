import { ShardedMap } from './sharded-map.ts';

/** Texts, each once. In many small parts: a set of a million grows in one long step. */
export class ShardedSet {
  readonly #texts = ShardedMap.of<typeof present>().draft();

  get size(): number {
    return this.#texts.size;
  }

  has(text: string): boolean {
    return this.#texts.has(text);
  }

  add(text: string): void {
    if (!this.has(text)) this.#texts.set(text, present);
  }
}

const present = Object.freeze({});
