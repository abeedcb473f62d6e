import type { Writable } from 'node:stream';
import { atMost } from '../kit/timing/at-most.ts';
import type { Clock } from '../kit/timing/clock.ts';
import type { AuditObserver, AuditSink } from './audit-sink.ts';
import { GroupCommit } from './group-commit.ts';
import { type ChainHead, sealRecords, startChain } from './hash-chain.ts';
import type { LogOpened } from './log-event.ts';
import { recordFields } from './record-fields.ts';

export interface StdoutSinkOptions {
  /**
   * Where the platform collects lines. Not `process.stdout`: its writes to a pipe are synchronous on Linux, so
   * that a collector which stops reading would stop this process. `createWriteStream('', { fd: 1,
   * autoClose: false })` writes in the background.
   */
  readonly stream: Writable;
  readonly clock: Clock;
  /** Version of this service, for the record that opens the chain. */
  readonly version: string;
  readonly observer?: AuditObserver;
  readonly deadlineMs?: number;
  readonly maxQueuedRecords?: number;
  readonly maxQueuedBytes?: number;
}

/**
 * Hands records to a stream; a record counts as kept when the stream has taken it without an error. Every
 * process begins a chain of its own, and so does every write after a failed one, because nobody can say how
 * much of that was taken.
 */
export class StdoutSink implements AuditSink {
  readonly name = 'stdout';
  readonly #stream: Writable;
  readonly #clock: Clock;
  readonly #version: string;
  readonly #deadlineMs: number;
  readonly #queue: GroupCommit;
  #head: ChainHead = startChain();
  #lastWriteWorked = false;

  constructor(options: StdoutSinkOptions) {
    this.#stream = options.stream;
    this.#clock = options.clock;
    this.#version = options.version;
    this.#deadlineMs = options.deadlineMs ?? 1_000;
    this.#queue = new GroupCommit({
      sink: this.name,
      clock: options.clock,
      deadlineMs: this.#deadlineMs,
      maxQueuedRecords: options.maxQueuedRecords ?? 10_000,
      maxQueuedBytes: options.maxQueuedBytes ?? 16 * 1024 * 1024,
      write: (records) => this.#write(records),
      observer: options.observer ?? {},
    });
  }

  /**
   * A stream that is blocked at this moment is no error: the sink is then not ready until it takes records.
   *
   * @throws BrokerError `audit_unavailable` if the stream is broken.
   */
  async start(): Promise<void> {
    this.#stream.on('error', ignore);
    this.#queue.resume();
    const opened: LogOpened = {
      type: 'audit_opened',
      time: new Date(this.#clock.now()).toISOString(),
      version: this.#version,
      pid: process.pid,
      previousSeq: 0,
    };
    try {
      await this.#queue.append(recordFields(opened));
    } catch (error) {
      if (this.#queue.healthy) throw error;
    }
  }

  append(fields: string): Promise<void> {
    return this.#queue.append(fields);
  }

  ready(): boolean {
    return this.#queue.healthy && this.#lastWriteWorked;
  }

  hasRoomFor(): boolean {
    return true;
  }

  room(): undefined {
    return undefined;
  }

  waiting(): number {
    return this.#queue.waiting;
  }

  /** The stream stays open: it is not the sink's. */
  async stop(): Promise<void> {
    await atMost(this.#clock, this.#deadlineMs, this.#queue.drain());
  }

  async #write(records: readonly string[]): Promise<void> {
    const sealed = sealRecords(this.#head, records);
    try {
      await writeTo(this.#stream, sealed.text);
      this.#head = sealed.head;
      this.#lastWriteWorked = true;
    } catch (error) {
      this.#head = startChain();
      this.#lastWriteWorked = false;
      throw error;
    }
  }
}

function writeTo(stream: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, 'latin1', (error) => (error ? reject(error) : resolve()));
  });
}

/** Every error also comes through the callback of the write; unheard, it would end the process. */
function ignore(): void {}
