/** Service roles as code writes them: short, and turned into the same documents that a file has. */

import { z } from 'zod';
import { checkServiceRole, type ServiceRoleDocument, ServiceRoles } from './service-roles.ts';

/** Everything that is there must hold, and at least one of clients, groups, scopes and claims must be there. */
export interface ServiceRoleRule {
  /** Id of the user pool: groups, scopes and claims of another pool mean something else. */
  readonly pool: string;
  /** App clients: one of them. */
  readonly clients?: readonly string[];
  /** Groups: one of them. */
  readonly groups?: readonly string[];
  /** Scopes: all of them. */
  readonly scopes?: readonly string[];
  /** Of each claim, one of the values. The validator must list the claim in `matchableClaims`. */
  readonly claims?: Readonly<Record<string, readonly string[]>>;
}

/** By name of the role. Of several rules for one role, one must hold. */
export type ServiceRoleRules = Readonly<
  Record<string, ServiceRoleRule | readonly ServiceRoleRule[]>
>;

/** @throws TypeError for rules that are malformed, or that would give a role to everyone. */
export function serviceRolesFromRules(rules: ServiceRoleRules): ServiceRoles {
  const documents = Object.entries(rules).flatMap(([role, given]) =>
    [given].flat().flatMap((rule) => documentsOf(role, rule)),
  );
  return new ServiceRoles(
    documents.map((document, index) => ({ ...document, id: `rule-${index}` })),
  );
}

const names = z.array(z.string()).min(1);

const ruleSchema = z.strictObject({
  pool: z.string(),
  clients: names.optional(),
  groups: names.optional(),
  scopes: names.optional(),
  claims: z
    .record(z.string(), names)
    .refine((claims) => !Object.hasOwn(claims, 'client_id'), { error: 'use clients for client_id' })
    .optional(),
});

function documentsOf(role: string, rule: unknown): ServiceRoleDocument[] {
  const parsed = ruleSchema.safeParse(rule);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new TypeError(`service role ${role}: ${issue?.path.join('.')} ${issue?.message}`);
  }
  const { pool, clients, groups, scopes, claims = {} } = parsed.data;
  // One document has one principal. The app client can also be had as a claim, so that both must hold.
  const principals = groups?.map((group) => ({ pool, group })) ?? [{ pool, any: true }];
  const allClaims = clients === undefined ? claims : { ...claims, client_id: clients };
  return principals.map((principal) => {
    const check = checkServiceRole({
      id: 'rule',
      principal,
      effect: 'allow',
      role,
      conditions: {
        ...(scopes === undefined ? {} : { scopes }),
        ...(Object.keys(allClaims).length === 0 ? {} : { claims: allClaims }),
      },
      owner: 'code',
    });
    if (check.kind === 'valid') return check.document;
    const [fault] = check.faults;
    throw new TypeError(`service role ${role}: ${fault?.pointer} ${fault?.detail}`);
  });
}
