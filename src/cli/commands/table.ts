/** The command line of `token-broker table …`. */

import { readConfig } from '../config-check.ts';
import { exitCodes } from '../output.ts';
import { tableCreate } from '../table-create.ts';
import type { AddCommand } from './edge.ts';

export const addTableCommands: AddCommand = (program, { configSource, output, finish }) => {
  const table = program.command('table').description('work with the role-mapping table');
  table
    .command('create')
    .description('create the DynamoDB table that the configuration names, unless it exists')
    .requiredOption('--config <file>', 'configuration file (YAML)')
    .action(async (options: { config: string }) => {
      const config = readConfig(configSource(options.config), output);
      finish(config === undefined ? exitCodes.config : await tableCreate(config, output));
    });
};
