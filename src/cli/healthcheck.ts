/** `healthcheck`: asks a probe and says so by its exit code, for images that have no shell and no curl. */

import { boundedFetch } from '../kit/net/bounded-fetch.ts';
import { systemClock } from '../kit/timing/clock.ts';
import { exitCodes, type Output } from './output.ts';

export async function healthcheck(url: string, output: Output): Promise<number> {
  const limits = { clock: systemClock, timeoutMs: 3_000, maxBytes: 64 * 1024 };
  try {
    const { status } = await boundedFetch(url, limits);
    if (status >= 200 && status < 300) return exitCodes.ok;
    output.err(`${url} answers ${status}\n`);
  } catch {
    output.err(`${url} does not answer\n`);
  }
  return exitCodes.failed;
}
