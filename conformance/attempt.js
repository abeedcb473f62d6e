/** A conformance command that tries one thing: what it says of it, and its exit code. */

import { interrupt } from './commands.js';

/**
 * `attempt` gets what `prepare` gives, and returns what to report of it; what either throws is a failure. Where `prepare` gives `{ lacks }` it
 * cannot be tried here, which is a failure if `require` says so.
 */
export async function tryOne({ name, require = false, prepare = () => ({}), attempt }) {
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    const prepared = await prepare();
    if (prepared.lacks === undefined) {
      console.log(`\nconformance:${name} passed: ${await attempt(prepared)}`);
      return;
    }
    console.log(`conformance:${name} ${require ? 'FAILED' : 'NOT RUN'}: ${prepared.lacks}`);
    if (require) process.exitCode = 1;
  } catch (error) {
    console.error(error.message);
    console.log(`\nconformance:${name} FAILED`);
    process.exitCode = 1;
  }
}
