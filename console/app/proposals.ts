import { readPages } from './api.ts';
import type { Proposal, ProposalPage } from './documents.ts';
import { principalWords } from './mapping-words.ts';

/** Newest first: all that wait, however many are newer, and those that are as old. @throws ApiProblem */
export async function readProposals(): Promise<readonly Proposal[]> {
  const found: Proposal[] = [];
  await readPages<ProposalPage>('/v1/proposals?limit=100', ({ items }) => {
    found.push(...items);
    // They live equally long, so behind one that is past its time none waits.
    const last = items.at(-1);
    return last !== undefined && Date.parse(last.expiresAt) > Date.now();
  });
  return found;
}

/** Nothing but a freeze has such an id, and its deletion is all that can wait. */
export function liftsFreeze({ action, mappingId }: Proposal): boolean {
  return action === 'delete' && /^freeze-[0-9a-f]{24}$/.test(mappingId);
}

/** In a few words, such as `replace books-reader`. */
export function proposalWords(proposal: Proposal): string {
  const { action, mappingId, affected } = proposal;
  if (!liftsFreeze(proposal)) return `${action} ${mappingId}`;
  const [frozen] = affected;
  if (frozen === undefined) return `lift the freeze ${mappingId}`;
  const { principal, role } = frozen;
  return `lift the freeze of ${principalWords(principal)}${role === '*' ? '' : `, role ${role}`}`;
}
