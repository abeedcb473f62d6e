import { leafChanges } from '../../../core/policy/leaf-changes.ts';
import { isMappingId } from '../../../core/policy/role-mapping.ts';
import { changeLines } from '../../change-lines.ts';
import type { ProcessEdge } from '../../edge.ts';
import { exitCodes } from '../../output.ts';
import { inLines, printable } from '../../printable.ts';
import { addRulesOptions, type RulesOptions } from '../../rules-options.ts';
import { whoAndWhy } from '../../who-and-why.ts';
import {
  type AdminQuestion,
  type AdminResult,
  adminCommand,
  UsageError,
  versionNumber,
} from '../admin-command.ts';
import { documentOf, newestAnd, versionOf } from './versions.ts';

interface DiffOptions extends RulesOptions {
  readonly from?: number;
  readonly to?: number;
  readonly markdown?: boolean;
}

export const diffMapping = adminCommand<DiffOptions>({
  name: 'diff',
  description: 'show what changed between two versions of a role mapping, or between two folders',
  configure(command) {
    addRulesOptions(
      command
        .argument('<id>', 'id of the role mapping; or a folder with role mappings')
        .argument(
          '[folder]',
          'another folder, or file: compared with the first, without any broker',
        )
        .option('--from <number>', 'this version; default: the one before', versionNumber)
        .option('--to <number>', 'that version; default: the newest', versionNumber)
        .option('--markdown', 'of folders: print the difference for a pull request'),
    );
  },
  examples: [
    'token-broker mappings diff orders-writer',
    'token-broker mappings diff orders-writer --from 1 --to 2',
    'token-broker mappings diff main/mappings/ mappings/',
    'token-broker mappings diff main/mappings/ mappings/ --config config.yaml --markdown',
  ],
  exitCodes: '0 done, or nothing is different; 2 the folders differ;',
  usageCode: exitCodes.failed,
  offline: compareFolders,
  async run({ api, args: [id = ''], options }) {
    if (!isMappingId(id)) {
      throw new UsageError('Name the id of a role mapping, or two folders with role mappings.');
    }
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
        inLines([
          paint.title(
            printable(
              `${id}: ${from === undefined ? 'nothing' : `version ${from.version}`} -> version ${to.version}`,
            ),
          ),
          printable(whoAndWhy(to)),
          ...changeLines(changes, paint).map((line) => `  ${line}`),
        ]),
    };

    async function versionBefore(number: number) {
      return number === 1 ? undefined : await versionOf(api, id, number - 1);
    }
  },
});

/** What reads files is loaded for them only: every command by the admin API starts with this module. */
async function compareFolders(
  { args, options, note }: Omit<AdminQuestion<DiffOptions>, 'api'>,
  edge: ProcessEdge,
): Promise<AdminResult | undefined> {
  const [from, to] = args;
  if (from === undefined || to === undefined) return undefined;
  const { rulesFor } = await import('../../files-rules.ts');
  const { folderDiff } = await import('../../folder-diff.ts');
  const refused = { document: null, text: () => '', code: exitCodes.failed };
  const rules = rulesFor(options, edge);
  if (rules === undefined) return { ...refused, code: exitCodes.config };
  const diff = folderDiff([from, to], rules, options.markdown === true);
  if (diff.kind === 'refused') {
    for (const line of diff.report.trimEnd().split('\n')) note(line);
    return { ...refused, document: { faults: diff.faults } };
  }
  return {
    document: diff.document,
    text: () => diff.text,
    code: diff.isSame ? exitCodes.ok : exitCodes.found,
  };
}
