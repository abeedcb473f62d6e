import { Option } from 'commander';
import { proposalPage } from '../admin-answers.ts';
import { adminCommand } from '../admin-command.ts';
import { gathered } from '../gathered.ts';
import { textTable } from '../text-table.ts';

const states = ['open', 'applied', 'rejected', 'withdrawn', 'stale', 'expired'];

export const listProposals = adminCommand<{ readonly state?: string }>({
  name: 'list',
  description: 'list the edits that wait for a second administrator, and what became of them',
  configure(command) {
    command.addOption(new Option('--state <state>', 'only these').choices(states));
  },
  examples: [
    'token-broker proposals list --state open',
    'token-broker proposals list --state applied -o json',
  ],
  async run({ api, options, terminal }) {
    const request = { path: '/v1/proposals', answer: proposalPage } as const;
    const all = await gathered(api.pages(request), terminal);
    const items = all.items.filter(
      ({ state }) => options.state === undefined || state === options.state,
    );
    return {
      document: { ...all.document, items },
      text: (paint) =>
        textTable(
          ['ID', 'STATE', 'ACTION', 'MAPPING', 'AUTHOR', 'ENDS', 'WHY'],
          items.map(({ id, state, action, mappingId, author, closed, expiresAt, reason }) => [
            id,
            state,
            action,
            mappingId,
            author.name,
            closed?.at ?? expiresAt,
            reason,
          ]),
          paint,
        ),
    };
  },
});
