import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { RememberedBodies } from '../../src/http/remembered-bodies.ts';

const schema = z.strictObject({ role: z.string().optional() });

function reader() {
  const bodies = new RememberedBodies<z.output<typeof schema>>();
  const seen = { reads: 0 };
  const read = (bytes: Buffer) =>
    bodies.get(bytes, () => {
      seen.reads += 1;
      return schema.parse(JSON.parse(bytes.toString()));
    });
  return { seen, read };
}

describe('bodies that come again', () => {
  it('are read once, and what they mean cannot be changed by a request for the next', () => {
    const { seen, read } = reader();
    const first = read(Buffer.from('{"role":"a"}'));
    expect(Object.isFrozen(first)).toBe(true);
    expect(read(Buffer.from('{"role":"a"}'))).toBe(first);
    expect(seen.reads).toBe(1);
  });

  it('are told apart by every byte, those that are no text among them', () => {
    const { read } = reader();
    const bodies = ['a', 'b', 'é', '\u00c3\u00a9', '\u{1f600}', ' a'].map((role) =>
      JSON.stringify({ role }),
    );
    for (let round = 0; round < 2; round += 1) {
      for (const body of bodies) expect(read(Buffer.from(body))).toEqual(JSON.parse(body));
    }
  });

  it('are refused each time that they are not what the schema has', () => {
    const { seen, read } = reader();
    for (let round = 0; round < 2; round += 1) {
      expect(() => read(Buffer.from('{"roles":"a"}'))).toThrow();
      expect(() => read(Buffer.from('{"role"'))).toThrow();
    }
    expect(seen.reads).toBe(4);
  });

  it('that are long are read each time', () => {
    const { seen, read } = reader();
    const body = Buffer.from(JSON.stringify({ role: 'r'.repeat(300) }));
    expect(read(body)).toEqual(read(body));
    expect(seen.reads).toBe(2);
  });
});
