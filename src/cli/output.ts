import { printable } from './printable.ts';

/** Where a command writes: results to `out`, everything else to `err`. */
export interface Output {
  out(text: string): void;
  err(text: string): void;
}

/** Exit codes of every command. */
export const exitCodes = {
  ok: 0,
  /** The command ran and the answer is no: a broken chain, a failed step, an unhealthy service. */
  failed: 1,
  /** The command line or a file named on it cannot be used. */
  usage: 2,
  /** Instead of wrong usage, as `terraform plan -detailed-exitcode` has it: the answer is a difference, or findings. */
  found: 2,
  /** Part of what was asked waits for a second administrator. */
  waiting: 3,
  /** The configuration is not valid (EX_CONFIG of sysexits.h). */
  config: 78,
} as const;

/** Says in one line why there is no result. */
export function refuse(output: Output, why: string, code: number = exitCodes.failed): number {
  output.err(`${printable(why)}\n`);
  return code;
}
