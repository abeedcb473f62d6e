/** What a message is believed, whatever somebody has written into it. */

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { deliveredObjects } from '../../src/cloudtrail/delivery-note.ts';
import { runs, seenMoreThan } from '../support/fuzz-budget.ts';

/** Any JSON, and any in the places that are read, also such as are no text and have no way to become one. */
const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  { weight: 4, arbitrary: fc.constant({ toString: 1 }) },
  fc.constantFrom('aws:s3', 'ObjectCreated:Put', 'Object Created', 'bucket', 'a+b%20c', '%', '..'),
  fc.string({ unit: 'binary' }),
);
const within = (...names: string[]) =>
  fc.record(Object.fromEntries(names.map((name) => [name, odd])), { requiredKeys: [] });
const named = fc.record({
  bucket: fc.oneof(odd, within('name')),
  object: fc.oneof(odd, within('key')),
});
const s3Record = fc.record(
  {
    eventSource: fc.oneof(fc.constant('aws:s3'), odd),
    eventName: fc.oneof(fc.constant('ObjectCreated:Put'), odd),
    s3: fc.oneof(odd, named),
  },
  { requiredKeys: ['eventSource', 'eventName'] },
);
const message = fc.oneof(
  odd,
  fc.record({ Records: fc.oneof(odd, fc.array(fc.oneof(odd, s3Record), { maxLength: 4 })) }),
  fc.record({ 'detail-type': fc.constant('Object Created'), detail: fc.oneof(odd, named) }),
  fc.record({ s3Bucket: odd, s3ObjectKey: fc.oneof(odd, fc.array(odd, { maxLength: 4 })) }),
);
const body = fc.oneof(
  fc.string(),
  message.map((value) => JSON.stringify(value)),
  message.map((value) => JSON.stringify({ Type: 'Notification', Message: JSON.stringify(value) })),
  odd.map((value) => JSON.stringify({ Type: 'Notification', Message: value })),
);

describe('a message of the queue', () => {
  it('T308: never fails whoever reads it, and names only what S3 can have', () => {
    let seen = 0;
    fc.assert(
      fc.property(body, (text) => {
        for (const { bucket, key } of deliveredObjects(text) ?? []) {
          seen += 1;
          expect(typeof bucket).toBe('string');
          expect(Buffer.byteLength(key)).toBeLessThanOrEqual(1024);
          const asked = `/b/${key.split('/').map(encodeURIComponent).join('/')}`;
          expect(new URL(`https://s3.example${asked}`).pathname).toBe(asked);
        }
      }),
      runs(20_000),
    );
    expect(seen).toBeGreaterThan(seenMoreThan(20));
  });
});
