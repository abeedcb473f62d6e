/** A shell whose user signs in wherever a command asks for a browser: as one person after the other. */

import { spawn } from 'node:child_process';

export interface SignedInShell {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Names of people of the local issuer, in the order in which they sign in. */
  readonly people?: readonly string[];
  /** Default 120 s. */
  readonly timeoutMs?: number;
}

export interface Printed {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Ends at the first command that fails. */
export async function runSignedIn(script: string, shell: SignedInShell): Promise<Printed> {
  const { cwd, env, timeoutMs = 120_000 } = shell;
  const people = [...(shell.people ?? [])];
  const bash = spawn('bash', ['--norc', '-c', `set -euo pipefail\n${script}`], {
    cwd,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
  });
  const printed = { out: '', err: '' };
  let pages = 0;
  bash.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed.out += text;
  });
  bash.stderr.setEncoding('utf8').on('data', (text: string) => {
    printed.err += text;
    const asked = [...printed.err.matchAll(/^http\S+(?=\n)/gm)].map(([page]) => page);
    for (const page of asked.slice(pages)) {
      pages += 1;
      void signIn(new URL(page), people.shift() ?? 'nobody');
    }
  });
  const code = await new Promise<number | null>((resolve) => bash.once('close', resolve));
  return { code, ...printed };
}

async function signIn(page: URL, user: string): Promise<void> {
  const body = new URLSearchParams(page.searchParams);
  body.set('user', user);
  const asked = { method: 'POST', body, redirect: 'manual' } as const;
  const answer = await fetch(page.origin + page.pathname, asked);
  await fetch(answer.headers.get('location') ?? page);
}
