/** `agent`: runs the agent until it is told to stop. */

import { resolve } from 'node:path';
import { startAgent } from '../agent/agent.ts';
import { systemClock } from '../core/clock.ts';
import { replaceFile } from '../kit/files/replace-file.ts';
import { createLogger } from '../telemetry/logger.ts';
import type { CallerRequest } from './caller-options.ts';
import { callerToken } from './caller-token.ts';
import { exitCodes } from './output.ts';

export interface AgentCommandOptions {
  readonly request: CallerRequest;
  readonly port: number;
  /** Gets what requests must carry as their Authorization header. */
  readonly authorizationFile: string;
  readonly readyFile: string | undefined;
  readonly stopRequested: Promise<string>;
}

export async function agentCommand(options: AgentCommandOptions): Promise<number> {
  const { request, port, readyFile, stopRequested } = options;
  const { broker, role, durationSeconds, identity } = request;
  const logger = createLogger({ level: 'info' });
  const tokens = callerToken(identity);
  const agent = await startAgent({
    ...{ broker, role, durationSeconds, tokens, port },
    clock: systemClock,
    logger,
  });
  try {
    const authorizationFile = resolve(options.authorizationFile);
    // No line feed at the end: SDKs send the file as it is, and refuse to send that.
    await replaceFile(authorizationFile, agent.authorization);
    if (readyFile !== undefined) {
      const env = {
        AWS_CONTAINER_CREDENTIALS_FULL_URI: agent.credentialsUrl,
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: authorizationFile,
      };
      const url = new URL(agent.credentialsUrl).origin;
      await replaceFile(resolve(readyFile), `${JSON.stringify({ url, env })}\n`);
    }
    logger.info({ url: agent.credentialsUrl, authorizationFile, broker }, 'serving');
    logger.info({ signal: await stopRequested }, 'stopping');
  } finally {
    tokens.stop();
    await agent.stop();
  }
  logger.info('stopped');
  return exitCodes.ok;
}
