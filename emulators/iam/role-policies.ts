/** Permissions of the roles of the local stack. Nothing enforces them: sessions of it open nothing. */

export interface ManagedPolicy {
  readonly arn: string;
  readonly document: object;
}

export class RolePolicies {
  /** By name of the role, then of the policy. */
  readonly #inline = new Map<string, Map<string, object>>();
  /** By ARN. */
  readonly #managed = new Map<string, ManagedPolicy>();
  /** ARNs by name of the role. */
  readonly #attached = new Map<string, Set<string>>();

  put(roleName: string, policy: string, document: object): void {
    const policies = this.#inline.get(roleName) ?? new Map<string, object>();
    this.#inline.set(roleName, policies.set(policy, document));
  }

  attach(roleName: string, policy: ManagedPolicy): void {
    this.#managed.set(policy.arn, policy);
    const arns = this.#attached.get(roleName) ?? new Set<string>();
    this.#attached.set(roleName, arns.add(policy.arn));
  }

  inlineOf(roleName: string): ReadonlyMap<string, object> {
    return this.#inline.get(roleName) ?? new Map();
  }

  attachedTo(roleName: string): readonly ManagedPolicy[] {
    return [...(this.#attached.get(roleName) ?? [])].flatMap((arn) => this.managed(arn) ?? []);
  }

  managed(arn: string): ManagedPolicy | undefined {
    return this.#managed.get(arn);
  }
}
