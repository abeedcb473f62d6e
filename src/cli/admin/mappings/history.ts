import { versionPage } from '../admin-answers.ts';
import { adminCommand, mappingIdArgument } from '../admin-command.ts';
import { gathered } from '../gathered.ts';
import { textTable } from '../text-table.ts';

export const historyOfMapping = adminCommand({
  name: 'history',
  description: 'list the versions of a role mapping: who changed it, when and why',
  configure(command) {
    command.argument('<id>', 'id of the role mapping', mappingIdArgument);
  },
  examples: ['token-broker mappings history orders-writer'],
  async run({ api, args: [id = ''], terminal }) {
    const request = { path: `/v1/role-mappings/${id}/versions`, answer: versionPage } as const;
    const { document, items } = await gathered(api.pages(request), terminal);
    return {
      document,
      text: (paint) =>
        textTable(
          ['VERSION', 'ACTION', 'WHEN', 'WHO', 'WHY'],
          items.map(({ version, action, updatedAt, updatedBy, actorProven, reason }) => [
            String(version),
            action,
            updatedAt,
            actorProven ? updatedBy : `${updatedBy} (not proven)`,
            reason,
          ]),
          paint,
        ),
    };
  },
});
