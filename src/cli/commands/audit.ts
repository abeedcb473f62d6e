/** The command line of `token-broker audit …`. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { systemClock } from '../../kit/timing/clock.ts';
import { auditExport, type ExportFormat, exportFormats } from '../audit-export.ts';
import { auditFind } from '../audit-find.ts';
import type { AuditSearchOptions } from '../audit-search.ts';
import { type AuditVerifyOptions, auditVerify } from '../audit-verify.ts';
import type { AddCommand } from '../edge.ts';

export const addAuditCommands: AddCommand = (program, { output, finish }) => {
  const { out } = output;
  const audit = program.command('audit').description('work with the audit log');
  audit
    .command('verify')
    .description('check the hash chain; name the first record that is altered, missing or moved')
    .requiredOption('--directory <dir...>', 'folders of audit logs, or folders of such folders')
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
    .action(async (options: VerifyArguments) => {
      finish(await auditVerify({ ...options, json: options.json ?? false, out }));
    });
  searching(audit.command('find'))
    .description('find records, such as those of one access key id')
    .option('--json', 'print one JSON object per line')
    .addHelpText('after', findHelp)
    .action(async (options: SearchArguments & { json?: boolean }) => {
      finish(
        await auditFind({ ...options, now: systemClock.now(), json: options.json ?? false, out }),
      );
    });
  searching(audit.command('export'))
    .description('print records as other systems read them')
    .addOption(
      new Option('--format <format>', 'form of the records')
        .choices(exportFormats)
        .makeOptionMandatory(),
    )
    .addHelpText('after', exportHelp)
    .action(async (options: SearchArguments & { format: ExportFormat }) => {
      finish(await auditExport({ ...options, now: systemClock.now(), output }));
    });
};

/** What records are asked for by. */
function searching(command: Command): Command {
  return command
    .requiredOption('--directory <dir...>', 'folders of audit logs, or folders of such folders')
    .option('--access-key-id <id>', 'credentials that were handed out')
    .option('--request-id <id>', 'one request')
    .option('--trace-id <id>', 'requests that were said to belong to this trace')
    .option('--subject <sub>', 'subject of the caller')
    .option('--client-id <id>', 'app client of the caller')
    .option('--user <sub>', 'a person, by subject, or by name or address where records have those')
    .option('--role <arn>', 'role that was asked for or given: its ARN, or its name')
    .option('--mapping <id>', 'role mapping that decided, or was edited')
    .option('--type <type>', 'kind of record, such as exchange or mapping_change')
    .option('--outcome <outcome>', 'such as issued, denied, authorized, refused')
    .option('--reason <reason>', 'why it was refused: a reason, or the code of an error')
    .option('--source-ip <address>', 'address of the client, or a block such as 10.0.0.0/8')
    .option('--since <time>', 'not before this time (RFC 3339), or this date')
    .option('--until <time>', 'not after this time, or the end of this date')
    .option('--last <duration>', 'instead of --since: 30m, 24h, 7d')
    .option('--limit <number>', 'stop after so many', parseCount);
}

type SearchArguments = Omit<AuditSearchOptions, 'now'>;

type VerifyArguments = Omit<AuditVerifyOptions, 'json' | 'out'> & { readonly json?: boolean };

const verifyHelp = `
Examples:
  token-broker audit verify --directory /var/log/token-broker
  token-broker audit verify --directory /var/log/token-broker --expect-head 9f86d081…
  token-broker audit verify --directory /var/log/token-broker --checkpoint kept-elsewhere/ --key audit-key.pem
  token-broker audit verify --directory archive/ --first-seq 41022
  token-broker audit verify --directory collected.log --collected

Exit codes: 0 intact, 1 broken, 2 unreadable or wrong usage.`;

const findHelp = `
Examples:
  token-broker audit find --directory /var/log/token-broker --access-key-id ASIAEXAMPLE
  token-broker audit find --directory /mnt/audit --user 5f2c9d0e-0000-4000-8000-0123456789ab --last 7d
  token-broker audit find --directory /mnt/audit archive/ --type mapping_change --since 2026-01-01 --until 2026-03-31

Exit codes: 0 found, 1 nothing matches, 2 there is no log to read, or wrong usage.`;

const exportHelp = `
Examples:
  token-broker audit export --directory /mnt/audit --format ocsf --last 24h
  token-broker audit export --directory /mnt/audit --format csv --outcome issued --since 2026-01-01 > issued.csv

Exit codes: 0 done, 2 there is no log to read, or wrong usage.`;

function parseSeq(text: string): number {
  const seq = Number(text);
  if (!/^[1-9]\d{0,15}$/.test(text)) throw new InvalidArgumentError('Use a whole number from 1.');
  return seq;
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('Use a whole number from 1.');
  return Number(text);
}
