/** The files of a trail that the messages of a queue name: those of the trail are read, and nothing else. */

import type { JsonObject } from '../kit/json/json-object.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { BucketReadError } from './bucket-reader.ts';
import { type DeliveredObject, deliveredObjects } from './delivery-note.ts';
import {
  isTrailFile,
  nameDigest,
  type TrailFile,
  type TrailPlace,
  trailFile,
  type Unreadable,
} from './trail-files.ts';
import type { QueueMessage, TrailQueue } from './trail-queue.ts';

export interface QueuedTrailOptions {
  readonly queue: TrailQueue;
  readonly clock: Clock;
  /** What may be read, whoever asks for it. */
  readonly places: readonly TrailPlace[];
  /** Digests of names that were read before. */
  readonly seen: ReadonlySet<string>;
  readonly onRecord: (record: JsonObject) => void;
  readonly onUnreadable: (part: Unreadable) => void;
  readonly onRefused: (id: string) => void;
  readonly isStopping: () => boolean;
}

export interface QueuedTrail {
  /** Digests of the names that were read now. */
  readonly delivered: readonly string[];
  readonly unreadable: number;
  readonly refused: number;
  /** Messages that stay although they have come often: S3 does not give what they name. */
  readonly withheld: number;
  /** To be removed once it is on record what they led to. Without their texts, which whoever fills the queue makes as long as SQS takes. */
  readonly done: readonly Pick<QueueMessage, 'receipt'>[];
}

/** Of one look: what a stranger has put before the rest is worked off by the next ones. */
const mostMessages = 10_000;
/** Asked for in one look: a message names up to a hundred. */
const mostObjects = 10_000;
/** Of a look: with the time of one object more, what it has received is hidden from others all the while. */
const mostMs = 10 * 60_000;
/** Of one message: what S3 does not give, each of which may have taken its whole time. */
const mostFailures = 10;
/** A message that has come more often, which takes two hours, names what S3 does not give for a reason that lasts. */
const oftenReceived = 8;
/** Of all those of a look: S3 says AccessDenied of names that it does not have, too, to whoever may not list them. */
const mostFailuresOfOften = 100;

/** @throws QueueError */
export async function readQueued(options: QueuedTrailOptions): Promise<QueuedTrail> {
  const look = new QueueLook(options);
  while (look.receives) {
    const messages = await options.queue.receive();
    if (messages.length === 0) break;
    for (const message of messages) {
      if (!look.goesOn) break;
      await look.take(message);
    }
  }
  return look;
}

/** What is absent may come yet: its name is not remembered as read. */
type Fetched = TrailFile | 'absent' | 'not_given';

class QueueLook implements QueuedTrail {
  readonly delivered: string[] = [];
  readonly done: Pick<QueueMessage, 'receipt'>[] = [];
  unreadable = 0;
  refused = 0;
  withheld = 0;
  readonly #options: QueuedTrailOptions;
  readonly #seen: Set<string>;
  readonly #startedMs: number;
  #received = 0;
  #objects = 0;
  #failuresOfOften = 0;

  constructor(options: QueuedTrailOptions) {
    this.#options = options;
    this.#seen = new Set(options.seen);
    this.#startedMs = options.clock.monotonic();
  }

  get receives(): boolean {
    return this.#received < mostMessages && this.goesOn;
  }

  /** Asked before each message and each object: what is not taken any more comes again. */
  get goesOn(): boolean {
    const { clock, isStopping } = this.#options;
    const isInTime = clock.monotonic() - this.#startedMs < mostMs;
    return !isStopping() && isInTime && this.#objects < mostObjects;
  }

  async take(message: QueueMessage): Promise<void> {
    this.#received += 1;
    const named = this.#named(message);
    if (named === undefined || named.includes(undefined)) {
      this.refused += 1;
      this.#options.onRefused(message.id);
    }
    const isOften = message.receiveCount > oftenReceived;
    const left = await this.#takeFiles(named ?? [], isOften);
    if (left === 0) this.done.push({ receipt: message.receipt });
    else if (isOften && this.goesOn) this.withheld += 1;
  }

  /** How many are to come again, at the least. */
  async #takeFiles(named: readonly (FoundFile | undefined)[], isOften: boolean): Promise<number> {
    let left = 0;
    for (const found of named) {
      if (left === mostFailures) break;
      if (isOften && this.#failuresOfOften === mostFailuresOfOften) return left + 1;
      if (found === undefined || (await this.#isDone(found))) continue;
      left += 1;
      if (isOften) this.#failuresOfOften += 1;
    }
    return left;
  }

  /** Undefined: nothing that may be believed. A message never fails a look, which would hide all others that it has received. */
  #named({ body }: QueueMessage): readonly (FoundFile | undefined)[] | undefined {
    try {
      return deliveredObjects(body)?.map((object) => this.#find(object));
    } catch {
      return undefined;
    }
  }

  #find(object: DeliveredObject): FoundFile | undefined {
    for (const place of this.#options.places) {
      const name = place.nameOf(object);
      if (name !== undefined) return { place, name };
    }
    return undefined;
  }

  /** False: the message is to come again. */
  async #isDone({ place, name }: FoundFile): Promise<boolean> {
    const digest = nameDigest(name);
    if (!isTrailFile(name) || this.#seen.has(digest)) return true;
    if (!this.goesOn) return false;
    const file = await this.#fetch(place, name);
    if (file === 'not_given') return false;
    if (file === 'absent') return true;
    for (const part of file) {
      if ('record' in part) this.#options.onRecord(part.record);
      else this.#note(part);
    }
    this.#seen.add(digest);
    this.delivered.push(digest);
    return true;
  }

  /**
   * S3 gives an object whole from the moment that it says it has it. So one that is gone, or is no file of a trail, is said to be
   * unreadable, and its message goes; what S3 does not give just now waits in the queue.
   */
  async #fetch(place: TrailPlace, name: string): Promise<Fetched> {
    this.#objects += 1;
    try {
      return await trailFile(name, await place.bytes(name));
    } catch (error) {
      const part = { file: name, why: (error as Error).message };
      const known = error instanceof BucketReadError ? error : undefined;
      if (known?.isFinal && !known.isAbsent) return [part];
      this.#note(part);
      return known?.isAbsent ? 'absent' : 'not_given';
    }
  }

  #note(part: Unreadable): void {
    this.unreadable += 1;
    this.#options.onUnreadable(part);
  }
}

interface FoundFile {
  readonly place: TrailPlace;
  readonly name: string;
}
