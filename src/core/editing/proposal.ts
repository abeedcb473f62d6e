/**
 * An edit that waits for a second administrator. What it would write never changes; who approves names it by a digest
 * of all of that, so that what was read is what is applied.
 */

import { hash, randomBytes } from 'node:crypto';
import { canonicalJson } from '../../kit/json/document-changes.ts';
import { type AdminAccess, type AdminStanding, isAdministratorStill } from '../admin-access.ts';
import type { Caller } from '../caller.ts';
import { BrokerError } from '../errors.ts';
import type { ApprovalRule } from '../policy/approval.ts';
import type { ChangeAction } from './change-facts.ts';

/** As the table has it. That an open one has expired, or is stale, follows from the clock and from its mapping. */
export const storedStates = ['open', 'applied', 'rejected', 'withdrawn', 'stale'] as const;
export type ProposalState = (typeof storedStates)[number] | 'expired';

/** What happens to proposals, told once of each. That one has expired follows from the clock alone. */
export const proposalEvents = ['made', 'applied', 'rejected', 'withdrawn', 'stale'] as const;
export type ProposalEvent = (typeof proposalEvents)[number];

export interface ProposedEdit {
  readonly mappingId: string;
  readonly baseVersion: number | 'absent';
  /** The mapping as it is to be; undefined deletes it. */
  readonly after: unknown;
}

export interface ProposalAuthor {
  /** As the history of the table names them. */
  readonly name: string;
  readonly issuer: string;
  readonly subject: string;
  readonly machine: boolean;
  /** What is the same in all accounts of theirs, where configuration names a claim for it. */
  readonly person?: string | undefined;
  /** The claim that said so. */
  readonly personClaim?: string | undefined;
  /** By what they were an administrator then. */
  readonly standing?: AdminStanding | undefined;
}

/** How it came to its end. */
export interface ProposalClosing {
  readonly state: Exclude<(typeof storedStates)[number], 'open'>;
  /** As the history names them. */
  readonly by: string;
  readonly reason: string;
  /** Epoch milliseconds. */
  readonly at: number;
}

export interface Proposal extends ProposedEdit {
  readonly id: string;
  readonly action: ChangeAction;
  /** Where there is no mapping: the version by which the last one was deleted; 0 if there never was one. */
  readonly deletedVersion: number;
  /** The mapping as it was when this was proposed; undefined: there was none. */
  readonly before: unknown;
  /** Its author knew that the mapping is managed from Git. */
  readonly override: boolean;
  readonly author: ProposalAuthor;
  readonly reason: string;
  /** Epoch milliseconds, as is the end. */
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly closing: ProposalClosing | undefined;
  /** By which the table that keeps it knows that it was made by a broker; undefined where it is not sealed. */
  readonly seal?: string | undefined;
}

export const proposalLifetimeMs = 72 * 3_600_000;

/** In the order in which they were made. */
export function newProposalId(now: number): string {
  return `${timePart(now)}-${randomBytes(8).toString('hex')}`;
}

/** What every id made at this time or later is not less than. */
export function timePart(now: number): string {
  return Math.max(0, now).toString(16).padStart(12, '0');
}

export function isProposalId(id: string): boolean {
  return /^[0-9a-f]{12}-[0-9a-f]{16}$/.test(id);
}

/** Lower-case hex SHA-256 of this as JSON without blanks and with the names of each object in order. */
export function proposalDigest({ mappingId, baseVersion, after }: ProposedEdit): string {
  const base = baseVersion === 'absent' ? null : baseVersion;
  const text = canonicalJson({ baseVersion: base, mapping: after ?? null, mappingId });
  return hash('sha256', text ?? '', 'hex');
}

/** By what the table says of it and the clock: whether its mapping has moved on is for whoever looks at that. */
export function stateOf({ closing, expiresAt }: Proposal, now: number): ProposalState {
  if (closing !== undefined) return closing.state;
  return now < expiresAt ? 'open' : 'expired';
}

/** @throws BrokerError `proposal_not_open` */
export function requireOpen(proposal: Proposal, now: number): void {
  const state = stateOf(proposal, now);
  if (state !== 'open') throw notOpen(state);
}

export function notOpen(state: ProposalState): BrokerError {
  return new BrokerError('proposal_not_open', {
    detail:
      state === 'applied'
        ? 'The proposal is applied already: there is nothing left to do.'
        : `The proposal is ${state}: make the edit again, on the role mapping as it is now.`,
  });
}

export function isAuthor({ author }: Proposal, { issuer, subject }: Caller): boolean {
  return author.issuer === issuer && author.subject === subject;
}

/**
 * Who was taken out of the configuration leaves nothing behind that a busy colleague signs (T319).
 *
 * @throws BrokerError `proposal_author_removed`
 */
export function requireStandingAuthor({ author }: Proposal, access: AdminAccess): void {
  if (isAdministratorStill(access, author) !== false) return;
  throw new BrokerError('proposal_author_removed', {
    detail:
      'What made the author an administrator is not in the configuration any more. Reject the proposal, or propose the edit yourself if it is still wanted.',
  });
}

/**
 * A second person: not the author, by whatever client or account, and one of those who may approve.
 *
 * @throws BrokerError `approver_refused` or `token_claims_invalid`
 */
export function requireSecondPerson(proposal: Proposal, caller: Caller, rule: ApprovalRule): void {
  const refuse = (detail: string) => {
    throw new BrokerError('approver_refused', { detail });
  };
  if (caller.machine) refuse('Approval is for people: sign in, and do not use a machine.');
  if (isAuthor(proposal, caller)) {
    refuse('You are the author: another administrator decides. You may withdraw the proposal.');
  }
  const { approvers } = rule;
  if (approvers.length > 0 && !caller.groups.some((group) => approvers.includes(group))) {
    refuse('Only members of the groups in guardrails.approval.approvers decide.');
  }
  const person = personOf(caller, rule);
  if (person === undefined) return;
  const { author } = proposal;
  // Another claim says nothing of whether they are the same, nor does one that would not count today.
  const known = author.personClaim === rule.personClaim ? personKey(author.person ?? '') : '';
  if (known === person) {
    refuse('You are the author, by another account: another administrator decides.');
  }
  if (known === '' && !author.machine) {
    refuse('It is not known who the author is: the edit must be proposed again.');
  }
}

/**
 * What is the same in all accounts of whoever this is; undefined where configuration names no claim, and for machines.
 *
 * @throws BrokerError `token_claims_invalid`
 */
export function personOf(
  { claims, machine }: Caller,
  { personClaim }: ApprovalRule,
): string | undefined {
  if (personClaim === undefined || machine) return undefined;
  const value = claims.get(personClaim);
  const key = typeof value === 'string' ? personKey(value) : '';
  if (key !== '') return key;
  throw new BrokerError('token_claims_invalid', {
    detail:
      'The token must have the claim that guardrails.approval.personClaim of the configuration names, as one text of letters, digits and ASCII: by it the accounts of one person are known.',
  });
}

/**
 * The same for all spellings that people take for one: blanks, what nobody sees, and the case of letters tell nobody apart (T231).
 * Empty where there is more in it than letters, digits and ASCII: some of the rest looks like nothing.
 */
function personKey(text: string): string {
  const seen = text
    .normalize('NFKC')
    .replace(/[\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}]/gu, '');
  if (!/^[\p{L}\p{N}\x21-\x7e]*$/u.test(seen)) return '';
  // One way alone leaves "ß" beside "SS", and the "ς" at the end of a word beside "σ".
  return seen.toLowerCase().toUpperCase().toLowerCase().normalize('NFKC');
}
