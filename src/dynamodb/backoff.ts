export interface BackoffLimits {
  readonly baseMs: number;
  readonly capMs: number;
}

/** Full jitter: anything from 0 to the exponential bound (`attempt` counts from 0), so that rivals drift apart. */
export function backoffMs(
  attempt: number,
  { baseMs, capMs }: BackoffLimits,
  random: () => number,
): number {
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
}
