/** The command line of `token-broker config …`. */

import { configSchemaText } from '../../config/json-schema.ts';
import { configCheck } from '../config-check.ts';
import { exitCodes } from '../output.ts';
import type { AddCommand } from './edge.ts';

interface CheckOptions {
  readonly config: string;
  readonly fileOnly?: boolean;
  readonly json?: boolean;
}

export const addConfigCommands: AddCommand = (program, { configSource, output, finish }) => {
  const config = program.command('config').description('work with configuration files');
  config
    .command('check')
    .description('say everything that is wrong with a configuration')
    .requiredOption('--config <file>', 'configuration file (YAML)')
    .option(
      '--file-only',
      'the file by itself, as in CI: not this process, its environment, or the files that are named in it',
    )
    .option('--json', 'print the faults as JSON')
    .addHelpText('after', '\nExit codes: 0 valid, 2 wrong usage, 78 invalid configuration.')
    .action(({ config: file, fileOnly = false, json = false }: CheckOptions) =>
      finish(configCheck({ source: configSource(file), fileOnly, json, output })),
    );
  config
    .command('schema')
    .description('print the JSON Schema of configuration files, for editors')
    .addHelpText('after', '\nExit codes: 0 printed, 2 wrong usage.')
    .action(() => {
      output.out(configSchemaText());
      finish(exitCodes.ok);
    });
};
