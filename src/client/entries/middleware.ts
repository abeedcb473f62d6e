/** `token-broker-client/middleware`: who calls an HTTP service, and what they may do there. */

export {
  type CallerValidator,
  callerOf,
  type Middleware,
  type RequireCallerOptions,
  requireCaller,
} from '../require-caller.ts';
export { type RequireRoleOptions, requireRole } from '../require-role.ts';
export type { ServiceRoleRule, ServiceRoleRules } from '../service-role-rules.ts';
export type { ServiceRoles } from '../service-roles.ts';
export { serviceRolesFromFile } from '../service-roles-file.ts';
