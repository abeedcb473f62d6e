/** What a condition of a role mapping is made of. conditions.ts has the table of all of them. */

import type { z } from 'zod';
import type { JsonPointer } from '../../../kit/json/json-pointer.ts';
import type { Caller } from '../../caller.ts';
import type { Fault } from '../../fault.ts';

export type Effect = 'allow' | 'deny';

/** What conditions are judged by. */
export interface RequestFacts {
  readonly caller: Caller;
  /** Address that the request came from, as text. */
  readonly sourceIp: string;
  /** Epoch milliseconds. */
  readonly now: number;
}

/** A condition of one mapping, or a part of it that can fail by itself. */
export interface ConditionCheck<Facts> {
  /** JSON Pointer from the condition on. */
  readonly pointer: JsonPointer;
  holds(facts: Facts): boolean;
  /** For people who ask why it does not hold. */
  readonly expected: unknown;
  /** Null: the caller has no such thing. */
  actual(facts: Facts): unknown;
}

interface Described<Schema extends z.ZodType, Reason extends string> {
  readonly schema: Schema;
  /** When it holds, in one sentence. */
  readonly description: string;
  /** Why a request is denied of which only this fails. */
  readonly reason: Reason;
  /** The reason in words. */
  readonly reasonMeaning: string;
  readonly onDeny: OnDeny<Schema>;
  /** Whether the second value holds for nobody for whom the first does not: proven, not only likely. */
  narrows(from: z.output<Schema>, to: z.output<Schema>, effect: Effect): boolean;
}

/** How a deny fares that depends on this: what it cannot see in every token lets somebody slip past. */
export type OnDeny<Schema extends z.ZodType> =
  | { readonly kind: 'sees_everybody' }
  | { readonly kind: 'refused'; readonly detail: string }
  | {
      readonly kind: 'warned_of';
      /** Pointers from the condition on. */
      unseen(value: z.output<Schema>, principal: DeniedPrincipal): readonly Fault[];
    };

export type DeniedPrincipal = Readonly<Record<string, unknown>>;

/** Judged by the clock alone, so that it is known before anybody comes. */
export interface TimeCondition<Schema extends z.ZodType, Reason extends string, Status>
  extends Described<Schema, Reason> {
  readonly judgedBy: 'time';
  /** Of a mapping for which it does not hold. */
  readonly status: Status;
  compile(value: z.output<Schema>): ConditionCheck<Pick<RequestFacts, 'now'>>;
}

/** Judged by each request. */
export interface RequestCondition<Schema extends z.ZodType, Reason extends string>
  extends Described<Schema, Reason> {
  readonly judgedBy: 'request';
  /** Once for each mapping, so that a decision does as little as it can. */
  compile(value: z.output<Schema>, effect: Effect): readonly ConditionCheck<RequestFacts>[];
}

/** Keeps the literal types of what it is given. */
export function timeCondition<
  Schema extends z.ZodType,
  const Reason extends string,
  const Status extends string,
>(parts: Omit<TimeCondition<Schema, Reason, Status>, 'judgedBy'>) {
  return { judgedBy: 'time', ...parts } as const;
}

export function requestCondition<Schema extends z.ZodType, const Reason extends string>(
  parts: Omit<RequestCondition<Schema, Reason>, 'judgedBy'>,
) {
  return { judgedBy: 'request', ...parts } as const;
}
