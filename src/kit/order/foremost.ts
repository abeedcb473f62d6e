/** The first so many of many things, in order: the others are neither kept nor sorted. */
export class Foremost<Item> {
  readonly #most: number;
  readonly #compare: (a: Item, b: Item) => number;
  readonly #items: Item[] = [];

  constructor(most: number, compare: (a: Item, b: Item) => number) {
    this.#most = most;
    this.#compare = compare;
  }

  get items(): readonly Item[] {
    return this.#items;
  }

  add(item: Item): void {
    const items = this.#items;
    let at = items.length;
    while (at > 0 && this.#compare(item, items[at - 1] as Item) < 0) at -= 1;
    if (at === this.#most) return;
    items.splice(at, 0, item);
    if (items.length > this.#most) items.pop();
  }
}
