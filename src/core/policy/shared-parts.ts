/** Parts that many role mappings have in common are kept once: half of what a large policy would take. */

import type { RoleMapping } from './role-mapping.ts';

/** What is seen again and again stays; what is seen once goes with the older half. */
class RecentlySeen<Value> {
  readonly #most: number;
  #newer = new Map<string, Value>();
  #older = new Map<string, Value>();

  constructor(most: number) {
    this.#most = most;
  }

  /** The value that was seen under this key before, or this one. */
  one(key: string, value: () => Value): Value {
    const known = this.#newer.get(key);
    if (known !== undefined) return known;
    const kept = this.#older.get(key) ?? value();
    if (this.#newer.size >= this.#most) {
      this.#older = this.#newer;
      this.#newer = new Map();
    }
    this.#newer.set(key, kept);
    return kept;
  }
}

const maxSeen = 2_000;
const texts = new RecentlySeen<string>(maxSeen);
const conditionSets = new RecentlySeen<RoleMapping['conditions']>(maxSeen);
const noPolicyArns: string[] = [];
Object.freeze(noPolicyArns);

/** An equal mapping. Nobody may change what is shared, so it is frozen. */
export function withSharedParts(mapping: RoleMapping): RoleMapping {
  const { principal, conditions, session } = mapping;
  return {
    id: mapping.id,
    description: shared(mapping.description),
    principal: { ...principal, pool: shared(principal.pool) },
    effect: mapping.effect === 'deny' ? 'deny' : 'allow',
    role: mapping.role,
    conditions: sharedConditions(conditions),
    session: {
      ...session,
      name: shared(session.name),
      policyArns: session.policyArns.length === 0 ? noPolicyArns : session.policyArns,
    },
    precedence: mapping.precedence,
    owner: shared(mapping.owner),
    managedBy: mapping.managedBy,
    enabled: mapping.enabled,
  };
}

function shared(text: string): string {
  return texts.one(text, () => text);
}

function sharedConditions(conditions: RoleMapping['conditions']): RoleMapping['conditions'] {
  return conditionSets.one(JSON.stringify(conditions), () => deeplyFrozen(conditions));
}

function deeplyFrozen<Value extends object>(value: Value): Value {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null) deeplyFrozen(part);
  }
  return Object.freeze(value);
}
