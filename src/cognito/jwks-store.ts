import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseStrictJson } from '../core/strict-json.ts';
import { JwksError, readJwks, type SigningAlgorithm, type VerificationKeys } from './jwks.ts';
import { isJsonObject } from './token-format.ts';

export interface StoredJwks {
  readonly keys: VerificationKeys;
  /** Epoch milliseconds. */
  readonly fetchedAt: number;
}

/**
 * The last good key set of each issuer, one file per issuer, so that a restart does not need the issuer.
 * Whoever can write to the directory can make tokens: it must belong to this service alone.
 */
export class JwksStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Undefined where there is no file. Rejects if it is not what `write` wrote. */
  async read(issuer: string, algorithm: SigningAlgorithm): Promise<StoredJwks | undefined> {
    const bytes = await readBounded(this.#fileOf(issuer));
    if (bytes === undefined) return undefined;
    const stored = parseStrictJson(bytes, { maxDepth: 8, maxKeys: 4096 });
    if (!isJsonObject(stored) || stored['issuer'] !== issuer) {
      throw new JwksError('the stored JWKS is not of this issuer');
    }
    const { fetchedAt, jwks } = stored;
    if (typeof fetchedAt !== 'number' || !Number.isSafeInteger(fetchedAt)) {
      throw new JwksError('the stored JWKS has no date');
    }
    return { keys: readJwks(jwks, algorithm), fetchedAt };
  }

  /** Replaces the file whole: a reader, or a power cut, sees the old text or the new. */
  async write(issuer: string, { keys, fetchedAt }: StoredJwks): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const jwks = { keys: [...keys.values()].map(({ jwk }) => jwk) };
    const file = this.#fileOf(issuer);
    const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      const handle = await open(temporary, 'wx', 0o600);
      try {
        await handle.writeFile(`${JSON.stringify({ issuer, fetchedAt, jwks })}\n`);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, file);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  #fileOf(issuer: string): string {
    return join(this.#directory, `${createHash('sha256').update(issuer).digest('hex')}.json`);
  }
}

const maxFileBytes = 256 * 1024;

async function readBounded(file: string): Promise<Uint8Array | undefined> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { size } = await handle.stat();
    if (size > maxFileBytes) throw new JwksError('the stored JWKS is too large');
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}
