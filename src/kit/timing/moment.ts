import type { Clock } from './clock.ts';

/** An instant by both clocks: the one that other parties write down, and the one that nobody can set. */
export interface Moment {
  readonly epochMs: number;
  readonly monotonicMs: number;
}

type Clocks = Pick<Clock, 'now' | 'monotonic'>;

/** When that is by the monotonic clock is found out here, once. */
export function momentAt(clock: Clocks, epochMs: number): Moment {
  return { epochMs, monotonicMs: clock.monotonic() + epochMs - clock.now() };
}

/**
 * Time until then, by the clock that says less: one that is set back must not bring what ended back to life, and the
 * sleep of a machine, which the monotonic one may not count, lengthens nothing.
 */
export function remainingMs(clock: Clocks, { epochMs, monotonicMs }: Moment): number {
  return Math.min(epochMs - clock.now(), monotonicMs - clock.monotonic());
}

/** Time since then, by the clock that says more: a step of either makes nothing old young. */
export function ageMs(clock: Clocks, { epochMs, monotonicMs }: Moment): number {
  return Math.max(clock.now() - epochMs, clock.monotonic() - monotonicMs);
}
