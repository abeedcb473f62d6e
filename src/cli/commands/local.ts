/** The command lines of `token-broker local` and `token-broker demo`, which are not in images. */

import { resolve } from 'node:path';
import { CommanderError, InvalidArgumentError } from 'commander';
import { exitCodes } from '../output.ts';
import { type AddCommand, commandErrors } from './edge.ts';

interface LocalArguments {
  readonly port: number;
  readonly state: string;
  readonly fresh?: boolean;
  readonly readyFile?: string;
}

export const addLocalCommand: AddCommand = (program, edge) => {
  const { main, env, output, finish } = edge;
  program
    .command('local')
    .description('run issuer, STS, DynamoDB and broker on loopback, to play with')
    .option('--port <number>', 'first of six ports in a row; 0 takes free ones', parsePort, 8080)
    .option('--state <dir>', 'where keys, tables and logs are kept', '.local')
    .option('--fresh', 'empty the state first')
    .option('--ready-file <file>', 'write everything one needs to know here, as JSON, when ready')
    .action(async ({ port, state, fresh = false, readyFile }: LocalArguments) => {
      const { local } = await partOfFullBuild(() => import('../local.ts'));
      const stopRequested = edge.stopRequested();
      const directory = resolve(state);
      finish(await local({ directory, port, fresh, readyFile, main, env, stopRequested, output }));
    });
};

export const addDemoCommand: AddCommand = (program, { main, env, output, finish }) => {
  program
    .command('demo')
    .description('show the main job from end to end on a local stack of its own')
    .action(async () => {
      const { demo } = await partOfFullBuild(() => import('../demo.ts'));
      finish(await demo({ main, env, output }));
    });
};

/** Images leave the local stack out, so that nothing in production can be made to trust it. */
async function partOfFullBuild<Module>(load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new CommanderError(
      exitCodes.usage,
      commandErrors.notInThisBuild,
      'error: this build has no local stack; run it from a clone of the repository',
    );
  }
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_530) throw new InvalidArgumentError('Use 0 to 65530.');
  return port;
}
