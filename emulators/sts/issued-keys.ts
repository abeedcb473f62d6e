import { createHash, randomBytes } from 'node:crypto';

/** A session's keys, as this server remembers them to check signatures. */
export interface IssuedKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Epoch milliseconds, whole seconds. */
  readonly expiresAt: number;
  readonly accountId: string;
  readonly assumedRoleArn: string;
  readonly assumedRoleId: string;
}

/** A user of the account, with keys that last. */
export interface IamUser {
  readonly arn: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const defaultMaxKeys = 10_000;
const ordinarySessionTokenBytes = 480;

/** Bounded: when it is full, the oldest key is forgotten. */
export class IssuedKeys {
  readonly #maxKeys: number;
  readonly #byAccessKeyId = new Map<string, IssuedKey>();
  readonly #users = new Map<string, IssuedKey>();

  constructor({ maxKeys = defaultMaxKeys }: { readonly maxKeys?: number } = {}) {
    this.#maxKeys = maxKeys;
  }

  issue({
    minimumSessionTokenSize,
    ...session
  }: Omit<IssuedKey, 'accessKeyId' | 'secretAccessKey' | 'sessionToken'> & {
    /** Bytes. */
    readonly minimumSessionTokenSize: number;
  }): IssuedKey {
    const tokenBytes = Math.max(
      ordinarySessionTokenBytes,
      Math.ceil((minimumSessionTokenSize * 3) / 4),
    );
    const key = {
      ...session,
      accessKeyId: `ASIA${base32(randomBytes(16))}`,
      secretAccessKey: randomBytes(30).toString('base64'),
      sessionToken: randomBytes(tokenBytes).toString('base64'),
    };
    this.#byAccessKeyId.set(key.accessKeyId, key);
    if (this.#byAccessKeyId.size > this.#maxKeys) {
      for (const oldest of this.#byAccessKeyId.keys()) {
        this.#byAccessKeyId.delete(oldest);
        break;
      }
    }
    return key;
  }

  admit({ arn, accessKeyId, secretAccessKey }: IamUser): void {
    this.#users.set(accessKeyId, {
      accessKeyId,
      secretAccessKey,
      // A request that is signed with lasting keys has none.
      sessionToken: '',
      expiresAt: Number.POSITIVE_INFINITY,
      accountId: arn.split(':')[4] ?? '',
      assumedRoleArn: arn,
      assumedRoleId: accessKeyId,
    });
  }

  find(accessKeyId: string): IssuedKey | undefined {
    return this.#users.get(accessKeyId) ?? this.#byAccessKeyId.get(accessKeyId);
  }
}

/** The unique id of a role, `AROA…` in 21 characters: the same for the same ARN. */
export function roleId(roleArn: string): string {
  return `AROA${base32(createHash('sha256').update(roleArn).digest().subarray(0, 17))}`;
}

/** One character of the alphabet of IAM's unique ids for each byte. */
function base32(bytes: Buffer): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  return Array.from(bytes, (byte) => alphabet.charAt(byte % 32)).join('');
}
