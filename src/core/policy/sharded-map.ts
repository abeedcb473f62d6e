/**
 * An immutable map. A changed copy shares all but what changed with the map that it comes from, so that one edit
 * among 100,000 entries does not hold up every request while they are copied.
 */

const shardCount = 512;

export class ShardedMap<Value extends object> implements ReadonlyMap<string, Value> {
  readonly #shards: readonly (ReadonlyMap<string, Value> | undefined)[];
  readonly size: number;

  private constructor(shards: readonly (ReadonlyMap<string, Value> | undefined)[], size: number) {
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
    const shards = [...this.#shards];
    const own = new Map<number, Map<string, Value>>();
    let { size } = this;
    for (const [key, value] of changes) {
      const at = shardOf(key);
      const shard = own.get(at) ?? new Map(shards[at]);
      own.set(at, shard);
      shards[at] = shard;
      size -= shard.size;
      if (value === undefined) shard.delete(key);
      else shard.set(key, value);
      size += shard.size;
    }
    return new ShardedMap(shards, size);
  }

  get(key: string): Value | undefined {
    return this.#shards[shardOf(key)]?.get(key);
  }

  has(key: string): boolean {
    return this.#shards[shardOf(key)]?.has(key) ?? false;
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

/** FNV-1a: names that people choose spread evenly enough, and one full shard is only slow to copy. */
function shardOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  }
  return (hash >>> 0) % shardCount;
}
