/** Credentials that the processes of one user share: from the folder on disk, or asked for by one of them. */

import {
  type BrokerCredentials,
  credentialsUrl,
  requestCredentials,
  TokenBrokerError,
} from '../client/broker-client.ts';
import { cacheKey } from '../disk-cache/cache-key.ts';
import type { CachedCredentials, CredentialFolder } from '../disk-cache/credential-folder.ts';
import type { Clock } from '../kit/timing/clock.ts';
import type { CallerRequest } from './caller-options.ts';
import { callerToken, type IdentifiedCaller } from './caller-token.ts';

export interface SharedCredentialsOptions {
  readonly request: CallerRequest;
  /** For a token, for the broker's answer, and for the wait for another process that asks already. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** `folder`: undefined where nothing is kept. @throws Error that says why there are none */
export async function sharedCredentials(
  options: SharedCredentialsOptions,
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
  readonly options: SharedCredentialsOptions;
  readonly caller: IdentifiedCaller;
  readonly folder: CredentialFolder;
  readonly key: string;
  readonly startedAt: number;
}

async function renew({ options, caller, folder, key, startedAt }: Renewal) {
  const { clock } = options;
  const kept = () => {
    const cached = folder.read(key);
    return cached && remainingMs(cached.credentials, clock) > leastMs ? cached : undefined;
  };
  const usable = kept();
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
    // Read again: of many that ask at once, another may have been luckier.
    const remaining = isVerdict(error) ? undefined : kept();
    if (remaining === undefined) throw error;
    return remaining.credentials;
  }
}

async function ask(
  { request, timeoutMs, clock }: SharedCredentialsOptions,
  caller: IdentifiedCaller,
): Promise<BrokerCredentials> {
  const { broker: url, role, durationSeconds } = request;
  const token = await caller.token();
  return requestCredentials({ url, role, durationSeconds, token, timeoutMs, clock });
}

/** Of the broker or a token endpoint, or of this machine. What is no broker at all says nothing of the caller. */
function isVerdict(error: unknown): boolean {
  const { retryable, code } = error as { retryable?: boolean; code?: string };
  return retryable !== true && code !== 'broker_answer_invalid';
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
