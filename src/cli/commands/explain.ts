/** The command line of `token-broker explain`. */

import { type Command, InvalidArgumentError } from 'commander';
import { explainCommand } from '../explain.ts';
import type { Edge } from './edge.ts';

interface ExplainArguments {
  readonly url: string;
  readonly adminTokenFile: string;
  readonly tokenFile: string;
  readonly role?: string;
  readonly duration?: number;
  readonly sourceIp?: string;
  readonly json?: boolean;
}

export function addExplainCommand(program: Command, { output, finish }: Edge): void {
  program
    .command('explain')
    .description('ask a broker what it would decide for the holder of a token, and why')
    .requiredOption('--url <url>', 'admin listener of the broker')
    .requiredOption('--admin-token-file <file>', 'token of an administrator (read scope)')
    .requiredOption('--token-file <file>', 'token of the caller in question')
    .option('--role <role>', 'id of a mapping or ARN of a role; default: the only one allowed')
    .option('--duration <seconds>', 'lifetime that the caller asks for', parseSeconds)
    .option('--source-ip <address>', 'address of the caller; default: of this machine')
    .option('--json', 'print the explanation as JSON')
    .addHelpText(
      'after',
      `
Examples:
  token-broker explain --url http://127.0.0.1:8081 --admin-token-file admin.jwt --token-file orders.jwt
  token-broker explain --url … --admin-token-file … --token-file … --role orders-writer --json

Exit codes: 0 it would be allowed, 1 it would not or nobody can say, 2 wrong usage.`,
    )
    .action(async (options: ExplainArguments) => {
      const { url, adminTokenFile, tokenFile, role, duration, sourceIp, json = false } = options;
      const question = { url, adminTokenFile, tokenFile, role, sourceIp, json, output };
      finish(await explainCommand({ ...question, durationSeconds: duration }));
    });
}

function parseSeconds(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('Use a whole number of seconds.');
  return Number(text);
}
