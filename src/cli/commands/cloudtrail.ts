/** The command line of `token-broker cloudtrail …`. */

import { CommanderError } from 'commander';
import { cloudTrailCheck } from '../cloudtrail-check.ts';
import { exitCodes } from '../output.ts';
import { type AddCommand, commandErrors } from './edge.ts';

export const addCloudTrailCommands: AddCommand = (program, { output, terminal, finish }) => {
  const cloudtrail = program
    .command('cloudtrail')
    .description('hold what AWS has recorded against what the brokers have (docs/auditors.md)');
  cloudtrail
    .command('check')
    .description(
      'name sessions of the brokers’ roles that no broker made, and what else does not fit',
    )
    .requiredOption('--audit <dir...>', 'folders with the audit logs of all brokers')
    .requiredOption('--trail <dir...>', 'folders with the files that CloudTrail has delivered')
    .option('--role <arn...>', 'further roles that only brokers may give', [])
    .option('--audit-until <time>', 'when the logs were copied (default: their newest record)')
    .option('--unused', 'also name sessions that nobody has called anything with')
    .addHelpText('after', help)
    .exitOverride((error) => {
      if (error.exitCode === 0) throw error;
      throw new CommanderError(exitCodes.failed, commandErrors.usageAsFailure, error.message);
    })
    .action(async (options: CheckArguments) => {
      const { auditUntil, unused = false } = options;
      finish(await cloudTrailCheck({ ...options, auditUntil, unused, output, terminal }));
    });
};

interface CheckArguments {
  readonly audit: readonly string[];
  readonly trail: readonly string[];
  readonly role: readonly string[];
  readonly auditUntil?: string;
  readonly unused?: boolean;
}

const help = `
Examples:
  token-broker cloudtrail check --audit /mnt/audit --trail AWSLogs/
  token-broker cloudtrail check --audit /mnt/audit archive/ --trail AWSLogs/ --unused

Prints one JSON object per line: findings, and a summary at the end.
Exit codes: 0 nothing found, 2 findings, 1 it could not be checked or wrong usage.`;
