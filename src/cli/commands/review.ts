/** The command line of `token-broker review`. */

import { defaultGuardrails } from '../../core/policy/guardrails.ts';
import { systemClock } from '../../kit/timing/clock.ts';
import { review } from '../review.ts';
import type { AddCommand } from './edge.ts';

export const addReviewCommand: AddCommand = (program, { output, finish }) => {
  program
    .command('review')
    .description('say which role mappings nobody has used, and write what switches them off')
    .requiredOption('--unused <duration>', 'for how long, such as 90d')
    .requiredOption('--audit <dir...>', 'folders with the audit logs of all brokers')
    .requiredOption('--mappings <dir>', 'folder with the role mappings as files')
    .option(
      '--matchable-claim <name...>',
      'claims that mappings may use, as the configuration has them',
      [],
    )
    .option('--write <dir>', 'new folder for the unused ones, switched off')
    .option('--json', 'print one JSON object per role mapping')
    .addHelpText('after', help)
    .action(async ({ matchableClaim, write, json = false, ...options }: ReviewArguments) => {
      const matchableClaims = new Set(matchableClaim);
      const rules = { matchableClaims, guardrails: defaultGuardrails, pools: undefined };
      const now = systemClock.now();
      finish(await review({ ...options, write, json, rules, now, output }));
    });
};

interface ReviewArguments {
  readonly unused: string;
  readonly audit: readonly string[];
  readonly mappings: string;
  readonly matchableClaim: readonly string[];
  readonly write?: string;
  readonly json?: boolean;
}

const help = `
Examples:
  token-broker review --unused 90d --audit /mnt/audit --mappings mappings/
  token-broker review --unused 90d --audit /mnt/audit archive/ --mappings mappings/ --write unused/

Exit codes: 0 all are used, 2 some are not, or wrong usage, 1 that cannot be told.`;
