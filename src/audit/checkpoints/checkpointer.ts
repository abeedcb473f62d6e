import type { KeyObject } from 'node:crypto';
import { atMost } from '../../kit/timing/at-most.ts';
import type { Clock, Timer } from '../../kit/timing/clock.ts';
import { withDeadline } from '../../kit/timing/with-deadline.ts';
import type { Signer } from '../../signing/signer.ts';
import { isSignature } from '../../signing/signing-key.ts';
import type { ChainHead } from '../hash-chain.ts';
import { ChainTree, type GrownTree, LogDiffersError } from './chain-tree.ts';
import { type Checkpoint, checkpointText, originOf, readCheckpoint } from './checkpoint.ts';
import type { CheckpointCopies } from './checkpoint-copies.ts';
import { errorNameOf } from './error-name.ts';
import { readLastCheckpoint, writeLastCheckpoint } from './last-checkpoint.ts';
import { formatNote, isSignedBy, keyIdOf } from './signed-note.ts';
import { readSignedState, removeStateDrafts, writeSignedState } from './signed-state.ts';

/**
 * `not_signed`: whoever holds the key did not sign in time, or not what was asked. `not_written`: the state or the
 * checkpoint could not be kept. `unreadable`: the log could not be read. `log_differs`: the log on the disk is not what
 * was written to it.
 */
export const checkpointFailures = [
  'not_signed',
  'not_written',
  'unreadable',
  'log_differs',
] as const;
export type CheckpointFailure = (typeof checkpointFailures)[number];

export interface CheckpointObserver {
  /** `note`: the signed checkpoint, for a log that is kept elsewhere. */
  onSigned?(event: { readonly seq: number; readonly size: number; readonly note: string }): void;
  onFailure?(event: { readonly failure: CheckpointFailure; readonly errorCode: string }): void;
}

export interface CheckpointerOptions {
  readonly directory: string;
  /** First part of the origin; the id of the chain follows. */
  readonly origin: string;
  readonly signer: Signer;
  /** The last record that is durable, while this process holds the directory. */
  readonly durableHead: () => ChainHead | undefined;
  readonly intervalMs: number;
  readonly everyRecords: number;
  /** For one checkpoint, all calls to the signer included. */
  readonly deadlineMs: number;
  /** Where each one goes as well, out of reach for whoever has this machine. */
  readonly copies?: CheckpointCopies | undefined;
  readonly clock: Clock;
  readonly observer: CheckpointObserver;
}

const tickMs = 1_000;

/**
 * Signs for the records of a log beside it, now and then. Nothing waits for it, and nothing that goes wrong here
 * keeps a record from being written: what suffers is the age of the last checkpoint.
 *
 * Never two that contradict each other: only durable records are signed for, as they can be read from the disk, and what
 * is about to be signed for is noted first; a log that lacks it at the next start is not continued. Where that note is
 * gone, or an older one was put back, the last checkpoint beside the log still says how far it must go.
 */
export class Checkpointer {
  readonly #options: CheckpointerOptions;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  /** Undefined before the first one, and when it could not be grown: then it is read from the disk again. */
  #chain: ChainTree | undefined;
  #covered: ChainHead | undefined;
  #coveredAtMs: number;
  #triedAtMs: number;
  #lastFailed: boolean = false;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    this.#coveredAtMs = options.clock.monotonic();
    this.#triedAtMs = Number.NEGATIVE_INFINITY;
  }

  start(): void {
    this.#timer = this.#options.clock.after(tickMs, () => {
      if (this.#isDue()) void this.#once();
      this.start();
    });
  }

  /** Signs for what has come since, within the deadline. While the log is still open. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    const last = (this.#running ?? Promise.resolve()).then(() => this.#once());
    await atMost(this.#options.clock, this.#options.deadlineMs, last);
    this.#options.signer.stop();
    await this.#options.copies?.stop();
  }

  /** Number of the last record that a checkpoint of this process covers. */
  get coveredSeq(): number | undefined {
    return this.#covered?.seq;
  }

  /** How long ago a checkpoint covered all that there was. */
  ageSeconds(): number {
    const { clock, durableHead } = this.#options;
    if (this.#covered !== undefined && durableHead()?.hash === this.#covered.hash) return 0;
    return (clock.monotonic() - this.#coveredAtMs) / 1000;
  }

  #isDue(): boolean {
    const { clock, durableHead, intervalMs, everyRecords } = this.#options;
    if (this.#running !== undefined) return false;
    if (clock.monotonic() - this.#triedAtMs >= intervalMs) return true;
    const uncovered = (durableHead()?.seq ?? 0) - (this.#covered?.seq ?? 0);
    return !this.#lastFailed && uncovered >= everyRecords;
  }

  #once(): Promise<void> {
    this.#running ??= this.#checkpoint().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #checkpoint(): Promise<void> {
    const { clock, durableHead } = this.#options;
    const head = durableHead();
    if (head === undefined) return;
    const at = clock.monotonic();
    this.#triedAtMs = at;
    if (head.hash !== this.#covered?.hash && !(await this.#cover(head))) return;
    this.#coveredAtMs = at;
  }

  async #cover(head: ChainHead): Promise<boolean> {
    const { directory, origin } = this.#options;
    const before = await this.#signedBefore(head);
    if (before === undefined) return false;
    const grown = await this.#step(unreadableOrDiffers, () => this.#grownTo(head, before));
    if (grown === undefined) return false;
    const noted = await this.#step(notWritten, () => writeSignedState(directory, grown).then(yes));
    if (noted === undefined) return false;
    const text = checkpointText(originOf(origin, head.chain), grown.tree);
    const signed = await this.#step(notSigned, () => this.#signed(text, head));
    if (signed === undefined) return false;
    const { note, publicKey } = signed;
    const kept = await this.#step(notWritten, () =>
      writeLastCheckpoint(directory, head.chain, note).then(yes),
    );
    if (kept === undefined) return false;
    this.#lastFailed = false;
    this.#covered = head;
    const { observer, copies, clock } = this.#options;
    const { size } = grown.tree;
    observer.onSigned?.({ seq: head.seq, size, note });
    copies?.offer({ chain: head.chain, size, note, publicKey, signedAtMs: clock.now() });
    return true;
  }

  /** Undefined if that cannot be told. What another key has signed says nothing: keys are replaced. */
  async #signedBefore({ chain }: ChainHead): Promise<SignedBefore | undefined> {
    if (this.#chain !== undefined) return {};
    const { directory, signer } = this.#options;
    const last = await this.#step(unreadable, async () => ({
      note: await readLastCheckpoint(directory, chain),
    }));
    if (last?.note === undefined) return last && {};
    const { note } = last;
    const publicKey = await this.#step(notSigned, () => this.#inTime(signer.publicKey()));
    if (publicKey === undefined) return undefined;
    return isSignedBy(note, publicKey) ? { checkpoint: readCheckpoint(note) } : {};
  }

  async #grownTo(head: ChainHead, { checkpoint }: SignedBefore): Promise<GrownTree> {
    const { directory } = this.#options;
    if (this.#chain === undefined) {
      await removeStateDrafts(directory);
      const state = await readSignedState(directory);
      const from = state === 'unreadable' ? undefined : state;
      this.#chain = new ChainTree(directory, { from, signed: checkpoint });
    }
    return await this.#chain.growTo(head);
  }

  async #signed(text: string, { chain }: ChainHead): Promise<SignedCheckpoint> {
    const { signer, origin } = this.#options;
    const keyName = originOf(origin, chain);
    const signing = (async () => {
      const publicKey = await signer.publicKey();
      const signature = await signer.sign(text);
      if (!isSignature(text, signature, publicKey)) throw new SignerError('EBADSIGNATURE');
      const keyId = keyIdOf(keyName, publicKey);
      return { note: formatNote(text, { keyName, keyId, signature }), publicKey };
    })();
    // What comes of it later is the same text, signed: no harm, and nobody waits for it.
    return await this.#inTime(signing);
  }

  async #inTime<T>(work: Promise<T>): Promise<T> {
    const { clock, deadlineMs } = this.#options;
    work.catch(() => {});
    return await withDeadline({ clock, timeoutMs: deadlineMs }, () => work).catch(
      (error: unknown) => {
        throw isTimeout(error) ? new SignerError('ETIMEDOUT') : error;
      },
    );
  }

  /** Undefined if it failed, which has been reported by then. */
  async #step<T>(
    failureOf: (error: unknown) => CheckpointFailure,
    work: () => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      const failure = failureOf(error);
      this.#lastFailed = true;
      if (failure === 'unreadable' || failure === 'log_differs') this.#chain = undefined;
      this.#options.observer.onFailure?.({ failure, errorCode: errorNameOf(error) });
      return undefined;
    }
  }
}

interface SignedBefore {
  readonly checkpoint?: Checkpoint | undefined;
}

interface SignedCheckpoint {
  readonly note: string;
  readonly publicKey: KeyObject;
}

class SignerError extends Error {
  override readonly name = 'SignerError';
  readonly code: string;

  constructor(code: string) {
    super('the checkpoint was not signed');
    this.code = code;
  }
}

const yes = () => true;
const notSigned = () => 'not_signed' as const;
const unreadable = () => 'unreadable' as const;
const notWritten = () => 'not_written' as const;

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'TimeoutError';
}

function unreadableOrDiffers(error: unknown): CheckpointFailure {
  return error instanceof LogDiffersError ? 'log_differs' : 'unreadable';
}
