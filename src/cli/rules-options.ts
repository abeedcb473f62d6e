/** The options of commands that read role mappings as files. `files-rules.ts` makes rules of them, and is loaded where files are read. */

import type { Command } from 'commander';
import { collected } from './edge.ts';

export interface RulesOptions {
  readonly config?: string;
  readonly matchableClaim: readonly string[];
}

export function addRulesOptions(command: Command): Command {
  return command
    .option(
      '--config <file>',
      'configuration file (YAML) that says which pools, app clients and claims there are',
    )
    .option(
      '--matchable-claim <name>',
      'without a configuration: a claim that mappings may use; may be repeated',
      collected,
      [],
    );
}
