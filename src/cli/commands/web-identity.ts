/** The command line of `token-broker web-identity …`. */

import { readConfig } from '../config-check.ts';
import { exitCodes } from '../output.ts';
import { type WebIdentityOptions, webIdentityCheck, webIdentityRender } from '../web-identity.ts';
import type { AddCommand } from './edge.ts';

interface ConfigArgument {
  readonly config: string;
}

export const addWebIdentityCommands: AddCommand = (program, edge) => {
  const { configSource, output, finish } = edge;
  const run = async (
    { config: file }: ConfigArgument,
    work: (options: WebIdentityOptions) => Promise<number>,
  ) => {
    const config = readConfig(configSource(file), output);
    finish(config === undefined ? exitCodes.config : await work({ config, output }));
  };
  const webIdentity = program
    .command('web-identity')
    .description('work with the public documents of the broker as an issuer that STS trusts');
  webIdentity
    .command('render <dir>')
    .description('write discovery document and key set into a folder, for a static host')
    .requiredOption('--config <file>', 'configuration file (YAML)')
    .action((directory: string, options: ConfigArgument) =>
      run(options, (given) => webIdentityRender(directory, given)),
    );
  webIdentity
    .command('check')
    .description('fetch both as STS would, and compare them with the keys')
    .requiredOption('--config <file>', 'configuration file (YAML)')
    .action((options: ConfigArgument) => run(options, webIdentityCheck));
};
