/** A role mapping ready for decisions. Compiled when somebody first comes for it: of a million, most wait for nobody. */

import { ownText } from '../../kit/text/own-text.ts';
import { remember } from '../remember.ts';
import { type CompiledCheck, compileConditions } from './conditions/conditions.ts';
import { roleKey } from './role-key.ts';
import type { Principal, RoleMapping, StoredRoleMapping } from './role-mapping.ts';

export interface CompiledMapping {
  readonly mapping: RoleMapping;
  readonly version: number;
  readonly effect: RoleMapping['effect'];
  /** 3 for a user, 2 for an app client, 1 for a group, 0 for anyone. */
  readonly specificity: number;
  /** Of `mapping.role`. */
  readonly roleKey: string;
  /** All must hold. */
  readonly checks: readonly CompiledCheck[];
  readonly durationSeconds: number;
  readonly maxDurationSeconds: number;
}

export function compileMapping({ mapping, version }: StoredRoleMapping): CompiledMapping {
  const { effect, conditions, session } = mapping;
  return {
    mapping,
    version,
    effect,
    specificity: specificityOf(mapping.principal),
    roleKey: ownText(roleKey(mapping.role)),
    checks: checksFor[effect](conditions),
    durationSeconds: session.durationSeconds,
    maxDurationSeconds: session.maxDurationSeconds,
  };
}

/** Many mappings share their conditions. */
const checksFor = {
  allow: remember((conditions: RoleMapping['conditions']) =>
    compileConditions({ effect: 'allow', conditions }),
  ),
  deny: remember((conditions: RoleMapping['conditions']) =>
    compileConditions({ effect: 'deny', conditions }),
  ),
};

/**
 * As a snapshot holds it. What decisions look at is in one small object that is made for the first of them, so that it
 * lies beside those of other mappings in use, wherever among a million this one is: a processor's caches hold the mappings
 * in use, and not all.
 */
export class HeldMapping implements CompiledMapping {
  readonly mapping: RoleMapping;
  readonly version: number;
  readonly #lateCheck: LateCheck | undefined;
  #inUse: CompiledMapping | undefined;

  constructor({ mapping, version }: StoredRoleMapping, lateCheck?: LateCheck) {
    this.mapping = mapping;
    this.version = version;
    this.#lateCheck = lateCheck;
  }

  /** For decisions: nothing decides that was not checked, and what fails the check denies its principal everything. */
  get inUse(): CompiledMapping {
    if (this.#inUse !== undefined) return this.#inUse;
    const good = this.#lateCheck === undefined || this.#lateCheck(this.mapping);
    this.#inUse = compileMapping(good ? this : denying(this));
    return this.#inUse;
  }

  get effect(): RoleMapping['effect'] {
    return this.mapping.effect;
  }

  get specificity(): number {
    return specificityOf(this.mapping.principal);
  }

  get roleKey(): string {
    return this.#inUse?.roleKey ?? roleKey(this.mapping.role);
  }

  get checks(): readonly CompiledCheck[] {
    return this.#inUse?.checks ?? checksFor[this.effect](this.mapping.conditions);
  }

  get durationSeconds(): number {
    return this.mapping.session.durationSeconds;
  }

  get maxDurationSeconds(): number {
    return this.mapping.session.maxDurationSeconds;
  }
}

/** Whether a mapping is good that others are said to have checked. */
export type LateCheck = (mapping: RoleMapping) => boolean;

function denying({ mapping, version }: StoredRoleMapping): StoredRoleMapping {
  return { mapping: { ...mapping, effect: 'deny', role: '*', conditions: {} }, version };
}

function specificityOf(principal: Principal): number {
  return 'user' in principal ? 3 : 'client' in principal ? 2 : 'group' in principal ? 1 : 0;
}
