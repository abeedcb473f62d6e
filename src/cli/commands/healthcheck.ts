/** The command line of `token-broker healthcheck`. */

import { healthcheck } from '../healthcheck.ts';
import type { AddCommand } from './edge.ts';

export const addHealthcheckCommand: AddCommand = (program, { output, finish }) => {
  program
    .command('healthcheck')
    .description('ask a probe; exit 0 if it says yes')
    .option('--url <url>', 'the probe', 'http://127.0.0.1:9090/livez')
    .action(async ({ url }: { url: string }) => finish(await healthcheck(url, output)));
};
