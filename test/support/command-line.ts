/** Commands in this process: a command line in, what a shell would see out. */

import { Command, CommanderError } from 'commander';
import { type AddCommand, exitCodeOf, type ProcessEdge } from '../../src/cli/edge.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { type Ran, terminal } from './mapping-folder.ts';

export interface CommandLineOptions {
  /** Default: nobody sits there. */
  readonly terminal?: Terminal;
  readonly env?: ProcessEdge['env'];
  readonly configSource?: ProcessEdge['configSource'];
}

/** Everything that a command may ask of the process; what a test does not expect fails. */
export function processEdge(parts: Partial<ProcessEdge> = {}): ProcessEdge {
  const unexpected = () => {
    throw new Error('the command is not expected to do this');
  };
  return {
    output: { out: unexpected, err: unexpected },
    terminal: terminal(),
    user: 'cli:tester@host',
    version: '0.0.0',
    revision: 'unknown',
    env: {},
    configSource: unexpected,
    finish: unexpected,
    stopRequested: unexpected,
    endWithin: unexpected,
    onReloadSignal: unexpected,
    onInspectorSignal: unexpected,
    ...parts,
  };
}

export async function runCommandLine(
  add: AddCommand,
  args: readonly string[],
  options: CommandLineOptions = {},
): Promise<Ran> {
  const { ran, done } = startCommandLine(add, args, options);
  await done;
  return ran;
}

/** For a command that waits for something: `ran` has what it said so far, and code -1 while it runs. */
export function startCommandLine(
  add: AddCommand,
  args: readonly string[],
  options: CommandLineOptions = {},
): { readonly ran: Readonly<Ran>; readonly done: Promise<void> } {
  const ran = { code: -1, out: '', err: '' };
  const output = {
    out: (text: string) => {
      ran.out += text;
    },
    err: (text: string) => {
      ran.err += text;
    },
  };
  const finish = (code: number) => {
    ran.code = code;
  };
  const program = new Command('token-broker')
    .exitOverride()
    .configureOutput({ writeOut: output.out, writeErr: output.err });
  add(program, processEdge({ ...options, output, finish }));
  const done = program.parseAsync([...args], { from: 'user' }).then(
    () => undefined,
    (error: unknown) => {
      if (!(error instanceof CommanderError)) throw error;
      ran.code = exitCodeOf(error);
    },
  );
  return { ran, done };
}
