/** What makes a way to ask for credentials: each is a folder here, and a line in `wireForms`. */

import type { Exchange } from '../../core/exchange.ts';
import type { HeldSessions } from '../../core/ports.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import type { RouteHandler } from '../arrival.ts';
import type { SendError } from '../instrument.ts';
import type { ExchangeMetrics } from './exchange-counters.ts';

export interface WireForm {
  /** One name in metrics and audit records, whatever the path. */
  readonly route: string;
  /** Other forms may have the same path with another method. */
  readonly paths: readonly string[];
  readonly method: 'GET' | 'POST';
  /** Whether nobody speaks another form at these paths: requests by other methods are answered in this one. */
  readonly ownsPaths: boolean;
  /** Prints an error as its clients understand it. */
  readonly sendError: SendError;
  /** Reads a request, has it exchanged and prints the session; made once. */
  readonly handler: (parts: FormParts) => RouteHandler;
}

export interface FormParts {
  readonly exchange: Exchange;
  readonly sessions: HeldSessions;
  readonly metrics: ExchangeMetrics;
  readonly maxBodyBytes: number;
  readonly clock: Clock;
}
