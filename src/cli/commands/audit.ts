/** The command line of `token-broker audit …`. */

import { InvalidArgumentError } from 'commander';
import { auditFind } from '../audit-find.ts';
import { auditVerify } from '../audit-verify.ts';
import type { AddCommand } from './edge.ts';

export const addAuditCommands: AddCommand = (program, { output: { out }, finish }) => {
  const audit = program.command('audit').description('work with the audit log');
  audit
    .command('verify')
    .description('check the hash chain; name the first record that is altered, missing or moved')
    .requiredOption('--directory <dir>', 'folder of the audit log')
    .option('--expect-head <hash>', 'hash of a record noted earlier that must be there')
    .option(
      '--first-seq <number>',
      'number of the first record, if earlier files were archived',
      parseSeq,
    )
    .option('--json', 'print the result as JSON')
    .action(async (options: AuditVerifyArguments) => {
      finish(await auditVerify({ ...options, json: options.json ?? false, out }));
    });
  audit
    .command('find')
    .description('find records, such as those of one access key id')
    .requiredOption('--directory <dir>', 'folder of the audit log')
    .option('--access-key-id <id>', 'credentials that were handed out')
    .option('--request-id <id>', 'one request')
    .option('--subject <sub>', 'subject of the caller')
    .option('--client-id <id>', 'app client of the caller')
    .option('--role <arn>', 'role that was asked for or given')
    .option('--since <time>', 'not before this time (RFC 3339)')
    .option('--until <time>', 'not after this time (RFC 3339)')
    .option('--json', 'print one JSON object per line')
    .action(async (options: { directory: string; json?: boolean }) => {
      finish(await auditFind({ ...options, json: options.json ?? false, out }));
    });
};

interface AuditVerifyArguments {
  readonly directory: string;
  readonly expectHead?: string;
  readonly firstSeq?: number;
  readonly json?: boolean;
}

function parseSeq(text: string): number {
  const seq = Number(text);
  if (!/^[1-9]\d{0,15}$/.test(text)) throw new InvalidArgumentError('Use a whole number from 1.');
  return seq;
}
