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
    .option('--checkpoint <path>', 'checkpoint that the log must bear out, or folder of them')
    .option('--key <file>', 'public key (PEM) that the checkpoints are signed by')
    .option(
      '--collected',
      'it is what a collector kept of standard output: each process begins a chain of its own',
    )
    .option('--json', 'print the result as JSON')
    .addHelpText('after', verifyHelp)
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
  readonly checkpoint?: string;
  readonly key?: string;
  readonly collected?: boolean;
  readonly json?: boolean;
}

const verifyHelp = `
Examples:
  token-broker audit verify --directory /var/log/token-broker
  token-broker audit verify --directory /var/log/token-broker --expect-head 9f86d081…
  token-broker audit verify --directory /var/log/token-broker --checkpoint kept-elsewhere/ --key audit-key.pem
  token-broker audit verify --directory archive/ --first-seq 41022
  token-broker audit verify --directory collected.log --collected

Exit codes: 0 intact, 1 broken, 2 unreadable or wrong usage.`;

function parseSeq(text: string): number {
  const seq = Number(text);
  if (!/^[1-9]\d{0,15}$/.test(text)) throw new InvalidArgumentError('Use a whole number from 1.');
  return seq;
}
