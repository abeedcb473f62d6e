import { iamName } from './role-key.ts';

/** A name of a role in any case of letters; `*` at either end stands for anything. In time linear in the name. */
export function matchesRoleName(pattern: string, roleName: string): boolean {
  return roleNameMatcher(pattern)(iamName(roleName));
}

type RoleNameMatcher = (name: string) => boolean;

/** For many names, each as `iamName` has it. */
export function roleNameMatcher(pattern: string): RoleNameMatcher {
  const core = iamName(pattern.replace(/^\*/, '').replace(/\*$/, ''));
  const open = { start: pattern.startsWith('*'), end: pattern.endsWith('*') };
  if (open.start && open.end) return (name) => name.includes(core);
  if (open.start) return (name) => name.endsWith(core);
  return open.end ? (name) => name.startsWith(core) : (name) => name === core;
}
