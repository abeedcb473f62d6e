import { iamName } from './role-key.ts';

/** Whole names in any case of letters; `*` at either end stands for anything. In time linear in the name. */
export function matchesRoleName(pattern: string, roleName: string): boolean {
  const name = iamName(roleName);
  const core = iamName(pattern.replace(/^\*/, '').replace(/\*$/, ''));
  const open = { start: pattern.startsWith('*'), end: pattern.endsWith('*') };
  if (open.start && open.end) return name.includes(core);
  if (open.start) return name.endsWith(core);
  return open.end ? name.startsWith(core) : name === core;
}
