/** Who would have more and who would have less, from the mapping as it was and as it would be. */

import type { RoleMapping } from '../documents.ts';
import { jsonDifference } from '../json-difference.ts';
import { principalWords, statusOf } from '../mapping-words.ts';

export function WhoIsConcerned({
  before,
  after,
}: {
  readonly before: RoleMapping | undefined;
  readonly after: RoleMapping | undefined;
}) {
  const lines = reachChanges(before, after, Date.now());
  if (lines.length === 0) return null;
  return (
    <div class="note">
      <p>
        <strong>For whom</strong>
      </p>
      <ul>
        {lines.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
      <p class="quiet">By this mapping alone: others may give or take the same role.</p>
    </div>
  );
}

function reachChanges(
  before: RoleMapping | undefined,
  after: RoleMapping | undefined,
  now: number,
): readonly string[] {
  const [was, is] = [inForce(before, now), inForce(after, now)];
  if (was === undefined && is === undefined)
    return ['Nobody: it is not in force, before or after.'];
  if (was !== undefined && is !== undefined && isSameGrant(was, is)) return changedTerms(was, is);
  return [
    ...(was === undefined ? [] : [sentence(was, was.effect === 'allow' ? 'loses' : 'gets back')]),
    ...(is === undefined ? [] : [sentence(is, is.effect === 'allow' ? 'gains' : 'is kept from')]),
  ];
}

function inForce(mapping: RoleMapping | undefined, now: number): RoleMapping | undefined {
  return mapping !== undefined && statusOf(mapping, now) === 'in force' ? mapping : undefined;
}

function isSameGrant(was: RoleMapping, is: RoleMapping): boolean {
  const grant = ({ principal, role, effect }: RoleMapping) =>
    `${effect} ${role} ${principalWords(principal)}`;
  return grant(was) === grant(is);
}

function changedTerms(was: RoleMapping, is: RoleMapping): readonly string[] {
  const terms = (['conditions', 'session'] as const).filter(
    (name) => jsonDifference(was[name], is[name]).length > 0,
  );
  if (terms.length === 0) return [];
  return [
    `${principalWords(is.principal)}: the same role on other terms (${terms.join(' and ')}); the differences below say which.`,
  ];
}

/** Of a deny of every role: whoever is free of it has no more than what others give. */
function reachWords(role: string, verb: string): string {
  if (role !== '*') return role;
  return verb === 'gets back' ? 'whatever role mappings give them' : 'every role';
}

function sentence({ principal, role }: RoleMapping, verb: string): string {
  return `${principalWords(principal)} ${verb} ${reachWords(role, verb)}`;
}
