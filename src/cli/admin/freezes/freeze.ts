import { adminCommand, UsageError } from '../admin-command.ts';
import { addEditOptions, carryOut, type EditOptions, editExitCodes } from '../edit.ts';

interface FreezeOptions extends EditOptions {
  readonly pool: string;
  readonly client?: string;
  readonly user?: string;
  readonly group?: string;
  readonly anybody?: boolean;
  readonly role: string;
}

export const freeze = adminCommand<FreezeOptions>({
  name: 'freeze',
  description: 'take roles away from somebody at once: the kill switch',
  configure(command) {
    addEditOptions(
      command
        .requiredOption('--pool <pool>', 'pool of whom it freezes; with --anybody also "*"')
        .option('--client <id>', 'this app client, for itself and for its users')
        .option('--user <sub>', 'this user')
        .option('--group <name>', 'this group')
        .option('--anybody', 'everybody of the pool')
        .option('--role <arn>', 'this role; default: every role', '*'),
    );
  },
  examples: [
    "token-broker freeze --pool us-east-1_Local0001 --client 1orders0example0client0id0 --reason 'INC-1234: secret leaked' --dry-run",
    "token-broker freeze --pool us-east-1_Local0001 --client 1orders0example0client0id0 --reason 'INC-1234: secret leaked' --yes",
  ],
  exitCodes: editExitCodes,
  async run(question) {
    const { pool, client, user, group, anybody, role } = question.options;
    const named = Object.entries({ client, user, group, any: anybody }).filter(
      ([, name]) => name !== undefined,
    );
    const [who] = named;
    if (who === undefined || named.length > 1) {
      throw new UsageError('Say whom: one of --client, --user, --group and --anybody.');
    }
    const [kind, name] = who;
    const body = { principal: { pool, [kind]: name }, role };
    const whom = kind === 'any' ? `everybody of ${pool}` : `the ${kind} ${String(name)} of ${pool}`;
    const what = `Freeze ${whom} for ${role === '*' ? 'every role' : role}`;
    return carryOut({ what, method: 'POST', path: '/v1/freezes', body }, question);
  },
});
