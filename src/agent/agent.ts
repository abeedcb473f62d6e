/** The agent: credentials of a broker, kept fresh and served to AWS SDKs of this machine or pod over loopback. */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LRUCache } from 'lru-cache';
import {
  type BrokerCredentials,
  requestCredentials,
  TokenBrokerError,
} from '../client/broker-client.ts';
import { type TokenSource, withToken } from '../client/token-source.ts';
import type { Clock } from '../kit/timing/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import { readTarget, refusals, requestGate } from './agent-request.ts';
import {
  type AgentError,
  agentErrorOf,
  sendAgentError,
  sendCredentials,
} from './container-answer.ts';
import { CredentialKeeper } from './credential-keeper.ts';
import { limitStrangers } from './strangers.ts';

export interface AgentOptions {
  /** Of the broker's api listener. */
  readonly broker: string;
  /** The only role that is served; undefined: whichever is asked for. */
  readonly role: string | undefined;
  readonly durationSeconds: number | undefined;
  readonly tokens: TokenSource;
  /** 0 takes a free one. */
  readonly port: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Agent {
  /** What AWS_CONTAINER_CREDENTIALS_FULL_URI should say. */
  readonly credentialsUrl: string;
  /** The whole Authorization header that requests must carry. */
  readonly authorization: string;
  stop(): Promise<void>;
}

/** Resolves once it listens, whether or not the broker answers. @throws the error of the port */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { logger, role } = options;
  const authorization = `Bearer ${randomBytes(32).toString('base64url')}`;
  const keepers = new LRUCache<string, CredentialKeeper, undefined>({
    max: maxRoles,
    memoMethod: (name) => keeperOf(name, options),
    dispose: (keeper) => keeper.stop(),
  });
  const server = createServer(limits);
  server.maxConnections = maxConnections;
  const strangers = limitStrangers(server, options.clock);
  const port = await listen(server, options.port);
  const gate = requestGate(port, authorization);
  server.on('request', (req, res) => {
    const refusal = gate(req);
    if (refusal !== undefined) {
      res.setHeader('Connection', 'close');
      sendAgentError(res, refusal);
      return;
    }
    strangers.knows(req.socket);
    answerTo(req, { role, keepers }).then(
      (answer) => ('status' in answer ? sendAgentError(res, answer) : sendCredentials(res, answer)),
      (error: unknown) => {
        logger.error({ err: error }, 'request failed');
        res.destroy();
      },
    );
  });
  // Before anybody asks.
  if (role !== undefined) keepers.memo(role).start();
  return {
    credentialsUrl: `http://${host}:${port}/v1/credentials`,
    authorization,
    async stop() {
      keepers.clear();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Never anything else: credentials must not be one secret away from the network. */
const host = '127.0.0.1';
/** Far more than strangers can hold for longer than a moment. */
const maxConnections = 2_048;
const maxRoles = 100;
/** Java gives up after a second. */
const longestWaitMs = 800;
const limits = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 2_000,
  requestTimeout: 2_000,
  // Node looks for those that are too slow every 30 s otherwise.
  connectionsCheckingInterval: 1_000,
};

async function listen(server: Server, port: number): Promise<number> {
  server.listen({ host, port });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

interface Lookup {
  readonly role: string | undefined;
  /** By role; the empty text stands for the only role that the caller is allowed. */
  readonly keepers: LRUCache<string, CredentialKeeper, undefined>;
}

async function answerTo(
  req: IncomingMessage,
  { role, keepers }: Lookup,
): Promise<AgentError | BrokerCredentials> {
  const target = readTarget(req.url ?? '');
  if ('status' in target) return target;
  if (role !== undefined && target.role !== undefined && target.role !== role) {
    return refusals.otherRole;
  }
  const kept = await keepers.memo(role ?? target.role ?? '').get(longestWaitMs);
  return kept.kind === 'credentials' ? kept.credentials : agentErrorOf(kept.error);
}

function keeperOf(
  name: string,
  { broker: url, durationSeconds, tokens: source, clock, logger }: AgentOptions,
): CredentialKeeper {
  const role = name === '' ? undefined : name;
  const ask = (signal: AbortSignal) =>
    withToken({
      source,
      signal,
      use: (token) => requestCredentials({ url, role, durationSeconds, token, signal, clock }),
      isRefusal: (error) => error instanceof TokenBrokerError && error.status === 401,
    });
  return new CredentialKeeper({ ask, clock, logger: logger.child({ role }) });
}
