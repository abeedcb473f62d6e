import { describe, expect, it } from '@jest/globals';
import { LoadShedder } from '../../../src/kit/calls/load-shedder.ts';
import { createTestClock, type TestClock } from '../../support/test-clock.ts';

const sampleMs = 100;

async function start(load: { delayMs: number }) {
  const clock = createTestClock();
  const changes: boolean[] = [];
  const shedder = new LoadShedder({
    clock,
    maxDelayMs: () => 200,
    delayMs: () => load.delayMs,
    random: seeded(),
    observer: (shedding) => changes.push(shedding),
  });
  shedder.start();
  return { clock, shedder, changes };
}

/** The same numbers in every run (mulberry32). */
function seeded(): () => number {
  let state = 1;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

describe('a load shedder', () => {
  it('lets everybody in until the event loop was late three times in a row', async () => {
    const load = { delayMs: 0 };
    const { clock, shedder, changes } = await start(load);
    for (const delayMs of [201, 300, 0, 500, 500, 200, 1000, 1000]) {
      load.delayMs = delayMs;
      await clock.advance(sampleMs);
      expect([delayMs, shedder.shedding]).toEqual([delayMs, false]);
    }
    await clock.advance(sampleMs);
    expect([shedder.shedding, changes]).toEqual([true, [true]]);
  });

  it('measures by its own timer when nothing else is given', async () => {
    const clock = createTestClock();
    let lateMs = 0;
    const late = { ...clock, monotonic: () => clock.monotonic() + lateMs };
    const shedder = new LoadShedder({ clock: late, maxDelayMs: () => 200 });
    shedder.start();
    for (let samples = 0; samples < 3; samples += 1) {
      // Whatever keeps the loop busy does so between the timer's start and its end.
      lateMs += 250;
      await clock.advance(sampleMs);
    }
    expect(shedder.shedding).toBe(true);
    shedder.stop();
  });

  it('ends when the loop is well on time and nobody was refused for three samples', async () => {
    const load = { delayMs: 300 };
    const { clock, shedder, changes } = await start(load);
    await clock.advance(3 * sampleMs);
    load.delayMs = 150;
    await clock.advance(10 * sampleMs);
    expect(shedder.shedding).toBe(true);
    load.delayMs = 99;
    await clock.advance(2 * sampleMs);
    expect(shedder.shedding).toBe(true);
    await clock.advance(sampleMs);
    expect([shedder.shedding, changes]).toEqual([false, [true, false]]);
  });

  it('refuses nobody less than one in twenty even if refusing does not help', async () => {
    const load = { delayMs: 5000 };
    const { clock, shedder } = await start(load);
    const admitted = await admittedPerSample({ clock, shedder, samples: 400, ask: { one: 1 } });
    expect(admitted.slice(200).reduce((sum, { one = 0 }) => sum + one, 0)).toBeGreaterThan(2);
  });

  /** The loop is late as soon as more is let in than it can do between two samples. */
  async function underLoad(ask: Readonly<Record<string, number>>, capacity: number) {
    const load = { delayMs: 300 };
    const { clock, shedder } = await start(load);
    const onSample = (admitted: Readonly<Record<string, number>>) => {
      const total = Object.values(admitted).reduce((sum, count) => sum + count, 0);
      load.delayMs = (total / capacity) ** 2 * 150;
    };
    const all = await admittedPerSample({ clock, shedder, samples: 300, ask, onSample });
    // What it takes to settle does not count.
    const settled = all.slice(100);
    const share = (asker: string) =>
      settled.reduce((sum, admitted) => sum + (admitted[asker] ?? 0), 0) / settled.length;
    const total = Object.keys(ask).reduce((sum, asker) => sum + share(asker), 0);
    return { share, total };
  }

  const modest = Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`modest ${at}`, 2]));

  it('takes what is too much from the one that asks for most, and nothing from the others', async () => {
    const capacity = 200;
    const { share, total } = await underLoad({ ...modest, noisy: 1000 }, capacity);
    const modestShare = total - share('noisy');
    expect(modestShare).toBeGreaterThan(0.97 * 120);
    expect(share('noisy')).toBeLessThan(total / 2);
    expect(total).toBeGreaterThan(0.8 * capacity);
    expect(total).toBeLessThan(1.2 * capacity);
  });

  it('is not driven down by single late turns, which collections of garbage make', async () => {
    const load = { delayMs: 300 };
    const { clock, shedder } = await start(load);
    const ask = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`asker ${at}`, 1]));
    let samples = 0;
    const onSample = (admitted: Readonly<Record<string, number>>) => {
      const total = Object.values(admitted).reduce((sum, count) => sum + count, 0);
      samples += 1;
      load.delayMs = samples % 3 === 0 ? 1000 : (total / 100) ** 2 * 150;
    };
    const all = await admittedPerSample({ clock, shedder, samples: 300, ask, onSample });
    const admitted = all
      .slice(100)
      .map((counts) => Object.values(counts).reduce((sum, count) => sum + count, 0));
    expect(admitted.reduce((sum, count) => sum + count, 0) / admitted.length).toBeGreaterThan(70);
  });

  it('takes away no more than the loop is too late for', async () => {
    const load = { delayMs: 300 };
    const { clock, shedder } = await start(load);
    await clock.advance(3 * sampleMs);
    const admitted = async (delayMs: number) => {
      load.delayMs = delayMs;
      const passed = Array.from({ length: 100 }, () => shedder.admits('one')).filter(Boolean);
      await clock.advance(sampleMs);
      return passed.length;
    };
    // 250 ms twice where 200 are allowed: four fifths; however late it is, half.
    expect([await admitted(250), await admitted(1000), await admitted(1000)]).toEqual([
      100, 80, 64,
    ]);
    expect(await admitted(1000)).toBe(32);
  });

  it('leaves an overload of one alone at what the loop can do', async () => {
    const { total } = await underLoad({ noisy: 1000 }, 200);
    expect(total).toBeGreaterThan(160);
    expect(total).toBeLessThan(240);
  });

  it.each([2, 5])('treats equal askers alike at %s times the capacity', async (times) => {
    const askers = Array.from({ length: 100 * times }, (_, at) => `asker ${at}`);
    const { share, total } = await underLoad(
      Object.fromEntries(askers.map((asker) => [asker, 1])),
      100,
    );
    expect(total).toBeGreaterThan(75);
    expect(total).toBeLessThan(130);
    const shares = askers.map(share).sort((a, b) => a - b);
    expect(shares.at(-1)).toBeLessThan(3 * (shares[0] ?? 0));
  });
});

interface Asking {
  readonly clock: TestClock;
  readonly shedder: LoadShedder;
  readonly samples: number;
  /** Requests per sample. */
  readonly ask: Readonly<Record<string, number>>;
  readonly onSample?: (admitted: Readonly<Record<string, number>>) => void;
}

async function admittedPerSample({ clock, shedder, samples, ask, onSample }: Asking) {
  const all: Readonly<Record<string, number>>[] = [];
  for (let sample = 0; sample < samples; sample += 1) {
    const admitted: Record<string, number> = {};
    for (const [asker, requests] of Object.entries(ask)) {
      const passed = Array.from({ length: requests }, () => shedder.admits(asker)).filter(Boolean);
      admitted[asker] = passed.length;
    }
    onSample?.(admitted);
    all.push(admitted);
    await clock.advance(sampleMs);
  }
  return all;
}
