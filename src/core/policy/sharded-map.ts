/**
 * An immutable map. A changed copy shares all but what changed with the map that it comes from, so that one edit
 * among 100,000 entries does not hold up every request while they are copied. Its parts are small: a map of a million
 * entries in one piece takes a tenth of a second each time that it grows.
 */

const shardCount = 512;

type Shards<Value> = readonly (ReadonlyMap<string, Value> | undefined)[];

export class ShardedMap<Value extends object> implements ReadonlyMap<string, Value> {
  readonly #shards: Shards<Value>;
  readonly size: number;

  /** Use `of`, or `draft`. */
  constructor(shards: Shards<Value>, size: number) {
    this.#shards = shards;
    this.size = size;
  }

  static of<Value extends object>(
    entries: Iterable<readonly [string, Value]> = [],
  ): ShardedMap<Value> {
    return new ShardedMap<Value>(Array(shardCount).fill(undefined), 0).with(entries);
  }

  /** Undefined deletes. */
  with(changes: Iterable<readonly [string, Value | undefined]>): ShardedMap<Value> {
    const draft = this.draft();
    for (const [key, value] of changes) draft.set(key, value);
    return draft.finished();
  }

  /** For changes that are made one by one; this map stays as it is. */
  draft(): MapDraft<Value> {
    return new MapDraft(this.#shards, this.size);
  }

  get(key: string): Value | undefined {
    return this.size === 0 ? undefined : this.#shards[shardOf(key)]?.get(key);
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  forEach(use: (value: Value, key: string, map: ReadonlyMap<string, Value>) => void): void {
    for (const [key, value] of this) use(value, key, this);
  }

  *[Symbol.iterator](): Generator<[string, Value], undefined> {
    for (const shard of this.#shards) if (shard !== undefined) yield* shard;
  }

  entries(): Generator<[string, Value], undefined> {
    return this[Symbol.iterator]();
  }

  *keys(): Generator<string, undefined> {
    for (const shard of this.#shards) if (shard !== undefined) yield* shard.keys();
  }

  *values(): Generator<Value, undefined> {
    for (const shard of this.#shards) if (shard !== undefined) yield* shard.values();
  }
}

/** A ShardedMap in the making. */
export class MapDraft<Value extends object> {
  readonly #shards: (ReadonlyMap<string, Value> | undefined)[];
  /** Those that are not shared with the map that it comes from. */
  readonly #own: (Map<string, Value> | undefined)[] = [];
  #size: number;

  constructor(shards: Shards<Value>, size: number) {
    this.#shards = [...shards];
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  get(key: string): Value | undefined {
    return this.#shards[shardOf(key)]?.get(key);
  }

  has(key: string): boolean {
    return this.#shards[shardOf(key)]?.has(key) ?? false;
  }

  /** Undefined deletes. */
  set(key: string, value: Value | undefined): void {
    const at = shardOf(key);
    const shard = this.#own[at] ?? this.#copied(at);
    this.#size -= shard.size;
    if (value === undefined) shard.delete(key);
    else shard.set(key, value);
    this.#size += shard.size;
  }

  /** As they are when the iteration comes to them; so are values. What is put in for one that was there comes once. */
  *keys(): Generator<string, undefined> {
    for (const shard of this.#shards) if (shard !== undefined) yield* shard.keys();
  }

  *values(): Generator<Value, undefined> {
    for (const shard of this.#shards) if (shard !== undefined) yield* shard.values();
  }

  /** What is set afterwards goes into copies again. */
  finished(): ShardedMap<Value> {
    this.#own.length = 0;
    return new ShardedMap([...this.#shards], this.#size);
  }

  #copied(at: number): Map<string, Value> {
    const copy = new Map(this.#shards[at]);
    this.#own[at] = copy;
    this.#shards[at] = copy;
    return copy;
  }
}

/** FNV-1a: names that people choose spread evenly enough, and one full shard is only slow to copy. */
function shardOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  }
  return (hash >>> 0) % shardCount;
}
