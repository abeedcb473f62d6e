/** The person at the terminal, if there is one: questions and progress go to standard error. */

import { createInterface } from 'node:readline/promises';
import { printable } from './printable.ts';

export interface Terminal {
  /** Whether results may be coloured: they go to a terminal, and nobody asked for none (https://no-color.org). */
  readonly colours: boolean;
  /** Undefined where nobody can answer. Resolves with an empty answer when the input ends. */
  readonly ask: ((question: string) => Promise<string>) | undefined;
  /** Overwrites the line shown before; an empty text takes it away. Does nothing where it could not be seen. */
  showProgress(text: string): void;
}

/** Whether somebody is there who agrees, by the whole word. */
export async function saysYes({ ask }: Terminal, what: string): Promise<boolean> {
  return (await ask?.(`${printable(what)}? Only "yes" does: `))?.trim() === 'yes';
}

export interface TerminalStreams {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export function processTerminal({ stdin, stdout, stderr, env }: TerminalStreams): Terminal {
  const visible = stderr.isTTY;
  const { NO_COLOR: noColor = '', TERM: kind } = env;
  return {
    colours: stdout.isTTY && noColor === '' && kind !== 'dumb',
    ask: stdin.isTTY && visible ? (question) => ask(question, { stdin, stderr }) : undefined,
    showProgress(text) {
      if (!visible) return;
      const line = printable(text).slice(0, Math.max(0, (stderr.columns || 80) - 1));
      // To the start of the line, and clear to its end (ECMA-48).
      stderr.write(`\r\u001b[K${line}`);
    },
  };
}

async function ask(
  question: string,
  { stdin, stderr }: Pick<TerminalStreams, 'stdin' | 'stderr'>,
): Promise<string> {
  const lines = createInterface({ input: stdin, output: stderr });
  try {
    const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
    return await Promise.race([lines.question(question), ended]);
  } finally {
    lines.close();
  }
}
