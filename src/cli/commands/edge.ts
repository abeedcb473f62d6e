/** What commands get from the edge of the process, which alone knows the process. */

import type { ConfigSource } from '../config-check.ts';
import type { Output } from '../output.ts';
import type { Terminal } from '../terminal.ts';

export interface Edge {
  readonly output: Output;
  readonly terminal: Terminal;
  /** Who runs the command, as far as this machine knows. */
  readonly user: string;
  configSource(file: string): ConfigSource;
  finish(exitCode: number): void;
}
