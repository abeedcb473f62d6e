/** How long to wait before trying again. `random` gives numbers from 0 to 1. */

export interface BackoffLimits {
  readonly baseMs: number;
  readonly capMs: number;
}

/** Exponential: `baseMs` after the first failure (`attempt` counts from 0), doubled after each, `capMs` at most. */
export function backoffMs(attempt: number, { baseMs, capMs }: BackoffLimits): number {
  return Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
}

/** Anything up to `longestMs`: rivals for one thing drift apart soonest. */
export function fullJitter(longestMs: number, random: () => number): number {
  return random() * longestMs;
}

/** From half of it to `longestMs`: those that failed together drift apart, and none tries again at once. */
export function equalJitter(longestMs: number, random: () => number): number {
  return longestMs * (0.5 + random() / 2);
}

/** A tenth more or less: those that started together do not do for ever together what each does regularly. */
export function spread(intervalMs: number, random: () => number): number {
  return intervalMs * (0.9 + 0.2 * random());
}
