/** Edits of the role-mapping table, and what it remembers of them. */

import type { Fault } from '../fault.ts';
import type { RoleMapping, StoredRoleMapping } from '../policy/role-mapping.ts';
import type { ChangeFacts } from './change-facts.ts';
import type { Proposal, ProposalClosing } from './proposal.ts';

/** A version of a mapping, current or past. */
export interface MappingVersion extends ChangeFacts {
  readonly id: string;
  /** Undefined for a deletion, and when the document does not pass the checks of today. */
  readonly mapping: RoleMapping | undefined;
  /** Why there is a document but no mapping. */
  readonly faults: readonly Fault[];
  /** As stored; undefined for a deletion. */
  readonly document: unknown;
}

/** An entry of the change log. */
export interface MappingChange extends ChangeFacts {
  readonly id: string;
  /** Documents as stored: undefined before a creation and after a deletion. */
  readonly before: unknown;
  readonly after: unknown;
}

export interface MappingEdit {
  readonly id: string;
  /** The version that the edit is based on; `absent` creates. */
  readonly expectedVersion: number | 'absent';
  /** Undefined deletes. */
  readonly mapping: RoleMapping | undefined;
  /** Who: kept in the history. */
  readonly actor: string;
  /** Whether a verified token says so; kept in the history. Absent: nothing does. */
  readonly actorProven?: boolean | undefined;
  /** Why: kept in the history. */
  readonly reason: string;
  /** Whether it is made outside of Git although the mapping is managed from there; kept in the history. */
  readonly override?: boolean | undefined;
  /** It is applied with the edit, or neither is done. */
  readonly applying?: AppliedProposal | undefined;
}

export interface AppliedProposal {
  readonly proposal: Proposal;
  readonly closing: ProposalClosing;
}

export interface MappingWritten {
  readonly version: number;
  readonly revision: number;
  /** Undefined if there was none, or none that could be read. */
  readonly before: StoredRoleMapping | undefined;
}
