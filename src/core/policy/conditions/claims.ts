import { z } from 'zod';
import { escapePointer } from '../../../kit/json/json-pointer.ts';
import { type ClaimScalar, type ClaimValue, comparableItems } from '../../claim-value.ts';
import { isNormalized, notNormalized } from '../../exact-text.ts';
import { type Effect, requestCondition } from './condition.ts';

const text = z.string().min(1).max(256).refine(isNormalized, notNormalized);
/** Compared by type and value: "true" is a text, and true is none. */
const scalar = z.union([text, z.boolean(), z.int()], {
  error: 'must be 1 to 256 characters, true, false or a whole number',
});

export const claims = requestCondition({
  schema: z.record(z.string().min(1).max(128), z.array(scalar).min(1).max(50)),
  description:
    'Each named claim has one of the listed values, exactly, by type and value. Only `sub`, `client_id` and the claims that the configuration lets mappings use.',
  reason: 'claim_mismatch',
  reasonMeaning:
    'a claim is absent, has none of the listed values, or cannot be compared with them',
  onDeny: {
    kind: 'warned_of',
    unseen(byName, principal) {
      // `sub` is in every token, `client_id` in all but those of identity pools.
      const always = ['sub', ...('client' in principal ? ['client_id'] : [])];
      return Object.keys(byName)
        .filter((name) => !always.includes(name))
        .map((name) => ({
          pointer: `/${escapePointer(name)}`,
          detail:
            'whoever comes with a token without this claim slips past the deny: an access token, if only ID tokens carry it, or a token of another kind',
        }));
    },
  },
  narrows: (from, to, effect) =>
    Object.entries(from).every(([name, values]) => {
      const kept = Object.hasOwn(to, name) ? to[name] : undefined;
      if (kept === undefined || !kept.every((value) => values.includes(value))) return false;
      // A deny also holds for values of the types that it does not list.
      return effect === 'allow' || values.every((value) => hasTypeOf(kept, value));
    }),
  compile(byName, effect) {
    return Object.entries(byName).map(([name, listed]) => {
      const values = new Set<ClaimScalar>(listed);
      const types = new Set(listed.map((value) => typeof value));
      return {
        pointer: `/${escapePointer(name)}`,
        holds: ({ caller }) => holds(caller.claims.get(name), { values, types }, effect),
        expected: listed,
        actual: ({ caller }) => caller.claims.get(name) ?? null,
      };
    });
  },
});

function hasTypeOf(values: readonly ClaimScalar[], one: ClaimScalar): boolean {
  return values.some((value) => typeof value === typeof one);
}

interface Listed {
  readonly values: ReadonlySet<ClaimScalar>;
  /** Of the values, as `typeof` names them: a claim of another type cannot be compared with them. */
  readonly types: ReadonlySet<string>;
}

/** What cannot be compared fails an allow and matches a deny (T60). */
function holds(value: ClaimValue | undefined, { values, types }: Listed, effect: Effect): boolean {
  if (value === undefined) return false;
  const items = comparableItems(value);
  if (items === undefined || !items.every((item) => types.has(typeof item))) {
    return effect === 'deny';
  }
  return items.some((item) => values.has(item));
}
