/** `proposals reject` and `withdraw`: nothing is changed by either, and the edit can be made again, so nobody is asked. */

import { proposalFacts } from '../admin-answers.ts';
import { adminCommand } from '../admin-command.ts';
import { reasonOf } from '../edit.ts';
import { proposalIdArgument, proposalTitle } from './proposal.ts';

export const rejectProposal = closing('reject', 'reject a proposal of somebody else');
export const withdrawProposal = closing('withdraw', 'withdraw a proposal of your own');

function closing(name: 'reject' | 'withdraw', description: string) {
  return adminCommand<{ readonly reason: string }>({
    name,
    description,
    configure(command) {
      command
        .argument('<id>', 'id of the proposal', proposalIdArgument)
        .requiredOption('--reason <text>', 'why: kept with the proposal');
    },
    examples: [
      `token-broker proposals ${name} 019c1d5e7a00-0123456789abcdef --reason 'ORD-12: not needed'`,
    ],
    async run({ api, args: [id = ''], options }) {
      const path = `/v1/proposals/${id}/${name}` as const;
      const body = { reason: reasonOf(options) };
      const request = { method: 'POST', path, body, answer: proposalFacts } as const;
      const { document, answer } = await api.ask(request);
      return { document, text: (paint) => `${paint.title(proposalTitle(answer))}\n` };
    },
  });
}
