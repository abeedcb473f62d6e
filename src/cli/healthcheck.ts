/** `healthcheck`: asks a probe and says so by its exit code, for images that have no shell and no curl. */

import { systemClock } from '../kit/timing/clock.ts';
import { exitCodes, type Output } from './output.ts';

const timeoutMs = 3_000;

export async function healthcheck(url: string, output: Output): Promise<number> {
  const deadline = systemClock.deadline(timeoutMs);
  try {
    const response = await fetch(url, {
      signal: deadline.signal,
      redirect: 'error',
    });
    await response.body?.cancel();
    if (response.ok) return exitCodes.ok;
    output.err(`${url} answers ${response.status}\n`);
  } catch {
    output.err(`${url} does not answer\n`);
  } finally {
    deadline.release();
  }
  return exitCodes.failed;
}
