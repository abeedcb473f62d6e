import { setMaxListeners } from 'node:events';

/**
 * Calls `listener` when `signal` is aborted, or now if it is. Whoever waits no more calls what this returns.
 *
 * Any number may wait for one signal at the same time. Node takes more than ten listeners for a leak and warns of it, once
 * for each signal, so that a real one would be warned of no more.
 */
export function whenAborted(signal: AbortSignal, listener: () => void): () => void {
  if (signal.aborted) {
    listener();
    return () => {};
  }
  setMaxListeners(0, signal);
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}
