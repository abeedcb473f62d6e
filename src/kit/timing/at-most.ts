import type { Clock, Timer } from './clock.ts';

/** What `work` resolves to, or undefined if that takes longer. The work itself goes on. */
export async function atMost<T>(
  clock: Clock,
  longestMs: number,
  work: Promise<T>,
): Promise<T | undefined> {
  let timer: Timer | undefined;
  const over = new Promise<undefined>((resolve) => {
    timer = clock.after(longestMs, () => resolve(undefined));
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    timer?.cancel();
  }
}
