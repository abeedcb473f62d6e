/** `token-broker logout`: forgets the token that `login` keeps. */

import { existsSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { FileRefusedError } from '../../../kit/files/regular-file.ts';
import { removeDrafts } from '../../../kit/files/replace-file.ts';
import { helpText, type ProcessEdge } from '../../edge.ts';
import { exitCodes, refuse } from '../../output.ts';
import { printable } from '../../printable.ts';
import { readSession, sessionFile } from '../session.ts';

export function addLogoutCommand(program: Command, edge: ProcessEdge): void {
  program
    .command('logout')
    .description('forget the token that login keeps')
    .addHelpText(
      'after',
      `
The token itself is good until it ends: an access token cannot be called back.
${helpText(['token-broker logout'], '0 forgotten, or there was none; 1 the file is not one that login made, 2 wrong usage')}`,
    )
    .action(async () => edge.finish(await logout(edge)));
}

async function logout({ env, output }: ProcessEdge): Promise<number> {
  const say = (text: string) => output.out(`${printable(text)}\n`);
  const file = sessionFile(env);
  try {
    const session = readSession(file);
    if (file !== undefined && session === undefined && existsSync(file)) {
      const what = `${file} is not a session of this version of the command, and may hold a token: see, and delete it.`;
      return refuse(output, `${what} Nothing was deleted.`);
    }
    // Of a login that was killed while it wrote.
    if (file !== undefined && existsSync(dirname(file))) await removeDrafts(file);
    if (file === undefined || session === undefined) {
      say('Nobody is signed in.');
      return exitCodes.ok;
    }
    rmSync(file);
    say(`Signed out of ${session.adminUrl}: ${file} is deleted.`);
    return exitCodes.ok;
  } catch (error) {
    if (!(error instanceof FileRefusedError)) throw error;
    return refuse(output, `${error.message} Nothing was deleted.`);
  }
}
