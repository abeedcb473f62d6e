/**
 * What the policy gives to whom, said once more and as plainly as can be, for the laboratory to judge by. Nothing of the
 * broker's own way to decide is used here, so that the two can disagree.
 */

import type { RoleMappingInput } from '../src/core/policy/role-mapping.ts';
import type { Ask } from './wire-forms.ts';

/** A token as the laboratory made it. */
export interface Asker {
  readonly pool: string;
  /** App client; identity pools have none. */
  readonly client: string | undefined;
  readonly user: string;
  readonly groups: readonly string[];
  readonly machine: boolean;
  readonly scopes: readonly string[];
  /** Value of `custom:team`. */
  readonly team: unknown;
  readonly amr: readonly string[];
  /** False: expired. */
  readonly valid: boolean;
}

export interface Due {
  readonly mapping: RoleMappingInput;
  readonly role: string;
  readonly durationSeconds: number;
  /** JSON text. */
  readonly policy: string | undefined;
}

export type Rows = ReadonlyMap<string, RoleMappingInput>;

/** The session that is due under these mappings, or none. */
export function sessionDue(rows: Rows, asker: Asker, ask: Ask): Due | undefined {
  if (!asker.valid) return undefined;
  const matching = [...rows.values()].filter((row) => row.enabled !== false && applies(row, asker));
  const denies = matching.filter(({ effect }) => effect === 'deny');
  const free = matching
    .filter(({ effect }) => effect === 'allow')
    .filter(({ role }) => !denies.some((deny) => deny.role === '*' || deny.role === role));
  const role = roleMeant(rows, free, ask.role);
  const [best] = free.filter((row) => row.role === role).sort(bySpecificity);
  return best === undefined ? undefined : sessionOf(best, ask);
}

function roleMeant(
  rows: Rows,
  free: readonly RoleMappingInput[],
  wanted: string | undefined,
): string | undefined {
  if (wanted === undefined) {
    const [only, another] = new Set(free.map(({ role }) => role));
    return another === undefined ? only : undefined;
  }
  if (wanted.startsWith('arn:')) return wanted;
  // A name stands for the role of its mapping, for those to whom that mapping itself gives it.
  return free.find(({ id }) => id === wanted) === undefined ? undefined : rows.get(wanted)?.role;
}

function applies(row: RoleMappingInput, asker: Asker): boolean {
  const { caller, scopes = [], claims = {}, sourceCidrs } = row.conditions ?? {};
  const teams = claims['custom:team'];
  return (
    isFor(row.principal, asker) &&
    (caller === undefined || (caller === 'machine') === asker.machine) &&
    scopes.every((scope) => asker.scopes.includes(scope)) &&
    // All of the laboratory asks from 127.0.0.1.
    (sourceCidrs === undefined || sourceCidrs.includes('127.0.0.0/8')) &&
    (teams === undefined || isInTeam(teams, asker.team, row.effect))
  );
}

function isFor(principal: RoleMappingInput['principal'], asker: Asker): boolean {
  if (principal.pool !== asker.pool && principal.pool !== '*') return false;
  if ('client' in principal) return principal.client === asker.client;
  if ('user' in principal) return principal.user === asker.user;
  if ('group' in principal) return asker.groups.includes(principal.group);
  return principal.any;
}

function isInTeam(teams: readonly unknown[], team: unknown, effect: 'allow' | 'deny'): boolean {
  // The laboratory's mappings list texts: a number cannot be compared with them, which is never to the good of who has it.
  if (typeof team === 'number') return effect === 'deny';
  return teams.some((one) => [team].flat().includes(one));
}

function bySpecificity(a: RoleMappingInput, b: RoleMappingInput): number {
  const rank = ({ principal }: RoleMappingInput) =>
    ['user', 'client', 'group'].findIndex((kind) => kind in principal);
  const precedence = (row: RoleMappingInput) => row.precedence ?? 100;
  return rank(a) - rank(b) || precedence(a) - precedence(b) || (a.id < b.id ? -1 : 1);
}

function sessionOf(mapping: RoleMappingInput, ask: Ask): Due | undefined {
  const { session = {}, role } = mapping;
  const { durationSeconds = 3600, maxDurationSeconds = 3600, callerPolicy = false } = session;
  const asked = ask.durationSeconds;
  if (asked !== undefined && (asked < 900 || asked > maxDurationSeconds)) return undefined;
  if (ask.policy !== undefined && !callerPolicy) return undefined;
  return {
    mapping,
    role,
    durationSeconds: asked === undefined ? durationSeconds : Math.floor(asked / 60) * 60,
    policy: ask.policy ?? (session.policy && JSON.stringify(session.policy)),
  };
}

/** The mappings as they can be at this moment: with an edit under way, those before it and those after it. */
export class PolicyHistory {
  #settled: Rows;
  #coming: Rows | undefined;
  /** Differs whenever anything has begun or ended. */
  moment = 0;

  constructor(mappings: readonly RoleMappingInput[]) {
    this.#settled = new Map(mappings.map((mapping) => [mapping.id, mapping]));
  }

  get rows(): Rows {
    return this.#settled;
  }

  get possible(): readonly Rows[] {
    return this.#coming === undefined ? [this.#settled] : [this.#settled, this.#coming];
  }

  /** An edit is sent now. Undefined: the mapping is removed. */
  begin(id: string, mapping: RoleMappingInput | undefined): void {
    const coming = new Map(this.#settled);
    if (mapping === undefined) coming.delete(id);
    else coming.set(id, mapping);
    this.#coming = coming;
    this.moment += 1;
  }

  /** It was refused: nothing has changed. */
  abandon(): void {
    this.#coming = undefined;
    this.moment += 1;
  }

  /** It was acknowledged: what was before counts no more. */
  acknowledge(): void {
    this.#settled = this.#coming ?? this.#settled;
    this.#coming = undefined;
    this.moment += 1;
  }
}
