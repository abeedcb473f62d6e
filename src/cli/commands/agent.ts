/** The command line of `token-broker agent`. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { callerVariables } from '../../config/caller-variables.ts';
import { agentCommand } from '../agent.ts';
import { addCallerOptions, type CallerArguments, readCallerArguments } from '../caller-options.ts';
import type { ProcessEdge } from './edge.ts';

interface AgentArguments extends CallerArguments {
  readonly port: number;
  readonly authorizationFile: string;
  readonly readyFile?: string;
}

export function addAgentCommand(program: Command, edge: ProcessEdge): void {
  const command = program
    .command('agent')
    .description('keep session credentials fresh and serve them to AWS SDKs on 127.0.0.1');
  addCallerOptions(command)
    .option('--port <number>', 'on 127.0.0.1; 0 takes a free one', parsePort, 0)
    .addOption(
      new Option('--authorization-file <file>', 'is written; SDKs need it to be let in')
        .env(callerVariables.authorizationFile)
        .makeOptionMandatory(),
    )
    .option(
      '--ready-file <file>',
      'write URL and environment variables here, as JSON, once it answers; removed at the end',
    )
    .addHelpText(
      'after',
      `
With --role it serves that role only; without, the one that is asked for, such as /v1/credentials/orders-writer.

Example:
  token-broker agent --broker https://broker.example.com --role orders-writer --port 9911 \\
    --token-endpoint https://example.auth.us-east-1.amazoncognito.com/oauth2/token \\
    --client-id 4abc0exampleclientid --client-secret-file /etc/orders/client-secret \\
    --authorization-file /run/orders/authorization
  export AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:9911/v1/credentials
  export AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/run/orders/authorization

SDKs that do not know the last variable (boto3 1.26, rclone 1.60, restic 0.14) take what is in the file, instead:
  export AWS_CONTAINER_AUTHORIZATION_TOKEN="$(cat /run/orders/authorization)"

Exit codes: 0 it was told to stop, 1 it could not start, 2 wrong usage.`,
    )
    .action(async (args: AgentArguments) => {
      const request = readCallerArguments(command, args);
      const { port, authorizationFile, readyFile } = args;
      if (authorizationFile === '') command.error('error: --authorization-file names no file');
      const stopRequested = edge.stopRequested();
      edge.finish(
        await agentCommand({ request, port, authorizationFile, readyFile, stopRequested }),
      );
    });
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError('Use 0 to 65535.');
  return port;
}
