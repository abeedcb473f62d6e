/** Log lines of requests that were not answered as asked: bounded, however many there are. */

import type { BrokerError } from '../core/errors.ts';
import type { RequestContext } from '../core/request-context.ts';
import type { Clock, Timer } from '../kit/timing/clock.ts';
import type { Logger } from '../telemetry/logger.ts';

export interface RefusalLogOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  /** Lines of one code in one window; those beyond are counted. */
  readonly maxLines?: number;
  readonly windowMs?: number;
}

interface Window {
  lines: number;
  unlogged: number;
}

/**
 * One line for each refusal and failure, with the address, and the client where a token has proven one. Of one code
 * there are fifty lines in ten seconds, and then one with the exact number of the others: whoever is refused often
 * enough must not fill the place where logs are kept (T70).
 */
export class RefusalLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #maxLines: number;
  readonly #windowMs: number;
  /** By code, which are a closed set. */
  readonly #windows = new Map<string, Window>();
  #timer: Timer | undefined;

  constructor({ logger, clock, maxLines = 50, windowMs = 10_000 }: RefusalLogOptions) {
    this.#logger = logger;
    this.#clock = clock;
    this.#maxLines = maxLines;
    this.#windowMs = windowMs;
  }

  note(problem: BrokerError, error: unknown, route: string, context?: RequestContext): void {
    if (!this.#mayLog(problem.code)) return;
    const event = {
      requestId: context?.requestId ?? '',
      traceId: context?.traceId,
      route,
      code: problem.code,
      reason: problem.reason,
      sourceIp: context?.sourceIp,
      client: context?.caller?.clientId,
    };
    if (problem.status < 500) this.#logger.info(event, 'refused');
    else this.#logger.error({ ...event, err: causeWorthKnowing(error, problem) }, 'failed');
  }

  /** Writes what was counted. */
  stop(): void {
    this.#timer?.cancel();
    this.#endWindows();
  }

  #mayLog(code: string): boolean {
    const window = this.#windows.get(code) ?? { lines: 0, unlogged: 0 };
    this.#windows.set(code, window);
    this.#timer ??= this.#clock.after(this.#windowMs, () => this.#endWindows());
    if (window.lines >= this.#maxLines) {
      window.unlogged += 1;
      return false;
    }
    window.lines += 1;
    return true;
  }

  #endWindows(): void {
    this.#timer = undefined;
    for (const [code, { unlogged }] of this.#windows) {
      if (unlogged > 0) this.#logger.warn({ code, unlogged }, 'more of the same, without a line');
    }
    this.#windows.clear();
  }
}

/** In an outage every request fails alike: where in the code adds nothing to the code, and a stack each is a flood. */
function causeWorthKnowing(error: unknown, { code, cause }: BrokerError): unknown {
  return code === 'internal_error' ? error : cause;
}
