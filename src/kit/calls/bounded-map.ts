import { LRUCache } from 'lru-cache';

/**
 * Remembers so many values; beyond that, it forgets the one that was not asked for longest. It grows with what it holds:
 * by the option `max`, the cache would take all of its room when it is made.
 */
export function boundedMap<Value extends object | string | true>(
  most: number,
): LRUCache<string, Value> {
  return new LRUCache({ maxSize: most, sizeCalculation: () => 1 });
}
