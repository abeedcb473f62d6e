/** What editing the policy needs from the outside: implemented by adapters. */

import type {
  MappingChange,
  MappingEdit,
  MappingVersion,
  MappingWritten,
} from './mapping-history.ts';
import type { Proposal, ProposalClosing } from './proposal.ts';

/** The role-mapping table, as editors see it. Every method throws BrokerError `table_unavailable`. */
export interface RoleMappingStore {
  /** Revision of the table; 0 if it was never changed. */
  head(): Promise<number>;
  /** The current version, readable or not; undefined if there is none. */
  get(id: string): Promise<MappingVersion | undefined>;
  /** Newest first, deletions included; only those older than `before`. */
  versions(
    id: string,
    options: { readonly before?: number | undefined; readonly limit: number },
  ): Promise<readonly MappingVersion[]>;
  /** @throws BrokerError `mapping_not_found` */
  version(id: string, version: number): Promise<MappingVersion>;
  /** Changes after this revision, oldest first, without gaps. */
  changesSince(
    revision: number,
    options: { readonly through: number; readonly limit: number },
  ): Promise<readonly MappingChange[]>;
  /**
   * @throws BrokerError `mapping_invalid`, `mapping_not_found`, `precondition_failed`, `proposal_not_open` or
   * `change_not_sealed`: nothing was written;
   * `table_unavailable`: nothing was written, unless its reason is `outcome_unknown`.
   */
  write(edit: MappingEdit): Promise<MappingWritten>;
}

/** Those made in the last 72 hours, whatever became of them. */
export interface RecentProposals {
  /** Oldest first; by the digest of what each would write. */
  readonly ofAuthor: readonly { readonly id: string; readonly sha256: string }[];
  readonly ofAll: number;
}

/** The proposals that the table keeps. Every method throws BrokerError `table_unavailable`. */
export interface ProposalStore {
  /**
   * Adds it and counts it for `author`, a text that is the same for all proposals of whoever that is; or neither.
   * `decide` is told what counts already, and may give another proposal instead, or throw: then nothing is written. It is
   * asked again where another broker was faster.
   *
   * @throws BrokerError `change_not_sealed` as well
   */
  add(
    proposal: Proposal,
    author: string,
    decide: (recent: RecentProposals) => Promise<Proposal | undefined>,
  ): Promise<Proposal>;
  get(id: string): Promise<Proposal | undefined>;
  /** Newest first: those before `before`. */
  list(options: {
    readonly before?: string | undefined;
    readonly limit: number;
  }): Promise<readonly Proposal[]>;
  /** Otherwise than by applying it. @throws BrokerError `proposal_not_open` */
  close(proposal: Proposal, closing: ProposalClosing): Promise<void>;
}
