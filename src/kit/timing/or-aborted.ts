import { whenAborted } from './when-aborted.ts';

/**
 * The outcome of `work`, or the reason of `signal` if that is aborted first. The work itself goes on: others may
 * be waiting for it.
 */
export async function orAborted<Value>(
  work: Promise<Value>,
  signal: AbortSignal | undefined,
): Promise<Value> {
  if (signal === undefined) return work;
  let forget = () => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    forget = whenAborted(signal, () => reject(signal.reason));
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    forget();
  }
}
