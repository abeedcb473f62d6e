import { setImmediate as nextTurn } from 'node:timers/promises';

/** Runs `look` in each turn of the event loop until the work is done. */
export async function eachTurn(work: Promise<unknown>, look: () => void): Promise<void> {
  let done = false;
  const end = work.finally(() => {
    done = true;
  });
  while (!done) {
    await nextTurn();
    look();
  }
  await end;
}
