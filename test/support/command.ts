/** A command of the built program, as a shell or an SDK runs it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Compiled by `npm test` before the tests. */
export const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export interface CommandResult {
  /** Exit code, or the name of the signal that ended it. */
  readonly code: number | string;
  readonly out: string;
  readonly err: string;
}

export interface CommandOptions {
  /** All the environment there is, besides PATH. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** What bash does before it becomes the command. */
  readonly before?: string;
}

export function runCommand(
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return resultOf(spawnNode([main, ...args], options));
}

/** Node with these arguments. */
export function spawnNode(
  args: readonly string[],
  { env = {}, cwd, before }: CommandOptions = {},
): ChildProcess {
  const words = [process.execPath, ...args];
  const [file = '', ...rest] =
    before === undefined
      ? words
      : ['bash', '--norc', '-c', `${before}; exec "$@"`, 'bash', ...words];
  return spawn(file, rest, {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
  });
}

/** Resolves when it has ended and all that it wrote has been read. */
export function resultOf(child: ChildProcess): Promise<CommandResult> {
  const text = { out: '', err: '' };
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text.out += chunk;
  });
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text.err += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code: code ?? signal ?? 'nothing', ...text }));
  });
}
