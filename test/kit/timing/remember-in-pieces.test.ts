import { describe, expect, it } from '@jest/globals';
import { atOnce } from '../../../src/kit/timing/in-turns.ts';
import { rememberInPieces } from '../../../src/kit/timing/remember-in-pieces.ts';

function counting(pieces: number) {
  const done = { pieces: 0 };
  const work = rememberInPieces(function* (key: { readonly name: string }) {
    for (let piece = 0; piece < pieces; piece += 1) {
      done.pieces += 1;
      yield;
    }
    if (key.name === 'bad') throw new Error('cannot be computed');
    return { of: key.name };
  });
  return { done, work };
}

describe('what is remembered and computed in pieces', () => {
  it('is computed once, whoever comes while it is computed or after that', () => {
    const { done, work } = counting(10);
    const key = { name: 'a' };
    const first = work(key);
    first.next();
    first.next();
    const second = atOnce(work(key));
    expect(second).toEqual({ of: 'a' });
    expect(atOnce(first)).toBe(second);
    expect(atOnce(work(key))).toBe(second);
    expect(done.pieces).toBe(10);
    expect(atOnce(work({ name: 'a' }))).not.toBe(second);
  });

  it('fails for all who share it', () => {
    const { work } = counting(3);
    const key = { name: 'bad' };
    const first = work(key);
    first.next();
    expect(() => atOnce(work(key))).toThrow('cannot be computed');
    expect(() => atOnce(first)).toThrow('cannot be computed');
  });
});
