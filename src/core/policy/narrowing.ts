/**
 * Whether a change of one role mapping is proven to give nobody anything that they could not have before. It looks
 * at the mappings around it, too: without an allow, one that it went before may give its callers a wider session.
 * What is not proven here counts as widening, so nothing is lost but somebody's time.
 */

import { documentChanges } from '../../kit/json/document-changes.ts';
import { everyInPieces, type PiecesOfWork } from '../../kit/timing/in-turns.ts';
import { isNarrowerSession } from '../session/narrower-session.ts';
import { type CompiledMapping, compileMapping } from './compiled-mapping.ts';
import { conditionsNarrow } from './conditions/conditions.ts';
import { precedes } from './decide.ts';
import { principalKey } from './policy-snapshot.ts';
import { roleKey } from './role-key.ts';
import type { Principal, RoleMapping } from './role-mapping.ts';

export interface MappingStep {
  /** Undefined: there is none. */
  readonly before: RoleMapping | undefined;
  readonly after: RoleMapping | undefined;
}

const perPiece = 500;

/** `others`: all mappings but this one; undefined where they are not known. */
export function* isNarrowing(
  { before, after }: MappingStep,
  others: Iterable<CompiledMapping> | undefined,
): PiecesOfWork<boolean> {
  const [from, to] = [inForce(before), inForce(after)];
  if (from === undefined) return to === undefined || to.effect === 'deny';
  if (from.effect === 'deny') return to?.effect === 'deny' && deniesAsMuch(from, to);
  if (to?.effect === 'allow') {
    if (!givesNoMore(from, to)) return false;
    // Whoever had it has it still, so nothing behind it comes to light.
    if (documentChanges(from.conditions, to.conditions).length === 0) return true;
  }
  return others !== undefined && (yield* uncoversNothing(from, others));
}

function inForce(mapping: RoleMapping | undefined): RoleMapping | undefined {
  return mapping?.enabled === true ? mapping : undefined;
}

function deniesAsMuch(from: RoleMapping, to: RoleMapping): boolean {
  const roles = to.role === '*' || roleKey(to.role) === roleKey(from.role);
  return (
    roles &&
    includes(to.principal, from.principal) &&
    conditionsNarrow(to.conditions, from.conditions, 'deny')
  );
}

function includes(wider: Principal, narrower: Principal): boolean {
  if ('any' in wider) return wider.pool === '*' || wider.pool === narrower.pool;
  return principalKey(wider) === principalKey(narrower);
}

function givesNoMore(from: RoleMapping, to: RoleMapping): boolean {
  return (
    principalKey(to.principal) === principalKey(from.principal) &&
    to.role === from.role &&
    // By another precedence it may go before a mapping that gives less.
    to.precedence === from.precedence &&
    conditionsNarrow(from.conditions, to.conditions, 'allow') &&
    isNarrowerSession(from.session, to.session)
  );
}

/** Whether the allows that count for its callers once this one does not give them no more than it did. */
function* uncoversNothing(
  from: RoleMapping,
  others: Iterable<CompiledMapping>,
): PiecesOfWork<boolean> {
  const compiled = compileMapping({ mapping: from, version: 0 });
  return yield* everyInPieces(others, perPiece, (other) => !uncovers(compiled, other));
}

function uncovers(compiled: CompiledMapping, other: CompiledMapping): boolean {
  const from = compiled.mapping;
  const { id, effect, enabled, principal } = other.mapping;
  if (id === from.id || effect === 'deny' || !enabled) return false;
  if (other.roleKey !== compiled.roleKey || !mayMeet(principal, from.principal)) return false;
  return precedes(compiled, other) && !standsInFor(from, other.mapping);
}

/** Whether one caller can be both. */
function mayMeet(one: Principal, other: Principal): boolean {
  if (one.pool !== other.pool) return false;
  const alike = ('user' in one && 'user' in other) || ('client' in one && 'client' in other);
  return !alike || principalKey(one) === principalKey(other);
}

/** These stand for the id of the mapping in the name of a session. */
const namedByMapping = /\{(?:mapping|requested)\}/;

function standsInFor(from: RoleMapping, other: RoleMapping): boolean {
  return (
    other.role === from.role &&
    !namedByMapping.test(from.session.name) &&
    isNarrowerSession(from.session, other.session)
  );
}
