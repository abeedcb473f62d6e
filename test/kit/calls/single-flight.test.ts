import { describe, expect, it } from '@jest/globals';
import { SingleFlight } from '../../../src/kit/calls/single-flight.ts';

describe('single flight', () => {
  it('does equal work once, and unequal work separately', async () => {
    const flights = new SingleFlight<string, string>();
    let runs = 0;
    const work = (name: string) => async () => `${name} ${++runs}`;

    const outcomes = await Promise.all([
      flights.run('a', work('a')),
      flights.run('a', work('a')),
      flights.run('b', work('b')),
    ]);

    expect(outcomes).toEqual(['a 1', 'a 1', 'b 2']);
  });

  it('shares a failure with those who were waiting and with nobody after them', async () => {
    const flights = new SingleFlight<string, string>();
    const failing = () => Promise.reject(new Error('down'));

    const waiting = [flights.run('a', failing), flights.run('a', async () => 'never runs')];
    for (const one of await Promise.allSettled(waiting)) {
      expect(one).toMatchObject({ status: 'rejected', reason: { message: 'down' } });
    }

    await expect(flights.run('a', async () => 'back')).resolves.toBe('back');
  });

  it('forgets work that throws before its first await', async () => {
    const flights = new SingleFlight<string, string>();
    const throwing = (): Promise<string> => {
      throw new Error('at once');
    };

    await expect(flights.run('a', throwing)).rejects.toThrow('at once');

    expect(flights.size).toBe(0);
    expect(flights.running('a')).toBeUndefined();
  });
});
