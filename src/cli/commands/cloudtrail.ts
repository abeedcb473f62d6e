/** The command line of `token-broker cloudtrail …`. */

import { type Command, InvalidArgumentError } from 'commander';
import { systemClock } from '../../kit/timing/clock.ts';
import { duration } from '../audit-search.ts';
import type { BucketAccess } from '../bucket-places.ts';
import { cloudTrailCheck } from '../cloudtrail-check.ts';
import { type AddCommand, parsePort, usageFails } from '../edge.ts';

export const addCloudTrailCommands: AddCommand = (
  program,
  { output, terminal, finish, stopRequested },
) => {
  const cloudtrail = program
    .command('cloudtrail')
    .description('hold what AWS has recorded against what the brokers have (docs/auditors.md)');
  const check = cloudtrail
    .command('check')
    .description(
      'name sessions of the brokers’ roles that no broker made, and what else does not fit',
    )
    .requiredOption('--audit <dir...>', 'folders with the audit logs of all brokers')
    .requiredOption('--trail <dir...>', 'folders with the files that CloudTrail has delivered')
    .option('--role <arn...>', 'further roles that only brokers may give', [])
    .option('--mappings <dir>', 'folder with role mappings as files: their roles as well')
    .option('--audit-until <time>', 'when the logs were copied (default: their newest record)');
  addBucketOptions(usageFails(check))
    .option('--unused', 'also name sessions that nobody has called anything with')
    .addHelpText('after', help)
    .action(async (options: CheckArguments) => {
      const { auditUntil, unused = false } = options;
      const buckets = bucketAccess(options);
      const about = { ...options, auditUntil, unused, buckets, clock: systemClock };
      finish(await cloudTrailCheck({ ...about, output, terminal }));
    });
  const watch = cloudtrail
    .command('watch')
    .description('follow a trail, and tell Prometheus of what no broker has recorded')
    .requiredOption('--audit <dir...>', 'folders with the audit logs of all brokers')
    .requiredOption('--trail <dir...>', 'folders that the files of CloudTrail come into')
    .option('--queue <url>', 'SQS queue whose messages name what is new in s3:// trails')
    .requiredOption('--state <file>', 'file that keeps what was seen and found over restarts')
    .option('--role <arn...>', 'further roles that only brokers may give', [])
    .option('--mappings <dir>', 'folder with role mappings as files: their roles as well')
    .option('--every <duration>', 'how often to look', parseDuration, 5 * 60_000)
    .option(
      '--audit-lag <duration>',
      'how old the logs may be where they are copies',
      parseDuration,
      15 * 60_000,
    )
    .option('--host <address>', 'address of the metrics', '127.0.0.1')
    .option('--port <number>', 'port of the metrics', parsePort, 9465);
  addBucketOptions(watch)
    .addHelpText('after', watchHelp)
    .action(async (options: WatchArguments) => {
      const { state: stateFile, every: everyMs, auditLag: auditLagMs, queue } = options;
      // Metrics, a logger and an HTTP server: nothing that a check needs.
      const { cloudTrailWatch } = await import('../cloudtrail-watch.ts');
      const { createLogger } = await import('../../telemetry/logger.ts');
      const logger = createLogger({ level: 'info' });
      finish(
        await cloudTrailWatch({
          ...options,
          ...{ stateFile, everyMs, auditLagMs, queue, logger, output },
          buckets: bucketAccess(options),
          clock: systemClock,
          stopRequested: stopRequested(),
        }),
      );
    });
};

function addBucketOptions(command: Command): Command {
  return command
    .option('--region <region>', 'of the buckets, where logs or trails are s3://bucket/prefix')
    .option('--s3-endpoint <url>', 'S3 endpoint, where it is not that of the Region')
    .option('--bucket-owner <account>', 'account that must own the buckets');
}

function parseDuration(text: string): number {
  const ms = duration(text);
  if (Number.isNaN(ms)) throw new InvalidArgumentError('Use a number with s, m or h, such as 5m.');
  return ms;
}

interface WatchArguments extends BucketArguments {
  readonly audit: readonly string[];
  readonly trail: readonly string[];
  readonly queue?: string;
  readonly role: readonly string[];
  readonly mappings?: string;
  readonly state: string;
  readonly every: number;
  readonly auditLag: number;
  readonly host: string;
  readonly port: number;
}

interface BucketArguments {
  readonly region?: string;
  readonly s3Endpoint?: string;
  readonly bucketOwner?: string;
}

function bucketAccess({ region, s3Endpoint, bucketOwner }: BucketArguments): BucketAccess {
  return { region, endpoint: s3Endpoint, bucketOwner };
}

interface CheckArguments extends BucketArguments {
  readonly audit: readonly string[];
  readonly trail: readonly string[];
  readonly role: readonly string[];
  readonly mappings?: string;
  readonly auditUntil?: string;
  readonly unused?: boolean;
}

const watchHelp = `
Examples:
  token-broker cloudtrail watch --audit /mnt/audit --trail /mnt/AWSLogs --state /var/lib/token-broker/trail.json
  token-broker cloudtrail watch --audit /mnt/audit --trail s3://org-trail/AWSLogs/ --region eu-central-1 --state trail.json --host 0.0.0.0
  token-broker cloudtrail watch --audit /mnt/audit --trail s3://org-trail/AWSLogs/ --region eu-central-1 --queue https://sqs.eu-central-1.amazonaws.com/123456789012/trail --state trail.json

Prints each finding as a JSON object on one line. Runs until it is told to stop; exit code 0 then, 1 if it cannot start.`;

const help = `
Examples:
  token-broker cloudtrail check --audit /mnt/audit --trail AWSLogs/
  token-broker cloudtrail check --audit /mnt/audit archive/ --trail AWSLogs/ --unused
  token-broker cloudtrail check --audit s3://audit-copies/logs/ --trail s3://org-trail/AWSLogs/ --region eu-central-1

Prints one JSON object per line: findings, and a summary at the end.
Exit codes: 0 nothing found, 2 findings, 1 it could not be checked or wrong usage.`;
