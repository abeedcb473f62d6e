/**
 * Roles that a service keeps for itself: names without any meaning to AWS, given to callers by what their tokens
 * prove. Rules are role mappings without a session, so principals, conditions and denies mean what they mean
 * there.
 */

import { z } from 'zod';
import type { Fault } from '../core/fault.ts';
import type { CompiledMapping } from '../core/policy/compiled-mapping.ts';
import { failedCondition, refusedConditions } from '../core/policy/conditions/conditions.ts';
import { checkTimes, faultsOf } from '../core/policy/mapping-check.ts';
import { compileSnapshot, type PolicySnapshot } from '../core/policy/policy-snapshot.ts';
import { type RoleMapping, roleMappingSchema } from '../core/policy/role-mapping.ts';
import { judgedCaller, type ServiceCaller } from './service-caller.ts';

/** One rule as a file has it: a role mapping whose role is one of the service's own. */
const serviceRoleDocument = roleMappingSchema
  .omit({ session: true, precedence: true, managedBy: true })
  .extend({
    role: z.union([roleMappingSchema.shape.id, z.literal('*')], {
      error: 'must be the name of a service role: ^[a-z0-9][a-z0-9-]{0,62}$',
    }),
    conditions: roleMappingSchema.shape.conditions
      .unwrap()
      // Behind a proxy the address of the connection is not that of the caller.
      .omit({ sourceCidrs: true })
      .prefault({}),
  });

export type ServiceRoleDocument = z.output<typeof serviceRoleDocument>;

export type ServiceRoleCheck =
  | { readonly kind: 'valid'; readonly document: ServiceRoleDocument }
  | { readonly kind: 'invalid'; readonly faults: readonly Fault[] };

export function checkServiceRole(value: unknown): ServiceRoleCheck {
  const parsed = serviceRoleDocument.safeParse(value);
  if (!parsed.success) return { kind: 'invalid', faults: parsed.error.issues.flatMap(faultsOf) };
  const document = parsed.data;
  const faults = [...checkAllow(document), ...refusedConditions(document), ...checkTimes(document)];
  return faults.length === 0 ? { kind: 'valid', document } : { kind: 'invalid', faults };
}

function checkAllow({ effect, principal, role, conditions }: ServiceRoleDocument): Fault[] {
  if (effect === 'deny') return [];
  const faults: Fault[] = [];
  if (role === '*') faults.push({ pointer: '/role', detail: 'an allow must name one role' });
  if (!('any' in principal)) return faults;
  const { scopes, claims = {} } = conditions;
  const narrow = scopes !== undefined || Object.keys(claims).length > 0;
  if (principal.pool === '*' || !narrow) {
    const detail = 'an allow for anyone must name the pool, and scopes or claims';
    faults.push({ pointer: '/principal', detail });
  }
  return faults;
}

/** Which callers have which roles. A deny that matches wins; what no rule gives, nobody has. */
export class ServiceRoles {
  readonly #names = new Set<string>();
  readonly #claims = new Set<string>();
  readonly #policy: PolicySnapshot;

  constructor(documents: readonly ServiceRoleDocument[]) {
    for (const { role, effect, conditions } of documents) {
      if (effect === 'allow') this.#names.add(role);
      for (const claim of Object.keys(conditions.claims ?? {})) this.#claims.add(claim);
    }
    const rows = documents.map((document) => ({ mapping: asMapping(document), version: 1 }));
    this.#policy = compileSnapshot(0, rows);
  }

  /** Those that a rule can give. */
  get names(): ReadonlySet<string> {
    return this.#names;
  }

  /** Claims that rules look at; a deny on a claim that nobody reads would be void. */
  get claims(): ReadonlySet<string> {
    return this.#claims;
  }

  /** `now` is epoch milliseconds. */
  has(serviceCaller: ServiceCaller, role: string, now: number): boolean {
    const caller = judgedCaller(serviceCaller);
    const concerns = ({ mapping }: CompiledMapping) =>
      mapping.role === role || mapping.role === '*';
    const facts = { caller, sourceIp: '', now };
    const holding = this.#policy
      .mappingsFor(caller)
      .filter((rule) => concerns(rule) && failedCondition(rule.checks, facts) === undefined);
    return (
      holding.some(({ mapping }) => mapping.effect === 'allow') &&
      !holding.some(({ mapping }) => mapping.effect === 'deny')
    );
  }
}

/** What a role mapping without one has: no session is ever made of it. */
const noSession = roleMappingSchema.shape.session.parse(undefined);

function asMapping(document: ServiceRoleDocument): RoleMapping {
  return { ...document, session: noSession, precedence: 0, managedBy: 'git' };
}
