import { Option } from 'commander';
import { principalText } from '../../principal-text.ts';
import { mappingPage } from '../admin-answers.ts';
import { adminCommand } from '../admin-command.ts';
import { gathered } from '../gathered.ts';
import { textTable } from '../text-table.ts';

interface ListOptions {
  readonly pool?: string;
  readonly client?: string;
  readonly user?: string;
  readonly group?: string;
  readonly role?: string;
  readonly owner?: string;
  readonly effect?: string;
  readonly managedBy?: string;
  readonly enabled?: string;
}

export const listMappings = adminCommand<ListOptions>({
  name: 'list',
  description: 'list the role mappings in force',
  configure(command) {
    command
      .option('--pool <pool>', 'only principals of this pool')
      .option('--client <id>', 'only this app client')
      .option('--user <sub>', 'only this user')
      .option('--group <name>', 'only this group')
      .option('--role <arn>', 'only this role; "*" finds what denies every role')
      .option('--owner <label>', 'only of this owner')
      .addOption(new Option('--effect <effect>', 'only these').choices(['allow', 'deny']))
      .addOption(new Option('--managed-by <side>', 'only these').choices(['git', 'api']))
      .addOption(new Option('--enabled <boolean>', 'only these').choices(['true', 'false']));
  },
  examples: [
    'token-broker mappings list',
    'token-broker mappings list --owner orders-team --effect allow -o json',
  ],
  async run({ api, options, terminal, note }) {
    const { pool, client, user, group, role, owner, effect, managedBy, enabled } = options;
    const query = { pool, client, user, group, role, owner, effect, managedBy, enabled };
    const request = { path: '/v1/role-mappings', query, answer: mappingPage } as const;
    const { document, items, first } = await gathered(api.pages(request), terminal);
    for (const { id, standIn } of first?.quarantined ?? []) {
      note(
        `The row ${id} cannot be read; in force instead: ${standIn}. token-broker mappings get ${id} says why.`,
      );
    }
    return {
      document,
      text: (paint) =>
        textTable(
          ['ID', 'EFFECT', 'PRINCIPAL', 'ROLE', 'OWNER', 'MANAGED BY', 'VERSION'],
          items.map(({ version, mapping }) => [
            mapping.enabled ? mapping.id : `${mapping.id} (disabled)`,
            { text: mapping.effect, tone: mapping.effect === 'allow' ? 'good' : 'bad' },
            principalText(mapping.principal),
            mapping.role,
            mapping.owner,
            mapping.managedBy,
            String(version),
          ]),
          paint,
        ),
    };
  },
});
