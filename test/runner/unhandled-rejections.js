/** A promise that is rejected and that nobody looks at fails the test that was running. */

import { setImmediate as turnOfTheEventLoop } from 'node:timers/promises';

/** By promise, until somebody looks at it after all. */
const rejections = new Map();

/** For `addEventHandler` of jest-circus. */
export async function failOnUnhandledRejections(event, state) {
  if (event.name === 'error' && event.promise !== undefined) {
    rejections.set(event.promise, event.error);
  } else if (event.name === 'error_handled') {
    rejections.delete(event.promise);
  } else if (event.name === 'test_done' && rejections.size > 0) {
    event.test.errors.push(...(await unhandled()));
  } else if (event.name === 'run_finish') {
    state.unhandledErrors.push(...(await unhandled()));
  }
}

/** Node tells of either only when all that could still look at a promise has run. */
async function unhandled() {
  await turnOfTheEventLoop();
  const errors = [...rejections.values()];
  rejections.clear();
  return errors;
}
