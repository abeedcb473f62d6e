import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface ShellOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** What the script prints. Rejects at the first command that fails. */
export async function runBash(script: string, { cwd, env }: ShellOptions): Promise<string> {
  const strictly = `set -euo pipefail\n${script}`;
  const { stdout } = await promisify(execFile)('bash', ['--norc', '-c', strictly], {
    cwd,
    env: { PATH: process.env['PATH'], ...env },
    timeout: 60_000,
  });
  return stdout;
}
