import { principalText } from '../../principal-text.ts';
import { principalPage } from '../admin-answers.ts';
import { adminCommand } from '../admin-command.ts';
import { gathered } from '../gathered.ts';
import { textTable } from '../text-table.ts';
import { permissionConditions, statusCell } from './permission-cells.ts';

export const whoCan = adminCommand({
  name: 'who-can',
  description: 'list who can get a role, and who is denied it',
  configure(command) {
    command.argument('<role>', 'ARN of the role');
  },
  examples: ['token-broker mappings who-can arn:aws:iam::123456789012:role/broker/orders-writer'],
  async run({ api, args: [role = ''], terminal }) {
    const request = { path: '/v1/principals', query: { role }, answer: principalPage } as const;
    const { document, items } = await gathered(api.pages(request), terminal);
    return {
      document,
      text: (paint) =>
        textTable(
          ['PRINCIPAL', 'EFFECT', 'STATUS', 'MAPPING', 'OWNER', 'CONDITIONS'],
          items.map((item) => [
            principalText(item.principal),
            item.effect,
            statusCell(item),
            item.id,
            item.owner,
            permissionConditions(item),
          ]),
          paint,
        ),
    };
  },
});
