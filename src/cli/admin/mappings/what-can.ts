import { collected } from '../../edge.ts';
import { principalText } from '../../principal-text.ts';
import { permissionPage } from '../admin-answers.ts';
import { adminCommand, UsageError } from '../admin-command.ts';
import { gathered } from '../gathered.ts';
import { textTable } from '../text-table.ts';
import { permissionConditions, statusCell } from './permission-cells.ts';

interface WhatCanOptions {
  readonly pool: string;
  readonly client?: string;
  readonly user?: string;
  readonly group: readonly string[];
}

export const whatCan = adminCommand<WhatCanOptions>({
  name: 'what-can',
  description: 'list what a caller can get, and what it is denied',
  configure(command) {
    command
      .requiredOption('--pool <pool>', 'pool of the caller')
      .option('--client <id>', 'app client of the caller')
      .option('--user <sub>', '`sub` of the caller')
      .option('--group <name>', 'a group of the caller; may be repeated', collected, []);
  },
  examples: [
    'token-broker mappings what-can --pool us-east-1_Local0001 --client 1orders0example0client0id0',
    'token-broker mappings what-can --pool us-east-1_Local0001 --group broker-admins --group reports-team',
  ],
  async run({ api, options: { pool, client, user, group }, terminal }) {
    if (client === undefined && user === undefined && group.length === 0) {
      throw new UsageError('Say who: --client, --user or --group, or several of them.');
    }
    const query = { pool, client, user, group };
    const request = { path: '/v1/permissions', query, answer: permissionPage } as const;
    const { document, items } = await gathered(api.pages(request), terminal);
    return {
      document,
      text: (paint) =>
        textTable(
          ['ROLE', 'EFFECT', 'STATUS', 'MAPPING', 'BECAUSE OF', 'OWNER', 'CONDITIONS'],
          items.map((item) => [
            item.role,
            item.effect,
            statusCell(item),
            item.id,
            principalText(item.principal),
            item.owner,
            permissionConditions(item),
          ]),
          paint,
        ),
    };
  },
});
