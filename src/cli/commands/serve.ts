/** The command line of `token-broker serve`. */

import { readServableConfig } from '../config-check.ts';
import { exitCodes } from '../output.ts';
import { serve } from '../serve.ts';
import type { AddCommand } from './edge.ts';

export const addServeCommand: AddCommand = (program, edge) => {
  program
    .command('serve')
    .description('run the broker until SIGTERM or SIGINT')
    .requiredOption('--config <file>', 'configuration file (YAML)')
    .option('--ready-file <file>', 'write the listeners’ URLs here, as JSON, once they answer')
    .action(async (options: { config: string; readyFile?: string }) => {
      const config = readServableConfig(edge.configSource(options.config), edge.output);
      if (config === undefined) return edge.finish(exitCodes.config);
      const code = await serve({
        config,
        build: { version: edge.version, node: process.version },
        ignoredProxies: Object.keys(edge.env).filter((name) =>
          /^(?:https?|all)_proxy$/i.test(name),
        ),
        readyFile: options.readyFile,
        stopRequested: edge.stopRequested(),
        onInspectorSignal: edge.onInspectorSignal,
      });
      edge.finish(code);
      // Whoever asked for the end waits for its exit code; a start that failed has nothing left to say.
      edge.endWithin(code === exitCodes.ok ? 5_000 : 750);
    });
};
