/** Session credentials on disk, for commands that end after each use. */

import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type BrokerCredentials, longestSessionMs } from '../client/broker-client.ts';
import { roleArnPattern, sessionKeyPatterns } from '../core/aws-names.ts';
import { FileRefusedError } from '../kit/files/regular-file.ts';
import { replaceFileSync } from '../kit/files/replace-file.ts';
import { readStateFileSync } from '../kit/files/state-file.ts';
import { requireSecretFolderSync } from '../kit/files/state-folder.ts';
import { type Clock, isRfc3339, toRfc3339 } from '../kit/timing/clock.ts';
import { acquireFileLock, type ReleaseLock } from './file-lock.ts';

export interface CachedCredentials {
  readonly credentials: BrokerCredentials;
  /** Epoch milliseconds. */
  readonly obtainedAt: number;
}

export interface CredentialFolderOptions {
  readonly path: string;
  readonly clock: Clock;
}

/**
 * One file per key in a folder of mode 0700. Nothing here throws: where the folder cannot be used it behaves as
 * if it were empty, and `fault` says why.
 */
export class CredentialFolder {
  readonly #path: string;
  readonly #clock: Clock;
  #fault: string | undefined;

  constructor({ path, clock }: CredentialFolderOptions) {
    this.#path = path;
    this.#clock = clock;
    this.#try(() => requireSecretFolderSync(path));
  }

  /** Why the folder is not used, or could not be written to. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Undefined for everything that is not a complete file of ours with credentials that still live. */
  read(key: string): CachedCredentials | undefined {
    if (this.#fault !== undefined) return undefined;
    const text = this.#textOf(key);
    const entry = text === undefined ? undefined : parseEntry(text);
    if (entry?.key !== key) return undefined;
    const { obtainedAt, credentials } = entry;
    const expiration = new Date(credentials.expiration);
    const now = this.#clock.now();
    const remainingMs = expiration.getTime() - now;
    if (remainingMs <= 0 || remainingMs > longestSessionMs) return undefined;
    // The clock was set back since: how long they still live cannot be known.
    if (obtainedAt > now) return undefined;
    const accountId = roleArnPattern.exec(credentials.roleArn)?.[2] as string;
    return { obtainedAt, credentials: { ...credentials, expiration, accountId } };
  }

  write(key: string, credentials: BrokerCredentials): void {
    const { accountId: _inRoleArn, expiration, ...rest } = credentials;
    const entry: Entry = {
      format,
      key,
      obtainedAt: this.#clock.now(),
      credentials: { ...rest, expiration: toRfc3339(expiration.getTime()) },
    };
    this.#try(() => {
      replaceFileSync(this.#file(key), `${JSON.stringify(entry)}\n`);
      this.#sweep();
    });
  }

  remove(key: string): void {
    this.#try(() => rmSync(this.#file(key), { force: true }));
  }

  /** Undefined if it cannot be had within `waitMs`; who has it gives it back within `holdMs`. */
  async lock(
    key: string,
    { waitMs, holdMs }: { readonly waitMs: number; readonly holdMs: number },
  ): Promise<ReleaseLock | undefined> {
    if (this.#fault !== undefined) return undefined;
    const file = join(this.#path, `${key}.lock`);
    return acquireFileLock(file, { clock: this.#clock, waitMs, staleMs: holdMs });
  }

  /** What is not ours alone is left, and replaced by the next write. */
  #textOf(key: string): string | undefined {
    try {
      const rules = { maxBytes: maxFileBytes, secret: true };
      return readStateFileSync(this.#file(key), rules)?.toString();
    } catch {
      return undefined;
    }
  }

  #file(key: string): string {
    return join(this.#path, `${key}.json`);
  }

  /** Of identities that are not used any more, and of processes that were killed. */
  #sweep(): void {
    const oldest = this.#clock.now() - longestSessionMs;
    for (const name of readdirSync(this.#path)) {
      const file = join(this.#path, name);
      if (!ownNames.test(name)) continue;
      const writtenAt = lstatSync(file, { throwIfNoEntry: false })?.mtimeMs;
      if (writtenAt !== undefined && writtenAt < oldest) rmSync(file, { force: true });
    }
  }

  #try(work: () => void): void {
    if (this.#fault !== undefined) return;
    try {
      work();
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      this.#fault = error instanceof FileRefusedError ? message : (code ?? message);
    }
  }
}

const format = 1;
const maxFileBytes = 64 * 1024;
const ownNames = /^[0-9a-f]{64}\./;

const entrySchema = z.strictObject({
  format: z.literal(format),
  key: z.string(),
  obtainedAt: z.int(),
  credentials: z.strictObject({
    accessKeyId: z.string().regex(sessionKeyPatterns.accessKeyId),
    secretAccessKey: z.string().regex(sessionKeyPatterns.secretAccessKey),
    sessionToken: z.string().regex(sessionKeyPatterns.sessionToken),
    expiration: z.string().refine(isRfc3339),
    roleArn: z.string().regex(roleArnPattern),
  }),
});

type Entry = z.infer<typeof entrySchema>;

function parseEntry(text: string): Entry | undefined {
  try {
    return entrySchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
