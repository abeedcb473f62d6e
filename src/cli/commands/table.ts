/** `token-broker table …`: the role-mapping table that the configuration names. */

import type { Config } from '../../config/schema.ts';
import { type AddCommand, helpText } from '../edge.ts';
import { withMappingTable } from '../mapping-table.ts';
import { exitCodes, type Output } from '../output.ts';
import { withConfig } from '../read-config.ts';
import { printAnchor } from '../table-anchor.ts';

export const addTableCommands: AddCommand = (program, edge) => {
  const { output, terminal } = edge;
  const table = program.command('table').description('work with the role-mapping table');
  table
    .command('create')
    .description('create the DynamoDB table that the configuration names, unless it exists')
    .requiredOption('--config <file>', 'configuration file (YAML)')
    .addHelpText(
      'after',
      helpText(
        ['token-broker table create --config config.yaml'],
        '0 it is there, 1 it could not be made, 2 wrong usage, 78 invalid configuration',
      ),
    )
    .action((options: { config: string }) =>
      withConfig(options.config, edge, (config) => createTable(config, output)),
    );
  table
    .command('anchor')
    .description('print the policy.seal.anchor by which brokers know this table and its change log')
    .requiredOption('--config <file>', 'configuration file (YAML)')
    .option('--unsealed', 'take the change log as it stands, before its first seal')
    .addHelpText(
      'after',
      helpText(
        [
          'token-broker table anchor --config config.yaml --unsealed',
          'token-broker table anchor --config config.yaml',
        ],
        '0 printed, 1 the table or its change log is not as it must be, or could not be read, 2 wrong usage, 78 invalid configuration',
      ),
    )
    .action(({ config: file, unsealed = false }: { config: string; unsealed?: boolean }) =>
      withConfig(file, edge, (config) => printAnchor(config, output, { terminal, unsealed })),
    );
};

async function createTable(config: Config, output: Output): Promise<number> {
  const { table: name, region } = config.policy;
  output.err(`Creating table ${name} in ${region} …\n`);
  await withMappingTable(config, (table) =>
    table.create({ pointInTimeRecovery: true, deletionProtection: true }),
  );
  output.out(`${name}: ready\n`);
  return exitCodes.ok;
}
