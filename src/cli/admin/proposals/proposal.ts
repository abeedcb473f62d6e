/** A proposal as whoever decides on it reads it: what would change, for whom, and the digest of exactly that. */

import { InvalidArgumentError } from 'commander';
import { isProposalId, proposalDigest } from '../../../core/editing/proposal.ts';
import { leafChanges } from '../../../core/policy/leaf-changes.ts';
import { isManagedByGit } from '../../../core/policy/managed-by-git.ts';
import { changeLines } from '../../change-lines.ts';
import type { Paint } from '../../paint.ts';
import { principalText } from '../../principal-text.ts';
import { printable } from '../../printable.ts';
import { proposalFacts, type ReadProposal } from '../admin-answers.ts';
import { type AdminApi, AdminApiError } from '../admin-api.ts';

/** The id goes into a path: it is one, or it is no id. */
export function proposalIdArgument(text: string): string {
  if (isProposalId(text)) return text;
  throw new InvalidArgumentError('token-broker proposals list lists the ids of proposals.');
}

/**
 * Whoever approves names a digest and reads a document: here they are known to be of the same thing.
 *
 * @throws AdminApiError
 */
export async function fetchProposal(api: AdminApi, id: string) {
  const read = await api.ask({ path: `/v1/proposals/${id}`, answer: proposalFacts });
  const { mappingId, baseVersion, mapping: after, sha256 } = read.answer;
  if (proposalDigest({ mappingId, baseVersion: baseVersion ?? 'absent', after }) !== sha256) {
    throw new AdminApiError(
      `The SHA-256 that the broker names is not that of the proposal ${id} as it shows it: do not approve it.`,
    );
  }
  return read;
}

export function proposalTitle({ id, action, mappingId, state }: ReadProposal): string {
  return printable(`${id}: ${action} ${mappingId}, ${state}`);
}

/** Fit for a terminal. */
export function proposalLines(proposal: ReadProposal, paint: Paint): readonly string[] {
  const { before, mapping, recentCallers, sha256 } = proposal;
  return [
    paint.title(proposalTitle(proposal)),
    ...whoAndWhen(proposal),
    ...changeLines(leafChanges(before ?? {}, mapping ?? {}), paint).map((line) => `  ${line}`),
    ...affectedLines(proposal, paint),
    ...recentCallers.map((caller) => printable(`  asked lately: ${callerText(caller)}`)),
    printable(`  sha256 ${sha256}`),
  ];
}

function whoAndWhen(proposal: ReadProposal): readonly string[] {
  const { author, baseVersion, closed, createdAt, expiresAt, reason, state } = proposal;
  const machine = author.machine ? ' (a machine)' : '';
  return [
    `  proposed at ${createdAt} by ${author.name}${machine}: ${reason}`,
    ...(author.administrator === false ? ['  its author is no administrator any more'] : []),
    closed === null
      ? `  ends at ${expiresAt}`
      : `  ${state} at ${closed.at} by ${closed.by === '' ? 'nobody' : closed.by}: ${closed.reason}`,
    baseVersion === null ? '  makes a new role mapping' : `  changes version ${baseVersion}`,
    ...(isAgainstGit(proposal)
      ? ['  the role mapping is managed from Git, which will say otherwise']
      : []),
  ].map(printable);
}

/** Of an unfreeze there is nothing in Git, though it says that it overrides. */
function isAgainstGit({ override, before, mapping }: ReadProposal): boolean {
  return override && [before, mapping].some(isManagedByGit);
}

function affectedLines({ affected }: ReadProposal, paint: Paint): readonly string[] {
  if (affected.length === 0) return ['  nobody gains or loses a role'];
  return affected.map(({ principal, role, effect }) => {
    const text = (sign: string, verb: string) =>
      `  ${sign} ${printable(`${principalText(principal)} ${verb} ${role}`)}`;
    if (effect === 'gains') return paint.good(text('+', 'gains'));
    if (effect === 'loses') return paint.bad(text('-', 'loses'));
    return text('~', effect === 'terms' ? 'has, on other terms,' : effect);
  });
}

function callerText({
  pool,
  client,
  subject,
  outcome,
  time,
}: ReadProposal['recentCallers'][number]) {
  return `client ${client ?? '-'}, subject ${subject ?? '-'} of ${pool ?? '-'}: ${outcome} at ${time}`;
}
