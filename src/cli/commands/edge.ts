/** What commands get from the edge of the process, which alone knows the process. */

import type { Command } from 'commander';
import type { ConfigSource } from '../config-check.ts';
import type { Output } from '../output.ts';
import type { Terminal } from '../terminal.ts';

export interface Edge {
  readonly output: Output;
  readonly terminal: Terminal;
  /** Who runs the command, as far as this machine knows. */
  readonly user: string;
  /** Version of this program. */
  readonly version: string;
  configSource(file: string): ConfigSource;
  finish(exitCode: number): void;
}

/** For commands that live on, start others, or keep files where the environment says. */
export interface ProcessEdge extends Edge {
  /** The file that this program was started from. */
  readonly main: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Resolves with the name of the signal that asks this process to end. */
  stopRequested(): Promise<string>;
  /** Everything is undone and flushed: whatever still keeps this process from ending has so long. */
  endWithin(ms: number): void;
  /** Called each time somebody asks this process for an inspector, which it does not open. */
  onInspectorSignal(listener: () => void): void;
}

/** Adds a command, or a group of them, to the program. */
export type AddCommand = (program: Command, edge: ProcessEdge) => void;

/** Codes of commander's errors that this program gives a meaning of its own. */
export const commandErrors = {
  /** For commands that say what they found with the code that wrong usage has elsewhere. */
  usageAsFailure: 'token-broker.usageAsFailure',
} as const;
