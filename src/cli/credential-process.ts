/**
 * `credential-process`: one JSON object on standard output, as AWS SDKs and the AWS CLI read it ("Sourcing
 * credentials with an external process" in the AWS CLI user guide).
 */

import {
  type BrokerCredentials,
  credentialsUrl,
  requestCredentials,
  TokenBrokerError,
} from '../client/broker-client.ts';
import { cacheKey } from '../disk-cache/cache-key.ts';
import { type CachedCredentials, CredentialFolder } from '../disk-cache/credential-folder.ts';
import { type Clock, toRfc3339 } from '../kit/timing/clock.ts';
import type { CallerRequest } from './caller-options.ts';
import { callerToken, type IdentifiedCaller } from './caller-token.ts';
import { exitCodes, type Output } from './output.ts';
import { printable } from './printable.ts';

export interface CredentialProcessOptions {
  readonly request: CallerRequest;
  /** Undefined: nothing is kept. */
  readonly cacheDirectory: string | undefined;
  /** For a token, for the broker's answer, and for the wait for another process that asks already. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly output: Output;
}

/** Exit code: 0 with credentials on standard output; 1 with one line on standard error. */
export async function credentialProcess(options: CredentialProcessOptions): Promise<number> {
  const { cacheDirectory: path, clock, output } = options;
  const folder = path === undefined ? undefined : new CredentialFolder({ path, clock });
  try {
    const credentials = await obtain(options, folder);
    if (folder?.fault !== undefined) {
      output.err(printable(`The cache in ${path} is not used: ${folder.fault}`).concat('\n'));
    }
    output.out(`${JSON.stringify(printed(credentials))}\n`);
    return exitCodes.ok;
  } catch (error) {
    const message = error instanceof Error ? error.message : 'failed';
    output.err(`token-broker: ${printable(message)}\n`);
    return exitCodes.failed;
  }
}

function printed({ expiration, ...credentials }: BrokerCredentials) {
  return {
    Version: 1,
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    SessionToken: credentials.sessionToken,
    Expiration: toRfc3339(expiration.getTime()),
    AccountId: credentials.accountId,
  };
}

async function obtain(
  options: CredentialProcessOptions,
  folder: CredentialFolder | undefined,
): Promise<BrokerCredentials> {
  const { request, timeoutMs, clock } = options;
  const tokens = callerToken(request.identity, timeoutMs);
  try {
    const caller = await tokens.caller();
    if (folder === undefined) return await ask(options, caller);
    const { role, durationSeconds } = request;
    const url = credentialsUrl(request.broker).href;
    const key = cacheKey({ url, role, durationSeconds, identity: caller.identity });
    const cached = folder.read(key);
    if (cached !== undefined && isEnough(cached, clock)) return cached.credentials;
    const startedAt = clock.now();
    const release = await folder.lock(key, { waitMs: timeoutMs, holdMs: 3 * timeoutMs });
    try {
      return await renew({ options, caller, folder, key, startedAt });
    } finally {
      release?.();
    }
  } finally {
    tokens.stop();
  }
}

interface Renewal {
  readonly options: CredentialProcessOptions;
  readonly caller: IdentifiedCaller;
  readonly folder: CredentialFolder;
  readonly key: string;
  readonly startedAt: number;
}

async function renew({ options, caller, folder, key, startedAt }: Renewal) {
  const { clock } = options;
  const cached = folder.read(key);
  const usable =
    cached !== undefined && remainingMs(cached.credentials, clock) > leastMs ? cached : undefined;
  // Another process asked while this one waited: no matter how short the session is, there is none newer.
  if (usable !== undefined && (usable.obtainedAt >= startedAt || isEnough(usable, clock))) {
    return usable.credentials;
  }
  try {
    const credentials = await ask(options, caller);
    folder.write(key, credentials);
    return credentials;
  } catch (error) {
    if (error instanceof TokenBrokerError && error.denied) folder.remove(key);
    if (usable === undefined || !isRetryable(error)) throw error;
    return usable.credentials;
  }
}

async function ask(
  { request, timeoutMs, clock }: CredentialProcessOptions,
  caller: IdentifiedCaller,
): Promise<BrokerCredentials> {
  const { broker: url, role, durationSeconds } = request;
  const token = await caller.token();
  return requestCredentials({ url, role, durationSeconds, token, timeoutMs, clock });
}

function isRetryable(error: unknown): boolean {
  return (error as { retryable?: boolean }).retryable === true;
}

/** AWS SDKs ask again when less than 15 minutes are left, some with each call: what is given out has more. */
function isEnough({ credentials, obtainedAt }: CachedCredentials, clock: Clock): boolean {
  const lifeMs = credentials.expiration.getTime() - obtainedAt;
  return remainingMs(credentials, clock) >= Math.max(20 * 60_000, lifeMs / 3);
}

/** What is given out while the broker is away must outlast the call that it is for. */
const leastMs = 60_000;

function remainingMs({ expiration }: BrokerCredentials, clock: Clock): number {
  return expiration.getTime() - clock.now();
}
