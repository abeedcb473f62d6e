/**
 * Seals of the change log (T110): who may edit signs, every broker verifies with public keys alone. One signature
 * is checked for each read, whatever the number of entries.
 */

import type { KeyObject } from 'node:crypto';
import { BrokerError } from '../core/errors.ts';
import { readGivenFile } from '../kit/files/given-file.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { atOnce, type PiecesOfWork } from '../kit/timing/in-turns.ts';
import { withDeadline } from '../kit/timing/with-deadline.ts';
import type { Signer } from '../signing/signer.ts';
import { isSignature, maxKeyBytes, parsePublicKey } from '../signing/signing-key.ts';
import {
  type Chain,
  type ChainLink,
  chainAfter,
  emptyChain,
  linkOf,
  nextInChain,
  sealedItem,
  sealText,
  statedChain,
} from './entry-chain.ts';
import type { Item } from './table-calls.ts';

export interface TableSealOptions {
  /** Of the table, in its seals. */
  readonly name: string;
  /**
   * How far the table had come, and with which change log: nothing earlier and no other counts (T325). What came after it
   * must be sealed. Default: the empty table.
   */
  readonly anchor?: Omit<Chain, 'name'> | undefined;
  /** PEM files; a seal by any of these keys counts. */
  readonly publicKeyFiles: readonly string[];
  /** Absent: nothing can be changed from here. */
  readonly signer?: Signer | undefined;
  /** For one signature, with finding credentials. */
  readonly signTimeoutMs: number;
  readonly clock: Clock;
}

export class TableSeal {
  readonly #options: TableSealOptions;
  readonly #anchor: Chain;
  readonly #ending = new AbortController();
  #publicKeys: readonly KeyObject[] = [];
  #newest: Chain | undefined;

  constructor(options: TableSealOptions) {
    this.#options = options;
    const { name, anchor } = options;
    this.#anchor = anchor === undefined ? emptyChain(name) : { name, ...anchor };
  }

  /** Reads the public keys; before that no seal counts. @throws PublicKeyError */
  async start(): Promise<void> {
    this.#publicKeys = await Promise.all(this.#options.publicKeyFiles.map(readPublicKey));
  }

  stop(): void {
    this.#ending.abort(new Error('the key is no longer needed'));
    this.#options.signer?.stop();
  }

  /** Of the table, in what is signed. */
  get name(): string {
    return this.#options.name;
  }

  get empty(): Chain {
    return emptyChain(this.#options.name);
  }

  isDue(revision: number): boolean {
    return revision > this.#anchor.revision;
  }

  /** Whether a chain can be followed from here: it is of this table, by the name in its seals, and not behind the anchor. */
  isOurs(chain: Chain | undefined): chain is Chain {
    return chain?.name === this.#options.name && this.#isPast(chain) && this.#isAnchored(chain);
  }

  #isPast({ revision }: Chain): boolean {
    return revision >= this.#anchor.revision;
  }

  /** As far as this chain tells. */
  #isAnchored({ revision, digest }: Chain): boolean {
    return revision !== this.#anchor.revision || digest === this.#anchor.digest;
  }

  /**
   * The chain after these entries; undefined if they do not follow from it, do not lead through the anchor, one that has to
   * be sealed is not, or the newest is not by one of the keys. `from` must have been verified before, or be empty.
   */
  follow(from: Chain, links: readonly ChainLink[]): Chain | undefined {
    return atOnce(this.following(from, links));
  }

  /** The same for many entries. */
  *following(from: Chain, links: readonly ChainLink[]): PiecesOfWork<Chain | undefined> {
    const counts = (link: ChainLink, after: Chain) =>
      !this.#lacksSeal(link) && this.#isAnchored(after);
    const chain = yield* chainAfter(from, links, counts);
    if (chain === undefined || !this.#isPast(chain)) return undefined;
    if (!this.#isProven(chain, links.at(-1))) return undefined;
    this.remember(chain);
    return chain;
  }

  #lacksSeal({ revision, seal }: ChainLink): boolean {
    return this.isDue(revision) && seal === undefined;
  }

  /** Up to the anchor nothing has to be signed. */
  #isProven(chain: Chain, newest: ChainLink | undefined): boolean {
    if (newest === undefined || !this.isDue(newest.revision)) return true;
    return this.proves(newest.seal, sealText(chain));
  }

  /** What a change may no longer fall behind. */
  remember(chain: Chain): void {
    if (this.#newest === undefined || this.#newest.revision < chain.revision) this.#newest = chain;
  }

  /** The newest chain that was verified here: to be asked for before the table is. */
  get newest(): Chain | undefined {
    return this.#newest;
  }

  /**
   * The chain as this entry, the newest of the table, states and proves it. Its signer saw all before it.
   *
   * @throws BrokerError `change_not_sealed`
   */
  proven(item: Item | undefined): Chain {
    const stated = statedChain(this.#options.name, item);
    if (stated !== undefined && this.proves(stated.seal, sealText(stated.chain)))
      return stated.chain;
    throw notSealed(
      'The newest entry of the change log has no seal by a listed key, so nothing may be written after it; docs/operations.md (TokenBrokerTableTampered) says what to do. Where seals begin with this change, policy.seal.anchor must say so: docs/table.md.',
    );
  }

  /** Entries that follow one after the other, with their seals. @throws BrokerError `change_not_sealed` */
  async sealed(entries: readonly Item[], before: Chain): Promise<readonly Item[]> {
    let newest = before;
    const chained = entries.map((item) => {
      newest = nextInChain(newest, linkOf(item));
      return { item, chain: newest };
    });
    return await Promise.all(
      chained.map(async ({ item, chain }) =>
        sealedItem(item, chain, await this.signature(sealText(chain))),
      ),
    );
  }

  /** By the key that seals, over a text that says what it is of. @throws BrokerError `change_not_sealed` */
  async signature(text: string): Promise<Buffer> {
    const signature = await this.#sign(this.#signer(), text);
    if (this.proves(signature.toString('base64'), text)) return signature;
    throw notSealed(
      'The key that seals is none of policy.seal.publicKeyFiles, so no broker would take the change. List its public key first.',
    );
  }

  /** What can be known before the table is asked. @throws BrokerError `change_not_sealed` */
  async ready(): Promise<void> {
    this.#signer();
    await this.loaded();
  }

  /** The public keys are there, by which a seal counts. @throws BrokerError `change_not_sealed` */
  async loaded(): Promise<void> {
    if (this.#publicKeys.length > 0) return;
    await this.start().catch((cause: unknown) => {
      throw notSealed('A file of policy.seal.publicKeyFiles cannot be used.', cause);
    });
  }

  #signer(): Signer {
    const { signer } = this.#options;
    if (signer !== undefined) return signer;
    throw notSealed(
      'Changes of this table must be sealed, and this instance has no key for it: make them where policy.seal.kms is configured.',
    );
  }

  async #sign(signer: Signer, text: string): Promise<Buffer> {
    const { clock, signTimeoutMs: timeoutMs } = this.#options;
    try {
      return await withDeadline({ clock, timeoutMs, givenUp: this.#ending.signal }, () =>
        signer.sign(text),
      );
    } catch (cause) {
      throw notSealed(
        'The key that seals changes of the table did not sign; nothing was written. Try again in a few seconds. Operators: docs/table.md lists what the key needs.',
        cause,
      );
    }
  }

  /** Whether this seal, in base64, is a signature of that text by one of the keys. */
  proves(seal: string | undefined, text: string): boolean {
    if (seal === undefined) return false;
    const signature = Buffer.from(seal, 'base64');
    return this.#publicKeys.some((key) => isSignature(text, signature, key));
  }
}

/** The message says which file, and why it is of no use. */
class PublicKeyError extends Error {
  override readonly name = 'PublicKeyError';
}

async function readPublicKey(file: string): Promise<KeyObject> {
  try {
    return parsePublicKey(await readGivenFile(file, maxKeyBytes));
  } catch (error) {
    throw new PublicKeyError(`${file}: ${error instanceof Error ? error.message : 'unreadable'}`);
  }
}

export function notSealed(detail: string, cause?: unknown): BrokerError {
  return new BrokerError('change_not_sealed', { detail, cause });
}
