import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { replaceFile } from '../../kit/files/replace-file.ts';
import { readStateFile } from '../../kit/files/state-file.ts';
import { requireStateFolder } from '../../kit/files/state-folder.ts';
import { isJsonObject } from '../../kit/json/json-object.ts';
import { parseStrictJson } from '../../kit/json/strict-json.ts';
import { JwksError, readJwks, type VerificationKeys } from './jwks.ts';
import type { KeyType } from './key-type.ts';

export interface StoredJwks {
  readonly keys: VerificationKeys;
  /** Epoch milliseconds. */
  readonly fetchedAt: number;
}

/**
 * The last good key set of each issuer, one file per issuer, so that a restart does not need the issuer.
 * Whoever can write them can make tokens: what others may have written is not read.
 */
export class JwksStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Undefined where there is no file. Rejects if it is not what `write` wrote, or somebody else may have. */
  async read(issuer: string, keyType: KeyType): Promise<StoredJwks | undefined> {
    await requireStateFolder(this.#directory);
    const bytes = await readStateFile(this.#fileOf(issuer), { maxBytes: maxFileBytes });
    if (bytes === undefined) return undefined;
    const stored = parseStrictJson(bytes, { maxDepth: 8, maxKeys: 4096 });
    if (!isJsonObject(stored) || stored['issuer'] !== issuer) {
      throw new JwksError('the stored JWKS is not of this issuer');
    }
    const { fetchedAt, jwks } = stored;
    if (typeof fetchedAt !== 'number' || !Number.isSafeInteger(fetchedAt)) {
      throw new JwksError('the stored JWKS has no date');
    }
    return { keys: readJwks(jwks, keyType), fetchedAt };
  }

  async write(issuer: string, { keys, fetchedAt }: StoredJwks): Promise<void> {
    await requireStateFolder(this.#directory);
    const jwks = { keys: [...keys.values()].map(({ jwk }) => jwk) };
    await replaceFile(this.#fileOf(issuer), `${JSON.stringify({ issuer, fetchedAt, jwks })}\n`);
  }

  #fileOf(issuer: string): string {
    return join(this.#directory, `${createHash('sha256').update(issuer).digest('hex')}.json`);
  }
}

const maxFileBytes = 256 * 1024;
