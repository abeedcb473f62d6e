/** The command line of `token-broker config …`. */

import { configCheck } from '../config-check.ts';
import type { AddCommand } from './edge.ts';

export const addConfigCommands: AddCommand = (program, { configSource, output, finish }) => {
  const config = program.command('config').description('work with configuration files');
  config
    .command('check')
    .description('say everything that is wrong with a configuration')
    .requiredOption('--config <file>', 'configuration file (YAML)')
    .action((options: { config: string }) =>
      finish(configCheck(configSource(options.config), output)),
    );
};
