/** `token-broker config …`: says everything that is wrong with a configuration, and what one may hold. */

import type { ConfigFault } from '../../config/fault.ts';
import { configSchemaText } from '../../config/json-schema.ts';
import { jsonLine } from '../../kit/json/ascii-json.ts';
import { type AddCommand, type ConfigSource, helpText } from '../edge.ts';
import { exitCodes, type Output } from '../output.ts';
import { checkConfig, printFaults } from '../read-config.ts';

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
    .addHelpText(
      'after',
      helpText(
        [
          'token-broker config check --config config.yaml',
          'token-broker config check --config config.yaml --file-only --json',
        ],
        '0 valid, 2 wrong usage, 78 invalid configuration',
      ),
    )
    .action(({ config: file, fileOnly = false, json = false }: CheckOptions) =>
      finish(configCheck({ source: configSource(file), fileOnly, json, output })),
    );
  config
    .command('schema')
    .description('print the JSON Schema of configuration files, for editors')
    .addHelpText(
      'after',
      helpText(['token-broker config schema > schemas/config.v1.json'], '0 printed, 2 wrong usage'),
    )
    .action(() => {
      output.out(configSchemaText());
      finish(exitCodes.ok);
    });
};

export interface ConfigCheckOptions {
  readonly source: ConfigSource;
  /** Not this process, its environment, and the files that the configuration names. */
  readonly fileOnly: boolean;
  readonly json: boolean;
  readonly output: Output;
}

export function configCheck({ source, fileOnly, json, output }: ConfigCheckOptions): number {
  const checked = checkConfig(source, fileOnly);
  const { config, faults } = checked;
  if (json) {
    const valid = config !== undefined;
    output.out(jsonLine({ valid, profile: config?.profile, faults: faults.map(flat) }));
  } else if (config === undefined) {
    printFaults(checked, output);
  } else {
    const extent = fileOnly ? ', the file alone' : '';
    output.out(`${source.file}: valid (${config.profile} profile${extent})\n`);
  }
  return config === undefined ? exitCodes.config : exitCodes.ok;
}

function flat({ position, ...fault }: ConfigFault): object {
  return { ...fault, ...position };
}
