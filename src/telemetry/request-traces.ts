/**
 * Follows the requests of callers that keep a trace: what the parts report while such a request is served becomes its spans. Nothing
 * here knows OpenTelemetry, and for every other request nothing here runs.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { TokenBucket } from '../kit/rates/token-bucket.ts';
import type { Clock } from '../kit/timing/clock.ts';
import type { TraceParent } from './trace-parent.ts';

export type Attributes = Readonly<Record<string, string | number | readonly string[]>>;

/** Something that a request waited for, told when it is over. */
export interface Step {
  readonly name: string;
  readonly kind: 'client' | 'internal';
  readonly durationMs: number;
  readonly attributes: Attributes;
  readonly failed: boolean;
}

export interface Span {
  readonly name: string;
  readonly kind: 'server' | Step['kind'];
  /** Epoch milliseconds with fractions; both ends of all spans of a request by one clock. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Attributes;
  readonly failed: boolean;
}

export interface FinishedTrace {
  readonly parent: TraceParent;
  readonly server: Span;
  readonly steps: readonly Span[];
}

/** What is said of a request when it has been answered. */
export interface Answered extends Pick<Span, 'name' | 'attributes' | 'failed'> {
  /** Whether a token has proven who asked. */
  readonly proven: boolean;
}

/**
 * `traced`: handed on. `over_limit`: more callers said "sampled" than are believed in a second. `unproven`: followed, and nobody had
 * proven who asked.
 */
export const tracedResults = ['traced', 'over_limit', 'unproven'] as const;
export type TracedResult = (typeof tracedResults)[number];

export interface RequestTracesOptions {
  readonly clock: Clock;
  /** Requests that are followed per second, however many callers ask for it. */
  readonly maxPerSecond: number;
  readonly onTrace: (trace: FinishedTrace) => void;
  readonly onResult: (result: TracedResult) => void;
}

/** Beyond these, steps of one request are not kept. */
const maxSteps = 64;

export class RequestTraces {
  readonly #options: RequestTracesOptions;
  readonly #bucket: TokenBucket;
  readonly #serving = new AsyncLocalStorage<FollowedRequest>();
  #open = 0;

  constructor(options: RequestTracesOptions) {
    this.#options = options;
    const { maxPerSecond, clock } = options;
    this.#bucket = new TokenBucket({ perSecond: maxPerSecond, burst: maxPerSecond }, clock);
  }

  /** The callers propose and this decides: undefined for a request that is not to be followed. */
  follow(parent: TraceParent | undefined): FollowedRequest | undefined {
    if (parent?.sampled !== true) return undefined;
    if (!this.#bucket.take()) {
      this.#options.onResult('over_limit');
      return undefined;
    }
    this.#open += 1;
    return new FollowedRequest(parent, this.#options, this.#serving, () => this.#ended());
  }

  /** Whether what runs now is done for a request that is followed and not yet answered. */
  get following(): boolean {
    return this.#open > 0 && this.#serving.getStore()?.open === true;
  }

  /** For the request that this is done for, if it is followed; work that goes on after its answer is no part of it. */
  add(step: Step): void {
    if (this.following) this.#serving.getStore()?.add(step);
  }

  /** On Node 20 each promise of the process costs more for as long as any store is in use. */
  #ended(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#serving.disable();
  }
}

export class FollowedRequest {
  readonly #parent: TraceParent;
  readonly #options: RequestTracesOptions;
  readonly #serving: AsyncLocalStorage<FollowedRequest>;
  readonly #onEnd: () => void;
  readonly #startMs: number;
  readonly #startedAt: number;
  readonly #steps: Span[] = [];
  #open: boolean = true;

  constructor(
    parent: TraceParent,
    options: RequestTracesOptions,
    serving: AsyncLocalStorage<FollowedRequest>,
    onEnd: () => void,
  ) {
    this.#parent = parent;
    this.#options = options;
    this.#serving = serving;
    this.#onEnd = onEnd;
    this.#startMs = options.clock.now();
    this.#startedAt = options.clock.monotonic();
  }

  get open(): boolean {
    return this.#open;
  }

  /** Everything that `serve` waits for counts as done for this request. */
  run<Value>(serve: () => Value): Value {
    return this.#serving.run(this, serve);
  }

  add({ durationMs, ...step }: Step): void {
    if (this.#steps.length >= maxSteps) return;
    const endMs = this.#nowMs();
    this.#steps.push({ ...step, startMs: Math.max(this.#startMs, endMs - durationMs), endMs });
  }

  /** Once. */
  end({ proven, ...answered }: Answered): void {
    this.#open = false;
    this.#onEnd();
    const { onTrace, onResult } = this.#options;
    // Strangers write neither into the traces of others nor into what keeps them (T203).
    onResult(proven ? 'traced' : 'unproven');
    if (!proven) return;
    const server = {
      ...answered,
      kind: 'server' as const,
      startMs: this.#startMs,
      endMs: this.#nowMs(),
    };
    onTrace({ parent: this.#parent, server, steps: this.#steps });
  }

  #nowMs(): number {
    return this.#startMs + this.#options.clock.monotonic() - this.#startedAt;
  }
}
