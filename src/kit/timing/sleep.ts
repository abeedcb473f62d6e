import type { Clock } from './clock.ts';

/** Resolves after `delayMs`. Like every timer of a clock it does not keep the process alive: see `keepingAlive`. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve);
  });
}
