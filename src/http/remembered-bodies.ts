/**
 * Clients send the same few bytes with every request. What they mean depends on nothing but the bytes, so it is read
 * and checked when they come for the first time. Only what passed every check is remembered.
 */

import type { LRUCache } from 'lru-cache';
import { boundedMap } from '../kit/calls/bounded-map.ts';

/** Longer ones are rare, and would make the memory depend on what strangers send. */
const maxBytes = 256;
const maxBodies = 1_000;

/** For one schema, whose documents are flat: each is shared by all requests with its bytes, and frozen. */
export class RememberedBodies<Document extends object> {
  readonly #documents: LRUCache<string, Document> = boundedMap(maxBodies);

  /** `read` throws what it refuses. */
  get(bytes: Buffer, read: () => Document): Document {
    if (bytes.length > maxBytes) return read();
    // One character for each byte: no two bodies have one key.
    const key = bytes.toString('latin1');
    let document = this.#documents.get(key);
    if (document === undefined) {
      document = Object.freeze(read());
      this.#documents.set(key, document);
    }
    return document;
  }
}
