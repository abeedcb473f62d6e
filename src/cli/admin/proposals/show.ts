import { inLines } from '../../printable.ts';
import { adminCommand } from '../admin-command.ts';
import { fetchProposal, proposalIdArgument, proposalLines } from './proposal.ts';

export const showProposal = adminCommand({
  name: 'show',
  description: 'show what a proposal changes, leaf by leaf, and who gains and who loses by it',
  configure(command) {
    command.argument('<id>', 'id of the proposal', proposalIdArgument);
  },
  examples: [
    'token-broker proposals show 019c1d5e7a00-0123456789abcdef',
    'token-broker proposals show 019c1d5e7a00-0123456789abcdef -o yaml',
  ],
  async run({ api, args: [id = ''] }) {
    const { document, answer } = await fetchProposal(api, id);
    return { document, text: (paint) => inLines(proposalLines(answer, paint)) };
  },
});
