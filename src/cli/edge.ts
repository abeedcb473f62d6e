/** What commands get from the edge of the process, which alone knows the process. */

import { type Command, CommanderError, InvalidArgumentError } from 'commander';
import type { RuntimeFacts } from '../config/process.ts';
import { exitCodes, type Output } from './output.ts';
import type { Terminal } from './terminal.ts';

export interface Edge {
  readonly output: Output;
  readonly terminal: Terminal;
  /** Who runs the command, as far as this machine knows. */
  readonly user: string;
  /** Version of this program. */
  readonly version: string;
  /** Commit that it was built from, or `unknown`. */
  readonly revision: string;
  configSource(file: string): ConfigSource;
  finish(exitCode: number): void;
}

export interface ConfigSource {
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly runtime: RuntimeFacts;
}

/** For commands that live on, start others, or keep files where the environment says. */
export interface ProcessEdge extends Edge {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Resolves with the name of the signal that asks this process to end. */
  stopRequested(): Promise<string>;
  /** Everything is undone and flushed: whatever still keeps this process from ending has so long. */
  endWithin(ms: number): void;
  /** Called each time this process is to read its configuration again; at once if it was asked before. */
  onReloadSignal(listener: () => void): void;
  /** Called each time somebody asks this process for an inspector, which it does not open. */
  onInspectorSignal(listener: () => void): void;
}

/** Adds a command, or a group of them, to the program. */
export type AddCommand = (program: Command, edge: ProcessEdge) => void;

/** Code of the errors of commander that `usageFails` makes. */
const usageAsFailure = 'token-broker.usageAsFailure';

/** With what the process ends when commander refuses the command line, or has printed what was asked of it, as help. */
export function exitCodeOf({ exitCode, code }: CommanderError): number {
  if (exitCode === 0) return exitCodes.ok;
  return code === usageAsFailure ? exitCodes.failed : exitCodes.usage;
}

/** For a command that says what it found, as a difference, with the 2 that wrong usage has elsewhere. */
export function usageFails(command: Command): Command {
  return command.exitOverride((error) => {
    if (error.exitCode === 0) throw error;
    throw new CommanderError(exitCodes.failed, usageAsFailure, error.message);
  });
}

/** For options that may be repeated. */
export function collected(value: string, known: readonly string[]): readonly string[] {
  return [...known, value];
}

/** Of a listener. */
export function parsePort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new InvalidArgumentError('Use 0 to 65535; 0 takes a free one.');
}

/** What stands below the options. */
export function helpText(examples: readonly string[], codes: string): string {
  return `\nExamples:\n${examples.map((example) => `  ${example}\n`).join('')}\nExit codes: ${codes}.`;
}
