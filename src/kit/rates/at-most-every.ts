import type { Clock } from '../timing/clock.ts';

/** Whether an event of that name was not let through within the interval: an outage reports every refused request, and need not fill a disk. */
export function atMostEvery(intervalMs: number, clock: Clock): (event: string) => boolean {
  const lastAt = new Map<string, number>();
  return (event) => {
    const now = clock.monotonic();
    if (now - (lastAt.get(event) ?? Number.NEGATIVE_INFINITY) < intervalMs) return false;
    lastAt.set(event, now);
    return true;
  };
}
