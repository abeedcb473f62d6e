import { leafChanges } from '../../../core/policy/leaf-changes.ts';
import { changeLines } from '../../change-lines.ts';
import { printable } from '../../printable.ts';
import { adminCommand, mappingIdArgument, versionNumber } from '../admin-command.ts';
import { documentOf, newestAnd, versionOf, whoAndWhy } from './versions.ts';

interface DiffOptions {
  readonly from?: number;
  readonly to?: number;
}

export const diffMapping = adminCommand<DiffOptions>({
  name: 'diff',
  description: 'show what changed between two versions of a role mapping',
  configure(command) {
    command
      .argument('<id>', 'id of the role mapping', mappingIdArgument)
      .option('--from <number>', 'this version; default: the one before', versionNumber)
      .option('--to <number>', 'that version; default: the newest', versionNumber);
  },
  examples: [
    'token-broker mappings diff orders-writer',
    'token-broker mappings diff orders-writer --from 1 --to 2',
  ],
  async run({ api, args: [id = ''], options }) {
    const { newest, other } = await newestAnd(api, id, options.from);
    const to = options.to === undefined ? newest : await versionOf(api, id, options.to);
    const from =
      options.from === undefined && options.to !== undefined
        ? await versionBefore(options.to)
        : other;
    const changes = leafChanges(documentOf(from) ?? {}, documentOf(to) ?? {});
    return {
      document: { id, from: from?.version ?? null, to: to.version, changes },
      text: (paint) =>
        [
          paint.title(
            printable(
              `${id}: ${from === undefined ? 'nothing' : `version ${from.version}`} -> version ${to.version}`,
            ),
          ),
          printable(whoAndWhy(to)),
          ...changeLines(changes, paint).map((line) => `  ${line}`),
        ]
          .map((line) => `${line}\n`)
          .join(''),
    };

    async function versionBefore(number: number) {
      return number === 1 ? undefined : await versionOf(api, id, number - 1);
    }
  },
});
