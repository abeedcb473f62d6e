/** `agent`: runs the agent until it is told to stop. */

import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { startAgent } from '../agent/agent.ts';
import { readGivenFile } from '../kit/files/given-file.ts';
import { replaceFile } from '../kit/files/replace-file.ts';
import { ownUser, readStateFile } from '../kit/files/state-file.ts';
import { systemClock } from '../kit/timing/clock.ts';
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
  const authorizationFile = resolve(options.authorizationFile);
  const agent = await startAgent({
    ...{ broker, role, durationSeconds, tokens, port },
    clock: systemClock,
    logger,
  }).catch(async (error: unknown) => {
    tokens.stop();
    if (!(await isOurListener(port))) await rm(authorizationFile, { force: true });
    throw error;
  });
  try {
    // Only now that the port is ours. No line feed at the end: SDKs send the file as it is, and refuse to send that.
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
    // First: who takes the port next must not be shown what SDKs would still find.
    await removeOwn(authorizationFile, agent.authorization);
    await agent.stop();
  }
  logger.info('stopped');
  return exitCodes.ok;
}

/** Another agent may have written its own there since. */
async function removeOwn(file: string, authorization: string): Promise<void> {
  const found = await readStateFile(file, { maxBytes: 1024, secret: true }).catch(() => undefined);
  if (found?.toString() === authorization) await rm(file, { force: true });
}

/**
 * Whether the port is held by a process of this user, such as an agent that runs already: its authorization must
 * stay. If it is somebody else's, or nobody's, what lies there was left by a crash, and SDKs would send it to whoever
 * has the port. True where that cannot be known (no /proc/net/tcp).
 */
async function isOurListener(port: number): Promise<boolean> {
  const table = await readGivenFile('/proc/net/tcp', 16 * 1024 * 1024).catch(() => undefined);
  if (table === undefined) return true;
  const listening = new RegExp(
    `^ *\\d+: [0-9A-F]{8}:${port.toString(16).toUpperCase().padStart(4, '0')} [0-9A-F]{8}:0000 0A(?: \\S+){3} +(\\d+)`,
    'm',
  );
  return listening.exec(table.toString('latin1'))?.[1] === String(ownUser());
}
