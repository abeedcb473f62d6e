import { principalText } from '../../principal-text.ts';
import { freezePage } from '../admin-answers.ts';
import { adminCommand } from '../admin-command.ts';
import { gathered } from '../gathered.ts';
import { textTable } from '../text-table.ts';

export const listFreezes = adminCommand({
  name: 'freezes',
  description: 'list what is frozen, and how much each freeze takes away',
  examples: ['token-broker freezes', 'token-broker freezes -o yaml'],
  async run({ api, terminal, note }) {
    const request = { path: '/v1/freezes', answer: freezePage } as const;
    const { document, items, first } = await gathered(api.pages(request), terminal);
    for (const { id, standIn } of first?.quarantined ?? []) {
      note(`The freeze ${id} cannot be read; in force instead: ${standIn}.`);
    }
    return {
      document,
      text: (paint) =>
        textTable(
          ['ID', 'WHO', 'ROLE', 'MAPPINGS', 'ROLES', 'WHY'],
          items.map(({ mapping, takesAway }) => [
            mapping.id,
            principalText(mapping.principal),
            mapping.role,
            String(takesAway.mappings),
            String(takesAway.roles),
            mapping.description,
          ]),
          paint,
        ),
    };
  },
});
