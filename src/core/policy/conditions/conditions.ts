/**
 * Every condition that a role mapping may have, in the order in which they are judged. All that is known of them
 * is read off this table: schema, decision, explanation, reverse queries, reasons, warnings, what narrows and documentation.
 */

import { z } from 'zod';
import type { JsonPointer } from '../../../kit/json/json-pointer.ts';
import type { Fault } from '../../fault.ts';
import { callerKind } from './caller-kind.ts';
import { claims } from './claims.ts';
import type {
  ConditionCheck,
  DeniedPrincipal,
  Effect,
  RequestCondition,
  RequestFacts,
  TimeCondition,
} from './condition.ts';
import { expiresAt } from './expires-at.ts';
import { notBefore } from './not-before.ts';
import { scopes } from './scopes.ts';
import { sourceCidrs } from './source-cidrs.ts';

/** A new condition is a file and a line here. */
export const conditions = {
  notBefore,
  expiresAt,
  caller: callerKind,
  scopes,
  claims,
  sourceCidrs,
} satisfies Record<
  string,
  TimeCondition<z.ZodType, string, string> | RequestCondition<z.ZodType, string>
>;

type Table = typeof conditions;
export type ConditionName = keyof Table;
export type ConditionReason = Table[ConditionName]['reason'];
/** Of a mapping that is not in force because of the time. */
export type TimeStatus = Extract<Table[ConditionName], { judgedBy: 'time' }>['status'];

type AnyCondition =
  | TimeCondition<z.ZodType, ConditionReason, TimeStatus>
  | RequestCondition<z.ZodType, ConditionReason>;

const entries = Object.entries(conditions) as readonly (readonly [ConditionName, AnyCondition])[];

type Shape = { [Name in ConditionName]: z.ZodOptional<Table[Name]['schema']> };

export const conditionsSchema = z.strictObject(
  Object.fromEntries(entries.map(([name, { schema }]) => [name, schema.optional()])) as Shape,
);

export type Conditions = z.output<typeof conditionsSchema>;

/** A part of a condition of one mapping, ready to be judged. */
export type CompiledCheck = { readonly reason: ConditionReason } & (
  | ({ readonly judgedBy: 'time'; readonly status: TimeStatus } & ConditionCheck<
      Pick<RequestFacts, 'now'>
    >)
  | ({ readonly judgedBy: 'request' } & ConditionCheck<RequestFacts>)
);

interface Conditional {
  readonly effect: Effect;
  readonly conditions: Conditions;
}

/** All of them must hold. Pointers are into the mapping. */
export function compileConditions({ effect, conditions: given }: Conditional): CompiledCheck[] {
  return present(given).flatMap(([name, condition, value]): CompiledCheck[] => {
    const at = (pointer: JsonPointer) => `/conditions/${name}${pointer}` as const;
    const { reason } = condition;
    if (condition.judgedBy === 'time') {
      const check = condition.compile(value);
      const { judgedBy, status } = condition;
      return [{ ...check, pointer: at(check.pointer), reason, judgedBy, status }];
    }
    const { judgedBy } = condition;
    return condition
      .compile(value, effect)
      .map((check) => ({ ...check, pointer: at(check.pointer), reason, judgedBy }));
  });
}

/** The first condition that does not hold, or undefined if all do. */
export function failedCondition(
  checks: readonly CompiledCheck[],
  facts: RequestFacts,
): ConditionReason | undefined {
  for (const check of checks) if (!check.holds(facts)) return check.reason;
  return undefined;
}

/** Whether whoever meets the second conditions is proven to meet the first ones, too. */
export function conditionsNarrow(from: Conditions, to: Conditions, effect: Effect): boolean {
  return present(from).every(([name, condition, value]) => {
    const kept = to[name];
    return kept !== undefined && condition.narrows(value, kept, effect);
  });
}

/** Why a deny must not depend on what it depends on (T61). */
export function refusedConditions({ effect, conditions: given }: Conditional): Fault[] {
  if (effect === 'allow') return [];
  return present(given).flatMap(([name, { onDeny }]) =>
    onDeny.kind === 'refused' ? [{ pointer: `/conditions/${name}`, detail: onDeny.detail }] : [],
  );
}

/** Who slips past a deny, and by what (T61). */
export function unseenByDeny({
  effect,
  conditions: given,
  principal,
}: Conditional & { readonly principal: DeniedPrincipal }): Fault[] {
  if (effect === 'allow') return [];
  return present(given).flatMap(([name, { onDeny }, value]) =>
    onDeny.kind === 'warned_of'
      ? onDeny
          .unseen(value, principal)
          .map(({ pointer, detail }) => ({ pointer: `/conditions/${name}${pointer}`, detail }))
      : [],
  );
}

function present(given: Conditions): (readonly [ConditionName, AnyCondition, unknown])[] {
  return entries.flatMap(([name, condition]) => {
    const value = given[name];
    return value === undefined ? [] : [[name, condition, value] as const];
  });
}
