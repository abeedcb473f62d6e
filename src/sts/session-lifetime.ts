/** When cached session credentials are good enough to hand out, and when to renew them. */

/** Below this nothing is handed out, whatever the state of STS. */
export const leastRemainingMs = 60_000;

/**
 * What credentials must have left to be handed out while STS works: 15 minutes, because AWS SDKs renew at 15
 * minutes and would call again at once; a third of sessions that are too short for that.
 */
export function minRemainingMs(durationSeconds: number): number {
  return durationSeconds >= 1800 ? 900_000 : (durationSeconds * 1000) / 3;
}

/**
 * What credentials have left when they become due for renewal in the background, given `random` in [0, 1).
 *
 * That is after 50 to 75 % of their life. A short session has reached `minRemainingMs` by then: it is renewed
 * within the fifth of its life before that. Entries made together are spread over a fifth of their life or more.
 */
export function renewalRemainingMs(
  durationSeconds: number,
  lifetimeMs: number,
  random: number,
): number {
  const latest = Math.max(
    0,
    Math.min(0.75 * lifetimeMs, lifetimeMs - minRemainingMs(durationSeconds)),
  );
  const earliest = Math.max(0, Math.min(0.5 * lifetimeMs, latest - 0.2 * lifetimeMs));
  return lifetimeMs - (earliest + random * (latest - earliest));
}
