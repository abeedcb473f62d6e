/**
 * Whom a caller is told to ask who was denied. In the denial itself it follows from the words of the request and from
 * configuration, and never from the policy: the same request gets the same words whether there is such a mapping, whose it
 * is, and why it does not apply (T260).
 */

export interface AccessHelp {
  readonly contact?: string | undefined;
  readonly owners: readonly OwnerContact[];
}

/** An owner who allows callers to be told whom to ask. */
export interface OwnerContact {
  readonly owner: string;
  readonly contact: string;
  /** ARNs and ids that callers ask for, or beginnings of them that end in `*`. */
  readonly roles: readonly string[];
}

/** By what was asked for alone; undefined where configuration names nobody. */
export function contactFor(help: AccessHelp, role: string | undefined): string | undefined {
  const asked = role?.toLowerCase();
  const owner =
    asked === undefined
      ? undefined
      : help.owners.find(({ roles }) => roles.some((pattern) => covers(pattern, asked)));
  return owner?.contact ?? help.contact;
}

/** Of the owner of a mapping that the caller knows to be about them; undefined unless the owner allows it. */
export function contactOfOwner({ owners }: AccessHelp, owner: string): string | undefined {
  return owners.find((known) => known.owner === owner)?.contact;
}

/** What every denial says. */
export function denialDetail(help: AccessHelp, role: string | undefined): string {
  const contact = contactFor(help, role);
  const whom =
    contact === undefined
      ? 'Ask the owner of the role for a mapping, and give them the request id.'
      : `Give the request id to whom you ask for it: ${contact}`;
  return `No role mapping allows this caller to use the requested role. GET /v1/caller?role= with the same token says why. ${whom}`;
}

/** IAM compares names of roles without their case. */
function covers(pattern: string, asked: string): boolean {
  const text = pattern.toLowerCase();
  return text.endsWith('*') ? asked.startsWith(text.slice(0, -1)) : asked === text;
}
