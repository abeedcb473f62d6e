/**
 * How the doctor asks AWS: reads, each once, each with a deadline and a limit of size, by the credentials of whoever runs it.
 * The SDK's clients are loaded with the first question to their service.
 */

import { collectBounded } from '../../aws/bounded-answers.ts';
import { requestTimeouts } from '../../aws/request-timeouts.ts';
import { type JsonObject, parseJsonObject } from '../../kit/json/json-object.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import { withDeadline } from '../../kit/timing/with-deadline.ts';
import { unreadOf } from '../aws-failure.ts';
import type { Reading } from '../finding.ts';
import { MadeOnce } from '../made-once.ts';

/** For one question, with the SDK's second try. */
const deadlineMs = 10_000;

/** Of every client. Never a `logger`: the SDK logs whole requests and answers. */
export const clientLimits = {
  maxAttempts: 2,
  requestHandler: requestTimeouts(deadlineMs, 2_000),
  streamCollector: collectBounded,
};

export class Questions {
  readonly #clock: Clock;
  readonly #answers = new MadeOnce<Reading<unknown>>();
  readonly #clients = new MadeOnce<{ destroy(): void }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `action` and `what` together are the question: asked again, it has the same answer. */
  ask<Value>(
    action: string,
    what: string,
    call: (signal: AbortSignal) => Promise<Value>,
  ): Promise<Reading<Value>> {
    const answer = this.#answers.get(`${action} ${what}`, () => this.#askNow(action, call));
    return answer as Promise<Reading<Value>>;
  }

  async #askNow<Value>(
    action: string,
    call: (signal: AbortSignal) => Promise<Value>,
  ): Promise<Reading<Value>> {
    const limits = { clock: this.#clock, timeoutMs: deadlineMs };
    try {
      return { kind: 'read', value: await withDeadline(limits, call) };
    } catch (error) {
      if (error instanceof OddAnswer) return { kind: 'unread', why: error.message };
      return unreadOf(action, error);
    }
  }

  /** The one of that name. */
  client<Client extends { destroy(): void }>(
    name: string,
    make: () => Promise<Client>,
  ): Promise<Client> {
    return this.#clients.get(name, make) as Promise<Client>;
  }

  stop(): void {
    for (const client of this.#clients.all())
      client.then(
        (one) => one.destroy(),
        () => {},
      );
  }
}

/** An answer that cannot be what was asked for. */
export class OddAnswer extends Error {
  override readonly name = 'OddAnswer';
}

/** @throws OddAnswer */
export function given<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new OddAnswer('the answer lacks what was asked for');
  return value;
}

/** Services that answer in JSON may send anything in the place of a text. @throws OddAnswer */
export function givenText(value: string | undefined): string {
  if (typeof value !== 'string') throw new OddAnswer('the answer lacks what was asked for');
  return value;
}

/** @throws OddAnswer */
export function jsonDocument(decoded: string): JsonObject {
  const document = parseJsonObject(decoded);
  if (document === undefined) throw new OddAnswer('the policy document is no JSON object');
  return document;
}
