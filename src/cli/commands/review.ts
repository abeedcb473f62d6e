/** The command line of `token-broker review`. */

import { defaultGuardrails } from '../../core/policy/guardrails.ts';
import { systemClock } from '../../kit/timing/clock.ts';
import { addConnectionOptions, type ConnectionOptions, connect } from '../admin/admin-command.ts';
import { proposeOff } from '../admin/mappings/propose-off.ts';
import { Withheld } from '../admin/withheld.ts';
import type { AddCommand, ProcessEdge } from '../edge.ts';
import { type ReviewOptions, review } from '../review.ts';

export const addReviewCommand: AddCommand = (program, edge) => {
  const command = program
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
    .option('--trail <dir...>', 'folders with the files of CloudTrail: say what was called', [])
    .option('--write <dir>', 'new folder for the unused ones, switched off')
    .option('--json', 'print one JSON object per role mapping')
    .option('--propose', 'ask a second administrator to switch the unused ones off')
    .option('--reason <text>', 'of the proposals', 'access review: not used');
  addConnectionOptions(command)
    .addHelpText('after', help)
    .action(async ({ matchableClaim, write, json = false, ...options }: ReviewArguments) => {
      const matchableClaims = new Set(matchableClaim);
      const rules = { matchableClaims, guardrails: defaultGuardrails, pools: undefined };
      const now = systemClock.now();
      const withheld = new Withheld();
      const output = withheld.output(edge.output);
      const propose = options.propose === true ? proposing(options, withheld, edge) : undefined;
      edge.finish(await review({ ...options, write, json, propose, rules, now, output }));
    });
};

function proposing(
  options: ConnectionOptions & Pick<ReviewArguments, 'reason'>,
  withheld: Withheld,
  { env }: Pick<ProcessEdge, 'env'>,
): ReviewOptions['propose'] {
  const { reason } = options;
  return (unused) => {
    const api = connect(options, { env, withheld }, systemClock);
    return proposeOff(unused, { api, reason });
  };
}

interface ReviewArguments extends ConnectionOptions {
  readonly unused: string;
  readonly audit: readonly string[];
  readonly mappings: string;
  readonly matchableClaim: readonly string[];
  readonly trail: readonly string[];
  readonly write?: string;
  readonly json?: boolean;
  readonly propose?: boolean;
  readonly reason: string;
}

const help = `
Examples:
  token-broker review --unused 90d --audit /mnt/audit --mappings mappings/
  token-broker review --unused 90d --audit /mnt/audit archive/ --mappings mappings/ --write unused/
  token-broker review --unused 90d --audit /mnt/audit --mappings mappings/ --trail AWSLogs/
  token-broker review --unused 90d --audit /mnt/audit --mappings mappings/ --propose --reason 'access review 2026-Q1'

Exit codes: 0 all are used, 2 some are not, or wrong usage, 1 that cannot be told, or not all could be proposed.`;
