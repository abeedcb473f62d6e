/**
 * A request at the door. Nothing of it can be read, and no answer can be sent, before admission has let it in: there
 * is no other way to the request and its response (T132). Who refuses it is told through `admit`, inside of the use
 * case that puts refusals on record.
 */

import type { Request } from 'express';
import type { BrokerError } from '../core/errors.ts';
import type { RequestContext } from '../core/request-context.ts';
import type { Admission, AdmittedRequest } from './admission.ts';

export class Arrival {
  readonly #req: Request;
  readonly #admission: Admission;
  #admitted: AdmittedRequest | undefined;

  constructor(req: Request, admission: Admission) {
    this.#req = req;
    this.#admission = admission;
  }

  /**
   * The request, which is judged once.
   *
   * @throws BrokerError
   */
  admit(): AdmittedRequest {
    this.#admitted ??= this.#admission(this.#req);
    return this.#admitted;
  }

  /** What a refusal is recorded with: a parameter of the route's path. */
  parameter(name: string): string {
    return String(this.#req.params[name]);
  }

  /** The same: whether there is such a header, by its lower-case name. */
  has(header: string): boolean {
    return this.#req.headers[header] !== undefined;
  }

  /** What is answered instead of `error`: a refusal by admission, if nobody has asked for it. */
  refusalBefore(error: unknown): unknown {
    try {
      this.admit();
      return error;
    } catch (refused) {
      return refused;
    }
  }
}

/** Sends an answer, throws, or returns the refusal that is to be answered. */
export type RouteHandler = (
  arrival: Arrival,
  context: RequestContext,
) => void | Promise<void> | Promise<BrokerError | undefined>;

/** For a route that puts nothing on record. */
export function admitting(
  handler: (req: AdmittedRequest, context: RequestContext) => void | Promise<void>,
): RouteHandler {
  return (arrival, context) => handler(arrival.admit(), context);
}
