/** Sends traces to an OTLP receiver. One that is down, slow or lying costs no request anything: what does not fit is dropped and counted. */

import { randomUUID } from 'node:crypto';
import { isJsonObject, parseJsonObject } from '../kit/json/json-object.ts';
import { boundedFetch, NoAnswerError } from '../kit/net/bounded-fetch.ts';
import type { Clock, Timer } from '../kit/timing/clock.ts';
import { orAborted } from '../kit/timing/or-aborted.ts';
import type { PrintTraces } from './otlp-spans.ts';
import type { FinishedTrace } from './request-traces.ts';

/**
 * `rejected`: the receiver said that it does not keep them. `queue_full`: it is slower than they come. `failed`: it did not answer as
 * it should, and they are not sent again.
 */
export const spanResults = ['exported', 'rejected', 'queue_full', 'failed'] as const;
export type SpanResult = (typeof spanResults)[number];

export interface TraceExportFailure {
  /** A status, or why there was none. */
  readonly reason: string;
  readonly spans: number;
}

export interface TraceExportOptions {
  /** URL that takes `POST` of OTLP in JSON, https or on loopback. */
  readonly endpoint: string;
  /** Of the program. */
  readonly version: string;
  readonly clock: Clock;
  /** For one request, and for everything that is left at the end. */
  readonly timeoutMs: number;
  readonly onSpans: (result: SpanResult, spans: number) => void;
  readonly onFailure: (failure: TraceExportFailure) => void;
}

/** What comes meanwhile goes with it. */
const gatherMs = 1_000;
const maxSpansPerRequest = 256;
const maxQueuedSpans = 512;
const maxAnswerBytes = 64 * 1024;

export class TraceExport {
  readonly #options: TraceExportOptions;
  readonly #ending = new AbortController();
  #print: PrintTraces | undefined;
  #queue: FinishedTrace[] = [];
  #queuedSpans = 0;
  #timer: Timer | undefined;
  #sending: Promise<void> | undefined;
  #stopped: boolean = false;

  constructor(options: TraceExportOptions) {
    this.#options = options;
  }

  /** Loads what nobody else pays for. The receiver is not asked: it may come and go as it likes. */
  async start(): Promise<void> {
    const { tracePrinter } = await import('./otlp-spans.ts');
    const { version } = this.#options;
    this.#print = tracePrinter({ version, instanceId: randomUUID() });
  }

  /** Returns at once. */
  accept(trace: FinishedTrace): void {
    const spans = spansOf(trace);
    if (this.#stopped || this.#queuedSpans + spans > maxQueuedSpans) {
      this.#options.onSpans('queue_full', spans);
      return;
    }
    this.#queue.push(trace);
    this.#queuedSpans += spans;
    this.#schedule();
  }

  /** Sends what is left, for `timeoutMs` at most. Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    const { clock, timeoutMs, onSpans } = this.#options;
    const deadline = clock.deadline(timeoutMs);
    try {
      await orAborted(this.#sendAll(), deadline.signal);
    } catch {
      // Whatever is under way reports itself.
      this.#ending.abort(new Error('there is no time left'));
      await this.#sending;
    } finally {
      deadline.release();
    }
    if (this.#queuedSpans > 0) onSpans('failed', this.#queuedSpans);
    this.#queue = [];
    this.#queuedSpans = 0;
  }

  async #sendAll(): Promise<void> {
    await this.#sending;
    while (this.#queue.length > 0 && !this.#ending.signal.aborted) await this.#send();
  }

  #schedule(): void {
    if (this.#stopped || this.#queue.length === 0 || this.#sending !== undefined) return;
    this.#timer ??= this.#options.clock.after(gatherMs, () => {
      this.#timer = undefined;
      void this.#send();
    });
  }

  #send(): Promise<void> {
    const sending = this.#sendBatch(this.#takeBatch()).finally(() => {
      this.#sending = undefined;
      this.#schedule();
    });
    this.#sending = sending;
    return sending;
  }

  #takeBatch(): readonly FinishedTrace[] {
    let count = 0;
    let spans = 0;
    for (const trace of this.#queue) {
      if (count > 0 && spans + spansOf(trace) > maxSpansPerRequest) break;
      count += 1;
      spans += spansOf(trace);
    }
    this.#queuedSpans -= spans;
    return this.#queue.splice(0, count);
  }

  async #sendBatch(batch: readonly FinishedTrace[]): Promise<void> {
    const { onSpans, onFailure } = this.#options;
    const spans = batch.reduce((sum, trace) => sum + spansOf(trace), 0);
    try {
      const rejected = Math.min(spans, await this.#post(batch));
      onSpans('exported', spans - rejected);
      onSpans('rejected', rejected);
    } catch (error) {
      onSpans('failed', spans);
      onFailure({ reason: reasonOf(error), spans });
    }
  }

  /** How many spans the receiver says that it has not kept. @throws BadStatus, NoAnswerError */
  async #post(batch: readonly FinishedTrace[]): Promise<number> {
    const { endpoint, clock, timeoutMs } = this.#options;
    const { status, body } = await boundedFetch(endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: this.#print?.(batch) ?? '',
      clock,
      timeoutMs,
      maxBytes: maxAnswerBytes,
      givenUp: this.#ending.signal,
    });
    if (status < 200 || status > 299) throw new BadStatus(status);
    return rejectedIn(body);
  }
}

class BadStatus extends Error {
  override readonly name = 'BadStatus';
  readonly status: number;

  constructor(status: number) {
    super(`the receiver answered with status ${status}`);
    this.status = status;
  }
}

function spansOf({ steps }: FinishedTrace): number {
  return 1 + steps.length;
}

/** ExportTraceServiceResponse: the number is a 64-bit one, so JSON has it as a string. Whatever else is answered says nothing. */
function rejectedIn(body: Uint8Array | undefined): number {
  const answer = parseJsonObject(Buffer.from(body ?? '').toString());
  const partial = answer?.['partialSuccess'];
  const rejected = isJsonObject(partial) ? Number(partial['rejectedSpans'] ?? 0) : 0;
  return Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0;
}

function reasonOf(error: unknown): string {
  if (error instanceof BadStatus) return `status ${error.status}`;
  return error instanceof NoAnswerError ? error.reason : 'given up';
}
