import type { Clock, Timer } from '../kit/timing/clock.ts';

/** What `work` resolves to, or undefined if that takes longer. The work itself goes on. */
export async function withinDeadline<T>(
  clock: Clock,
  deadlineMs: number,
  work: Promise<T>,
): Promise<T | undefined> {
  let timer: Timer | undefined;
  const deadline = new Promise<undefined>((resolve) => {
    timer = clock.after(deadlineMs, () => resolve(undefined));
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    timer?.cancel();
  }
}
