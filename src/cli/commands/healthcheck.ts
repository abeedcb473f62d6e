/** `token-broker healthcheck`: asks a probe and says so by its exit code, for images that have no shell and no curl. */

import { boundedFetch } from '../../kit/net/bounded-fetch.ts';
import { systemClock } from '../../kit/timing/clock.ts';
import { type AddCommand, helpText } from '../edge.ts';
import { exitCodes, type Output, refuse } from '../output.ts';

export const addHealthcheckCommand: AddCommand = (program, { output, finish }) => {
  program
    .command('healthcheck')
    .description('ask a probe; exit 0 if it says yes')
    .option('--url <url>', 'the probe', 'http://127.0.0.1:9090/livez')
    .addHelpText(
      'after',
      helpText(
        ['token-broker healthcheck', 'token-broker healthcheck --url http://127.0.0.1:9090/readyz'],
        '0 it says yes, 1 it says no, or nothing; 2 wrong usage',
      ),
    )
    .action(async ({ url }: { url: string }) => finish(await healthcheck(url, output)));
};

async function healthcheck(url: string, output: Output): Promise<number> {
  const limits = { clock: systemClock, timeoutMs: 3_000, maxBytes: 64 * 1024 };
  try {
    const { status } = await boundedFetch(url, limits);
    if (status >= 200 && status < 300) return exitCodes.ok;
    return refuse(output, `${url} answers ${status}`);
  } catch {
    return refuse(output, `${url} does not answer`);
  }
}
