/** `token-broker agent`: runs the agent until it is told to stop. */

import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { type Agent, startAgent } from '../../agent/agent.ts';
import { callerVariables } from '../../config/caller-variables.ts';
import { readGivenFile } from '../../kit/files/given-file.ts';
import { replaceFile } from '../../kit/files/replace-file.ts';
import { ownUser, readStateFile } from '../../kit/files/state-file.ts';
import { systemClock } from '../../kit/timing/clock.ts';
import { createLogger } from '../../telemetry/logger.ts';
import type { CallerRequest } from '../caller-options.ts';
import { addCallerOptions, type CallerArguments, readCallerArguments } from '../caller-options.ts';
import { callerToken } from '../caller-token.ts';
import { type ProcessEdge, parsePort } from '../edge.ts';
import { exitCodes } from '../output.ts';

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

Examples:
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
      edge.finish(await runAgent({ request, port, authorizationFile, readyFile, stopRequested }));
    });
}

interface AgentOptions {
  readonly request: CallerRequest;
  readonly port: number;
  /** Gets what requests must carry as their Authorization header. */
  readonly authorizationFile: string;
  /** Gets the environment variables of SDKs, once it answers; those for older SDKs hold the authorization itself. */
  readonly readyFile: string | undefined;
  readonly stopRequested: Promise<string>;
}

async function runAgent(options: AgentOptions): Promise<number> {
  const { request, port, readyFile, stopRequested } = options;
  const { broker, role, durationSeconds, identity } = request;
  const logger = createLogger({ level: 'info' });
  const tokens = callerToken(identity);
  const authorizationFile = resolve(options.authorizationFile);
  let ready: string | undefined;
  const agent = await startAgent({
    ...{ broker, role, durationSeconds, tokens, port },
    clock: systemClock,
    logger,
  }).catch(async (error: unknown) => {
    tokens.stop();
    if (!(await isOurListener(port))) {
      await rm(authorizationFile, { force: true });
      if (readyFile !== undefined) await rm(resolve(readyFile), { force: true });
    }
    throw error;
  });
  try {
    // Only now that the port is ours. No line feed at the end: SDKs send the file as it is, and refuse to send that.
    await replaceFile(authorizationFile, agent.authorization);
    if (readyFile !== undefined) {
      ready = `${JSON.stringify(readyDocument(agent, authorizationFile))}\n`;
      await replaceFile(resolve(readyFile), ready);
    }
    logger.info({ url: agent.credentialsUrl, authorizationFile, broker }, 'serving');
    logger.info({ signal: await stopRequested }, 'stopping');
  } finally {
    tokens.stop();
    // First: who takes the port next must not be shown what SDKs would still find.
    await removeOwn(authorizationFile, agent.authorization);
    if (readyFile !== undefined && ready !== undefined) await removeOwn(resolve(readyFile), ready);
    await agent.stop();
  }
  logger.info('stopped');
  return exitCodes.ok;
}

function readyDocument({ credentialsUrl, authorization }: Agent, authorizationFile: string) {
  const uri = { AWS_CONTAINER_CREDENTIALS_FULL_URI: credentialsUrl };
  return {
    url: new URL(credentialsUrl).origin,
    env: { ...uri, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: authorizationFile },
    envForOlderSdks: { ...uri, AWS_CONTAINER_AUTHORIZATION_TOKEN: authorization },
  };
}

/** Another agent may have written its own there since. */
async function removeOwn(file: string, content: string): Promise<void> {
  const limits = { maxBytes: 16 * 1024, secret: true };
  const found = await readStateFile(file, limits).catch(() => undefined);
  if (found?.toString() === content) await rm(file, { force: true });
}

/**
 * Whether the port is held by a process of this user, such as an agent that runs already: its files must stay. If it is
 * somebody else's, or nobody's, what lies there was left by a crash, and SDKs would send it to whoever has the port. True
 * where that cannot be known (no /proc/net/tcp).
 */
async function isOurListener(port: number): Promise<boolean> {
  const table = await readGivenFile('/proc/net/tcp', 16 * 1024 * 1024).catch(() => undefined);
  if (table === undefined) return true;
  // Not by the port alone: others may listen on it at one of the many other addresses of loopback.
  const listening = new RegExp(
    `^ *\\d+: (?:0100007F|7F000001|00000000):${port.toString(16).toUpperCase().padStart(4, '0')} [0-9A-F]{8}:0000 0A(?: \\S+){3} +(\\d+)`,
    'm',
  );
  return listening.exec(table.toString('latin1'))?.[1] === String(ownUser());
}
