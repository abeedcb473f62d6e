/** What the console reads in the answers of the admin API; openapi.yaml describes them whole. */

import type { Fault } from './api.ts';

export type Principal =
  | { readonly pool: string; readonly client: string }
  | { readonly pool: string; readonly user: string }
  | { readonly pool: string; readonly group: string }
  | { readonly pool: string; readonly any: true };

export interface RoleMapping {
  readonly id: string;
  readonly description: string;
  readonly principal: Principal;
  readonly effect: 'allow' | 'deny';
  readonly role: string;
  readonly conditions: {
    readonly notBefore?: string;
    readonly expiresAt?: string;
    readonly [name: string]: unknown;
  };
  readonly session: {
    readonly policy?: object;
    readonly policyArns: readonly string[];
    readonly [name: string]: unknown;
  };
  readonly owner: string;
  readonly managedBy: 'git' | 'api';
  readonly enabled: boolean;
}

export interface ListedMapping {
  readonly version: number;
  readonly mapping: RoleMapping;
  /** By this instance since `issuedSince`; null: not. */
  readonly lastIssuedAt: string | null;
}

export interface PageOfMappings {
  readonly revision: number;
  readonly issuedSince: string;
  readonly items: readonly ListedMapping[];
  readonly quarantined: readonly { readonly id: string; readonly faults: readonly Fault[] }[];
  readonly nextCursor?: string;
}

export interface MappingVersion {
  readonly id: string;
  readonly version: number;
  readonly revision: number;
  readonly action: 'create' | 'replace' | 'delete';
  readonly updatedAt: string;
  readonly updatedBy: string;
  readonly actorProven: boolean;
  readonly reason: string;
  readonly approvedBy?: string;
  /** Null for a deletion, and for what cannot be read. */
  readonly mapping: RoleMapping | null;
  readonly faults?: readonly Fault[];
  readonly document?: unknown;
}

/** The current version, and what the instance that answers knows of it. */
export interface CurrentMapping extends MappingVersion {
  readonly lastIssuedAt: string | null;
  readonly issuedSince: string;
}

export interface VersionPage {
  readonly items: readonly MappingVersion[];
  readonly nextCursor?: string;
}

export interface DocumentChange {
  readonly pointer: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

export interface EditAnswer {
  readonly id: string;
  readonly dryRun: boolean;
  readonly version?: number;
  readonly inForce?: boolean;
  /** Of a dry run: it would become a proposal. */
  readonly needsApproval?: boolean;
  /** What it waits as. */
  readonly proposal?: { readonly id: string };
  readonly mapping: RoleMapping | null;
  readonly changes: readonly DocumentChange[];
  readonly warnings: readonly Fault[];
}

export interface Proposal {
  readonly id: string;
  readonly state: 'open' | 'applied' | 'rejected' | 'withdrawn' | 'stale' | 'expired';
  readonly mappingId: string;
  readonly action: 'create' | 'replace' | 'delete';
  readonly sha256: string;
  readonly mapping: object | null;
  readonly changes: readonly DocumentChange[];
  readonly affected: readonly {
    readonly principal: Principal;
    readonly role: string;
    readonly effect: 'gains' | 'loses' | 'terms';
  }[];
  readonly author: {
    readonly name: string;
    readonly machine: boolean;
    /** Null: a group decides, which only their token tells. */
    readonly administrator: boolean | null;
  };
  readonly reason: string;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly closed: { readonly by: string; readonly reason: string; readonly at: string } | null;
  readonly recentCallers?: readonly {
    readonly pool: string | null;
    readonly client: string | null;
    readonly subject: string | null;
    readonly outcome: string;
    readonly time: string;
  }[];
}

export interface ProposalPage {
  readonly items: readonly Proposal[];
  readonly nextCursor?: string;
}

export interface TakenAway {
  readonly mappings: number;
  readonly roles: number;
}

export interface FreezeAnswer extends EditAnswer {
  readonly takesAway: TakenAway | null;
  readonly revokeSessions: { readonly role: string; readonly policy: object };
}

export interface ListedFreeze extends Pick<ListedMapping, 'version' | 'mapping'> {
  readonly takesAway: TakenAway;
}

export interface FreezePage {
  readonly revision: number;
  readonly items: readonly ListedFreeze[];
  readonly quarantined: readonly { readonly id: string }[];
  readonly nextCursor?: string;
}

export interface PrincipalPage {
  readonly items: readonly {
    readonly id: string;
    readonly principal: Principal;
    readonly effect: 'allow' | 'deny';
    readonly status: string;
  }[];
  readonly nextCursor?: string;
}

export interface NamedMapping {
  readonly id: string;
  readonly version: number;
  readonly effect: 'allow' | 'deny';
  readonly role: string;
  readonly principal: Principal;
  readonly owner: string;
}

export interface FailedCheck {
  readonly pointer: string;
  readonly expected: unknown;
  readonly actual: unknown;
}

export interface Explanation {
  readonly policyRevision: number;
  readonly request: { readonly role?: string; readonly sourceIp: string };
  /** Of the token, or of what it lacks. */
  readonly refusal?: { readonly code: string; readonly detail: string };
  readonly decision?: {
    readonly outcome: 'allow' | 'deny' | 'ambiguous' | 'duration_not_allowed';
    readonly reason?: string;
    readonly mapping?: NamedMapping;
    readonly choices?: readonly NamedMapping[];
    readonly failed?: readonly FailedCheck[];
    readonly allowed?: { readonly minDurationSeconds: number; readonly maxDurationSeconds: number };
  };
  readonly sts?: Readonly<Record<string, unknown>> & {
    readonly policyCharacters: number;
    readonly policyCharactersAllowed: number;
  };
  readonly permitted?: readonly NamedMapping[];
  readonly nearMisses?: readonly (NamedMapping & { readonly failed: readonly FailedCheck[] })[];
  readonly omittedNearMisses?: number;
}

export interface Decision {
  readonly time: string;
  readonly outcome: 'issued' | 'denied' | 'failed';
  readonly code?: string;
  readonly reason?: string;
  readonly requestId: string;
  readonly route: string;
  readonly sourceIp: string;
  readonly pool?: string;
  readonly client?: string;
  readonly user?: string;
  readonly asked?: string;
  readonly mapping?: string;
  readonly mappingVersion?: number;
  readonly role?: string;
  readonly sessionName?: string;
  readonly accessKeyId?: string;
  readonly expiration?: string;
  readonly cached?: boolean;
  readonly repeats?: number;
}

export interface DecisionList {
  readonly items: readonly Decision[];
  readonly remembered: number;
  readonly since: string | null;
}

export interface InstanceStatus {
  readonly version: string;
  readonly startedAt: string;
  readonly checks: readonly { readonly name: string; readonly ok: boolean }[];
  readonly policy: {
    readonly revision: number | null;
    readonly ageSeconds: number | null;
    readonly mappings: number;
    readonly quarantined: number;
    readonly lagSeconds: number | null;
  };
  readonly requests: readonly { readonly outcome: string; readonly count: number }[];
  readonly refusals: readonly {
    readonly code: string;
    readonly reason: string;
    readonly count: number;
  }[];
  readonly sts: readonly {
    readonly region: string;
    readonly result: string;
    readonly count: number;
  }[];
}

export interface ChangePage {
  /** Of the table. */
  readonly revision: number;
}
